package daemon

import (
	"strings"

	"github.com/gofiber/fiber/v2"
)

// noContent is a policy under which a page can do nothing: load, connect, submit, or be framed.
const noContent = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// SecurePage sets, with set, the headers of an answer that a browser shows as a page. The page can do nothing but what allow adds,
// in directives of a Content-Security-Policy: "script-src 'self'".
func SecurePage(set func(name, value string), allow ...string) {
	set(fiber.HeaderContentSecurityPolicy, strings.Join(append([]string{noContent}, allow...), "; "))
	set(fiber.HeaderReferrerPolicy, "no-referrer")
	set(fiber.HeaderXFrameOptions, "DENY") // for browsers that do not know frame-ancestors
	set("Cross-Origin-Opener-Policy", "same-origin")
	set("Cross-Origin-Resource-Policy", "same-origin")
}
