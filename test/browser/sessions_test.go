package browser_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// row is a session in the list.
func row(name string) string {
	return fmt.Sprintf(`[...document.querySelectorAll('.session')].find((el) => el.querySelector('.name').textContent === %s)`, quoted(name))
}

func TestSessions_AreListedWithStateAndUse(t *testing.T) {
	p := newTab(t, open, 1280, 800)
	other := p.session() + "-other"
	p.at.call(t, "POST", "/execute", fmt.Sprintf(`{"code": "x = 7", "session_id": %q}`, other))
	p.enter()
	p.until("a session of somebody else's making is listed", row(other))
	p.begin("while True: pass")
	p.until("it is busy", row(p.session())+`.querySelector('.dot').dataset.state === 'busy'`)
	p.until("what it uses is there", `(([, memory, cpu]) => /^\d+(\.\d)? MiB$/.test(memory) && parseInt(cpu) > 5)(`+row(p.session())+`.querySelector('.about').textContent.split(' · '))`)
	p.until("the meter shows the memory", row(p.session())+`.querySelector('meter').value > 0`)
	p.click("#stop-button")
	p.ends("interrupted")
	p.until("it is idle", row(p.session())+`.querySelector('.dot').dataset.state === 'idle'`)
	// The other one has its own cells and variables.
	eval[any](p, row(other)+`.querySelector('.choose').click()`)
	p.run("x", "ok")
	p.wants("the other session", p.output(), "7")
	p.wants("its cells", eval[string](p, cells+".length + ''"), "1")
}

func TestSessions_AreMadeAndEnded(t *testing.T) {
	p := newTab(t, open, 1280, 800)
	p.enter()
	p.click("#new-button")
	p.until("the dialog is there", `document.activeElement.matches('dialog input')`)
	p.press("a", chromedp.ModifierCtrl)
	p.press("not a name")
	p.press(kb.Enter)
	p.until("the name is refused", `document.querySelector('dialog .wrong').textContent.includes('letters, digits')`)
	name := p.session() + ".made"
	p.press("a", chromedp.ModifierCtrl)
	p.press(name)
	p.press(kb.Tab)
	p.press("1")
	p.press(kb.Enter)
	p.expect(`status of 422 .*/v1/sessions`)
	p.until("the daemon's refusal is shown", `document.querySelector('dialog .wrong').textContent.includes('memory')`)
	p.press("a", chromedp.ModifierCtrl)
	p.press("800")
	p.press(kb.Enter)
	p.until("it is worked in", `!document.querySelector('dialog') && document.querySelector('#session-button .name').textContent === `+quoted(name))
	p.wants("the session", p.at.call(t, "GET", "/v1/sessions/"+name, ""), `"memory":838860800`)

	p.click("#session-button")
	p.until("its details are there", `document.querySelector('dialog dl')`)
	p.wants("the details", p.text(`document.querySelector('dialog')`), "800 MiB", "default")
	p.shot("details")
	p.click("dialog .danger")
	p.until("it asks whether to end it", `document.querySelector('dialog[open] h2')?.textContent.startsWith('End ')`)
	p.press(kb.Tab)
	p.press(kb.Enter)
	p.until("it is gone from the list", "!"+row(name))
	if resp, err := http.Get(p.at.URL + "/v1/sessions/" + name); err != nil || resp.StatusCode != http.StatusNotFound {
		t.Errorf("the session is still there: %v %v", resp, err)
	}
}

// An expired session says so, and is never silently empty.
func TestSessions_TellWhyTheyAreGone(t *testing.T) {
	p := newTab(t, open, 1280, 800)
	p.expect(`status of (409|410)`) // what is asked just then
	p.enter()
	p.run("x = 1", "ok")
	p.at.call(t, "PATCH", "/v1/sessions/"+p.session(), `{"ttl": 0.1}`)
	p.until("the page says so", `document.querySelector('#banner').textContent.includes('gone')`)
	p.begin("x")
	p.until("the code is refused", last+`.querySelector('.refused')`)
	p.click("#banner button")
	p.until("the banner is gone", `document.querySelector('#banner').hidden`)
	p.run("x", "error")
	p.wants("the cell", p.output(), "NameError")
}

// What runs is followed over a restart of the daemon, and a question is still answered.
func TestSessions_OutliveTheDaemon(t *testing.T) {
	state := t.TempDir()
	first, err := start(t.Context(), "0", state)
	if err != nil {
		t.Fatal(err)
	}
	p := newTab(t, first, 1280, 800)
	p.expect(`Failed to load resource|WebSocket connection`)
	p.enter()
	p.begin("x = 'before'\nprint(x)\nname = input('who? ')\nprint('hello', name)")
	p.until("it asks", last+`.querySelector('.ask')`)
	if err := first.Stop(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.until("the page says so", `document.querySelector('#banner').textContent.includes('Trying again')`)
	at, err := url.Parse(first.URL)
	if err != nil {
		t.Fatal(err)
	}
	startFor(t, at.Port(), state)
	p.until("the page has found it", `document.querySelector('#banner').hidden`)
	p.press("Zoe")
	p.press(kb.Enter)
	p.ends("ok")
	out := p.output()
	p.wants("the output", out, "before", "hello Zoe")
	if strings.Count(out, "before") != 1 {
		t.Errorf("something is there twice: %q", out)
	}
	p.run("x", "ok")
	p.wants("the variable", p.output(), "before")
}
