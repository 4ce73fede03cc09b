package browser_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// tab is a page in a tab of its own, without anything of other tabs.
type tab struct {
	t    *testing.T
	ctx  context.Context
	at   *instance
	name string // of its session; "" is the test's name

	mu       sync.Mutex
	wrong    []string         // what a page that works never does
	expected []*regexp.Regexp // but for this
}

// canaries are what no script of user code may touch, and what breaks a policy.
const canaries = `
	window.__violations = [];
	window.__said = [];
	addEventListener('message', (e) => __said.push(e.data ?? {}));
	addEventListener('securitypolicyviolation', (e) => __violations.push(e.violatedDirective + ' ' + e.blockedURI + ' ' + e.sample));
	try { sessionStorage.canary ??= 'whole'; } catch {} // a frame of no origin has none`

// newTab opens the page of a daemon in a window of that size, and checks at the end of the test what must hold always.
func newTab(t *testing.T, at *instance, width, height int64) *tab {
	t.Helper()
	outside.allow(at.URL)
	if at == open {
		t.Cleanup(func() { at.call(t, "POST", "/reset", "{}") }) // room for the sessions of other tests
	}
	ctx, cancel := chromedp.NewContext(chromium, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 3*patience)
	t.Cleanup(cancel)
	p := &tab{t: t, ctx: ctx, at: at}
	p.expect(`status of 409 .*/(variables|complete)$`) // a cell can begin while the question is on its way; the page asks again
	if err := chromedp.Listen(ctx, p.note); err != nil {
		t.Fatal(err)
	}
	p.do(chromedp.EmulateViewport(width, height))
	command(p, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: canaries})
	t.Cleanup(p.check)
	return p
}

// note keeps what goes wrong in the page.
func (p *tab) note(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		p.wrong = append(p.wrong, "exception: "+exception(e.ExceptionDetails))
	case *cdplog.EventEntryAdded:
		if e.Entry.Level == cdplog.EntryLevelError || e.Entry.Source == cdplog.EntrySourceSecurity {
			p.wrong = append(p.wrong, fmt.Sprintf("%s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL))
		}
	case *network.EventRequestWillBeSent:
		if url := e.Request.URL; !strings.HasPrefix(url, p.at.URL+"/") && !strings.HasPrefix(url, "data:") && !strings.HasPrefix(url, "blob:") {
			p.wrong = append(p.wrong, "request: "+url)
		}
	case *page.EventJavascriptDialogOpening:
		p.wrong = append(p.wrong, "dialog: "+e.Message)
	case *page.EventWindowOpen:
		p.wrong = append(p.wrong, "window: "+e.URL)
	}
}

// expect lets something go wrong that the test is about.
func (p *tab) expect(pattern string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expected = append(p.expected, regexp.MustCompile(pattern))
}

// check tells what went wrong.
func (p *tab) check() {
	p.t.Helper()
	if p.ctx.Err() == nil {
		state := eval[struct {
			Pwned, Canary, Host string
			Violations          []string
		}](p, `({pwned: String(window.__pwned), canary: sessionStorage.canary ?? 'gone', host: location.host, violations: __violations})`)
		if state.Pwned != "undefined" || state.Canary != "whole" || "http://"+state.Host != p.at.URL {
			p.t.Errorf("the page was tampered with: %+v", state)
		}
		p.mu.Lock()
		for _, violation := range state.Violations {
			p.wrong = append(p.wrong, "policy: "+violation)
		}
		p.mu.Unlock()
	}
	if asked := outside.strangers(); len(asked) > 0 {
		p.t.Errorf("the browser asked for %q", asked)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, wrong := range p.wrong {
		if !p.isExpected(wrong) {
			p.t.Error(wrong)
		}
	}
}

func (p *tab) isExpected(wrong string) bool {
	for _, pattern := range p.expected {
		if pattern.MatchString(wrong) {
			return true
		}
	}
	return false
}

// do runs actions in the tab.
func (p *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, actions...); err != nil {
		p.t.Fatal(err)
	}
}

// command runs a command of the protocol in the tab.
func command[P, R any](p *tab, cmd cdp.Command[P, R], params P) R {
	p.t.Helper()
	r, err := chromedp.Call(p.ctx, cmd, params)
	if err != nil {
		p.t.Fatal(err)
	}
	return r
}

// eval evaluates JavaScript, and waits for it if it is a promise.
func eval[T any](p *tab, expression string) T {
	p.t.Helper()
	value, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("%s: %v", expression, err)
	}
	return value
}

// pageLeft is how an evaluation ends when the page is loaded anew meanwhile.
var pageLeft = regexp.MustCompile(`navigated or closed|context was destroyed|Cannot find context`)

// until waits until an expression is true: it is looked at whenever the document changes.
func (p *tab) until(what, expression string) {
	p.t.Helper()
	look := fmt.Sprintf(`new Promise((resolve) => {
		const look = () => {
			let value = false;
			try { value = Boolean(%s); } catch {}
			if (!value) return;
			seen.disconnect();
			clearTimeout(timer);
			resolve(true);
		};
		const seen = new MutationObserver(look);
		const timer = setTimeout(() => { seen.disconnect(); resolve(false); }, %d);
		seen.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
		look();
	})`, expression, patience.Milliseconds())
	for end := time.Now().Add(patience); ; {
		done, err := chromedp.Run(p.ctx, chromedp.Evaluate[bool](look, chromedp.EvalAwaitPromise))
		if done {
			return
		}
		if left := err != nil && pageLeft.MatchString(err.Error()); !left || time.Now().After(end) {
			p.shot("failed-" + p.t.Name())
			p.t.Fatalf("%s: never (%v). The page says:\n%.3000s", what, err, p.text("document.body"))
		}
	}
}

// visit goes to the page, in a session of the test's own.
func (p *tab) visit() {
	p.t.Helper()
	p.do(chromedp.Navigate(p.at.URL + "/#" + p.session()))
}

// enter visits the page and waits until code can be written.
func (p *tab) enter() {
	p.t.Helper()
	p.visit()
	p.until("the editor is there", `document.querySelector('.cm-content') && document.activeElement.matches('.cm-content')`)
}

// session is the name of the session that enter opens.
func (p *tab) session() string {
	if p.name != "" {
		return p.name
	}
	return regexp.MustCompile(`[^A-Za-z0-9._-]`).ReplaceAllString(p.t.Name(), "-")
}

// write puts code into the editor, at once, as an input method does.
func (p *tab) write(code string) {
	p.t.Helper()
	p.do(chromedp.Focus(chromedp.CSS(".cm-content")))
	p.insert(code)
}

// insert puts text where the focus is.
func (p *tab) insert(text string) {
	p.t.Helper()
	command(p, input.InsertText, input.InsertTextParams{Text: text})
}

// press presses keys one after another, with what is held. A page that handles a key keeps it from typing anything, as it does
// for a person.
func (p *tab) press(keys string, held ...chromedp.Modifier) {
	p.t.Helper()
	for _, r := range keys {
		events := kb.Encode(r) // down, the character if there is one, up
		down, up := *events[0], *events[len(events)-1]
		if len(events) == 3 && !slices.Contains(held, chromedp.ModifierCtrl) {
			down.Type, down.Text, down.UnmodifiedText = kb.KeyDown, events[1].Text, events[1].UnmodifiedText
		}
		for _, event := range []input.DispatchKeyEventParams{down, up} {
			for _, m := range held {
				event.Modifiers |= int64(m)
			}
			command(p, input.DispatchKeyEvent, event)
		}
	}
}

// click clicks the first element that a selector of CSS finds, where a person would.
func (p *tab) click(selector string) {
	p.t.Helper()
	p.do(chromedp.Click(chromedp.CSS(selector)))
}

// begin runs code with the keyboard, and waits for its cell.
func (p *tab) begin(code string) {
	p.t.Helper()
	before := eval[int](p, cells+".length")
	p.write(code)
	p.press(kb.Enter, chromedp.ModifierShift)
	p.until("a cell is there", fmt.Sprintf("%s.length > %d", cells, before))
}

// run runs code, and waits until its cell has ended like this.
func (p *tab) run(code, outcome string) {
	p.t.Helper()
	p.begin(code)
	p.ends(outcome)
}

func (p *tab) ends(outcome string) {
	p.t.Helper()
	p.until("the cell ends", last+`.dataset.state !== 'waiting' && `+last+`.dataset.state !== 'running'`)
	if got := eval[string](p, last+".dataset.state"); got != outcome {
		p.shot("failed-" + p.t.Name())
		p.t.Fatalf("the cell ended with %q, want %q: %s", got, outcome, p.text(last))
	}
}

// The cells that are shown, and the last of them.
const (
	cells = `[...document.querySelectorAll('#transcript > :not([hidden]) .cell')]`
	last  = cells + `.at(-1)`
)

// text is what an element says.
func (p *tab) text(element string) string {
	p.t.Helper()
	return eval[string](p, element+".innerText")
}

// output is what the last cell shows.
func (p *tab) output() string {
	p.t.Helper()
	return p.text(last + `.querySelector('.cell-outputs')`)
}

// wants checks a text.
func (p *tab) wants(what, text string, parts ...string) {
	p.t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			p.t.Errorf("%s: %q is not in %q", what, part, text)
		}
	}
}

// shot keeps a screenshot.
func (p *tab) shot(name string) {
	p.t.Helper()
	dir := os.Getenv("FASTPYREPL_TEST_ARTEFACTS")
	if dir == "" {
		dir = "artefacts"
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		p.t.Fatal(err)
	}
	png, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, strings.ReplaceAll(name, "/", "-")+".png"), png, 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// dark has the page look as on a system that is dark.
func (p *tab) dark() {
	p.t.Helper()
	command(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}},
	})
}

// tabs is how many pages there are beside those of other tests.
func (p *tab) tabs() int {
	p.t.Helper()
	targets, err := chromedp.Targets(p.ctx)
	if err != nil {
		p.t.Fatal(err)
	}
	mine, n := chromedp.FromContext(p.ctx).BrowserContextID, 0
	for _, info := range targets {
		if info.Type == "page" && info.BrowserContextID == mine {
			n++
		}
	}
	return n
}

// quoted is text as JavaScript has it.
func quoted(text string) string {
	b, err := json.Marshal(text)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func exception(e *runtime.ExceptionDetails) string {
	if e.Exception != nil && e.Exception.Description != "" {
		return e.Exception.Description
	}
	return e.Text
}
