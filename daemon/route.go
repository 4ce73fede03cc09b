package daemon

import "github.com/gofiber/fiber/v2"

// Route is one operation. The tables of routes are all there is: nothing else answers, and what documents them is
// generated from them.
type Route struct {
	Method  string
	Path    string // as Fiber takes it
	Summary string // one line
	In      any    // zero value of the body's type; nil when there is none
	Out     any    // zero value of the type of a 200's body
	Errors  []int  // statuses other than those that the server gives on every route
	Open    bool   // asks for no API key
	Handler fiber.Handler
}
