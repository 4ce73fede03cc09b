package browser_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/gjyotin305/fastpyrepl/daemon/auth"
)

// locked is a daemon that asks for keys, which are in a file.
func locked(t *testing.T, key string) (d *instance, keys string) {
	t.Helper()
	hash, err := auth.HashOf(key)
	if err != nil {
		t.Fatal(err)
	}
	keys = filepath.Join(t.TempDir(), "keys.yaml")
	replace(t, keys, fmt.Sprintf("ann:\n  hash: %s\n", hash))
	return startFor(t, "0", t.TempDir(), "FASTPYREPL_AUTH_KEYS_FILE="+keys), keys
}

// replace puts a file in the place of another, at once.
func replace(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func TestSignIn_TakesTheRightKeyAlone(t *testing.T) {
	key := auth.New()
	d, keys := locked(t, key)
	p := newTab(t, d, 1280, 800)
	p.expect(`status of 401 .*/v1/sessions`)
	p.visit()
	const form = `document.querySelector('#sign-in:not([hidden])')`
	p.until("it asks for a key", form+` && document.activeElement.id === 'key'`)
	p.shot("sign-in")
	wrong := `document.querySelector('#key-wrong').textContent`
	for _, tc := range []struct{ key, says string }{
		{"", "A key is needed."},
		{"not a <key>", "No key has such characters."},
		{auth.New(), "This key is not known here."},
	} {
		p.press(tc.key)
		p.press(kb.Enter)
		p.until("it says what is wrong", fmt.Sprintf("%s === %s && document.activeElement.id === 'key'", wrong, quoted(tc.says)))
	}
	p.press(key)
	p.press(kb.Enter)
	p.until("the editor is there", `document.activeElement.matches('.cm-content')`)
	p.run("secret = 'once upon a time'\nsecret", "ok")

	// The key is nowhere but in the tab's own storage.
	found := eval[[]string](p, fmt.Sprintf(`Object.entries({
		url: location.href, document: document.documentElement.outerHTML, field: document.querySelector('#key').value, cookies: document.cookie,
		local: JSON.stringify(localStorage), window: window.name, history: JSON.stringify(history.state) ?? '',
		requests: performance.getEntriesByType('resource').map((entry) => entry.name).join(),
	}).filter(([, text]) => text.includes(%s)).map(([name]) => name)`, quoted(key)))
	if len(found) != 0 {
		t.Errorf("the key is in %q", found)
	}

	// The page may be loaded again.
	p.do(chromedp.Reload())
	p.until("the editor is there again", `document.activeElement.matches('.cm-content')`)
	p.run("secret", "ok")
	p.wants("the variable", p.output(), "once upon a time")

	p.expect(`WebSocket connection .* HTTP Authentication failed`)
	// A key that is withdrawn takes with it what was seen.
	replace(t, keys, "{}\n")
	p.until("it asks for a key again", form)
	p.wants("the page", p.text("document.body"), "API key")
	if left := eval[bool](p, `document.documentElement.innerHTML.includes('once upon') || Object.keys(sessionStorage).some((name) => name.startsWith('fastpyrepl'))`); left {
		t.Error("something of what was seen is left")
	}
}

func TestSignIn_OutForgetsEverything(t *testing.T) {
	key := auth.New()
	d, _ := locked(t, key)
	p := newTab(t, d, 1280, 800)
	p.expect(`status of 401 .*/v1/sessions`)
	p.visit()
	p.until("it asks for a key", `document.activeElement.id === 'key'`)
	p.press(key)
	p.press(kb.Enter)
	p.until("the editor is there", `document.activeElement.matches('.cm-content')`)
	p.run("'seen'", "ok")
	p.click("#leave-button")
	p.until("it asks for a key", `document.activeElement.id === 'key'`)
	if left := eval[string](p, `Object.keys(sessionStorage).filter((name) => name !== 'canary').join() + location.hash + document.querySelector('#transcript').textContent`); left != "" {
		t.Errorf("there is left: %q", left)
	}
	p.do(chromedp.Reload())
	p.until("it still asks", `document.activeElement.id === 'key'`)
}
