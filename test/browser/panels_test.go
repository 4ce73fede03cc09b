package browser_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

func TestVariables_AreListedAsTheyChange(t *testing.T) {
	p := newTab(t, open, 1280, 800)
	p.enter()
	p.run("import numpy as np\ngrid = np.zeros((3, 4))\ntext = '<b>bold</b>'", "ok")
	p.until("they are listed", `document.querySelector('#variables table')`)
	p.wants("the variables", p.text(`document.querySelector('#variables')`), "grid", "3 × 4", "text", "<b>bold</b>")
	p.run("text = 'another'", "ok")
	p.until("the new value is there", `document.querySelector('#variables').textContent.includes('another')`)
	// Completion knows them, too.
	p.press("gr")
	p.press(" ", chromedp.ModifierCtrl)
	p.until("it is completed", `document.querySelector('.cm-tooltip-autocomplete')?.textContent.includes('grid')`)
	eval[any](p, `new Promise((resolve) => setTimeout(resolve, 150))`) // what has just appeared takes no keys: somebody may have meant the editor
	p.press(kb.Tab)
	p.until("it is written", `document.querySelector('.cm-content').textContent === 'grid'`)
}

// What another tab does in the session is seen, too.
func TestPanels_ShowWhatAnotherTabChanges(t *testing.T) {
	p, other := newTab(t, open, 1280, 800), newTab(t, open, 1280, 800)
	p.enter()
	other.enter()
	for _, value := range []string{"'first'", "'second'"} {
		other.run("told = "+value, "ok")
		p.until("the value is there", `document.querySelector('#variables').textContent.includes(`+quoted(value)+`)`)
	}
	// What a cell does is seen at its end, also where it was listed before.
	p.click("#files-tab")
	other.begin("input()\nopen('late.txt', 'w').close()")
	p.until("the session is busy", row(p.session())+`.querySelector('.dot').dataset.state === 'busy'`)
	other.until("it asks", last+`.querySelector('.ask')`)
	other.press(kb.Enter)
	other.ends("ok")
	p.until("the file is there", `document.querySelector('#files .name')?.textContent === 'late.txt'`)
}

func TestFiles_AreUploadedListedAndDownloaded(t *testing.T) {
	p := newTab(t, open, 1280, 800)
	down, downloads := p.downloads()
	p.enter()
	p.click("#files-tab")
	const name = "a <b> & ü?.csv"
	path := filepath.Join(t.TempDir(), name)
	content := "a,b\n1,2\n" + strings.Repeat("x", 300<<10)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	p.do(chromedp.SetUploadFiles(chromedp.CSS("#files input[type=file]"), []string{path}, chromedp.NodeReady))
	p.until("it is listed", `document.querySelector('#files .file .name')?.textContent === `+quoted(name))
	p.run("from pathlib import Path\np = Path("+pythonString(name)+")\nprint(p.read_text()[:7])\nPath('below').mkdir()\nPath('below', 'back.txt').write_text('from the session')", "ok")
	p.wants("the code", p.output(), "a,b")
	p.until("the directory is listed", `document.querySelectorAll('#files .file').length === 2`)
	p.shot("files")
	p.click("#files .file:has([title='Open below']) .open")
	p.until("its file is listed", `document.querySelector('#files .file .name')?.textContent === 'back.txt'`)
	p.click("#files .file .open")
	select {
	case guid := <-downloads:
		if got, err := os.ReadFile(filepath.Join(down, guid)); err != nil || string(got) != "from the session" {
			t.Errorf("the download is %q, %v", got, err)
		}
	case <-time.After(patience):
		t.Fatal("nothing was downloaded")
	}
	p.click("#files .file [aria-label^=Delete]")
	p.until("it asks", `document.querySelector('dialog[open]')`)
	p.click("dialog .danger")
	p.until("it is gone", `document.querySelector('#files').textContent.includes('Nothing is in this directory')`)
	p.run("print(list(Path('below').iterdir()))", "ok")
	p.wants("the directory", p.output(), "[]")
}

// What became of an upload or a deletion that failed is said until something else is done, whatever lists come meanwhile.
func TestFiles_SayWhatFailed(t *testing.T) {
	p := newTab(t, open, 1280, 800)
	p.expect(`status of (409|507) .*/files/`)
	p.at.call(t, "POST", "/v1/sessions", fmt.Sprintf(`{"session_id": %q, "disk": %d}`, p.session(), 1<<20))
	p.enter()
	p.click("#files-tab")
	wrong := func(text string) string {
		return `document.querySelector('#files > .wrong').textContent.includes(` + quoted(text) + `)`
	}
	path := filepath.Join(t.TempDir(), "large.bin")
	if err := os.WriteFile(path, make([]byte, 2<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	// Lists are counted as they are drawn, for they come after what failed.
	eval[any](p, `window.__lists = 0, new MutationObserver(() => __lists++).observe(document.querySelector('#files ul'), { childList: true })`)
	p.do(chromedp.SetUploadFiles(chromedp.CSS("#files input[type=file]"), []string{path}, chromedp.NodeReady))
	p.until("the upload is refused", wrong("do not fit"))
	p.run("import os\nos.makedirs('kept/deep')\nopen('kept/deep/f', 'w').close()\nos.chmod('kept/deep', 0o555)", "ok")
	p.until("the directory is listed", `document.querySelector("#files [title='Open kept']")`)
	if !eval[bool](p, wrong("do not fit")) {
		t.Errorf("a list has cleared what the upload said: %q", p.text(`document.querySelector('#files')`))
	}
	lists := eval[int](p, "__lists")
	p.click("#files [aria-label='Delete kept']")
	p.until("it asks", `document.querySelector('dialog[open]')`)
	p.click("dialog .danger")
	p.until("the files are listed again", fmt.Sprintf("__lists > %d", lists))
	if said := p.text(`document.querySelector('#files > .wrong')`); said == "" || strings.Contains(said, "do not fit") {
		t.Errorf("of the deletion it says %q", said)
	}
	p.click("#files [aria-label='List again']")
	p.until("the next action clears it", `document.querySelector('#files > .wrong').textContent === ''`)
}

// downloads is the directory that downloads go to, and tells their names there.
func (p *tab) downloads() (string, <-chan string) {
	p.t.Helper()
	dir, done, events := p.t.TempDir(), make(chan string, 8), true
	c := chromedp.FromContext(p.ctx)
	if err := chromedp.ListenBrowser(p.ctx, func(event any) {
		if e, ok := event.(*browser.EventDownloadProgress); ok && e.State == browser.DownloadProgressStateCompleted {
			done <- e.GUID
		}
	}); err != nil {
		p.t.Fatal(err)
	}
	if _, err := cdp.Call(p.ctx, c.Browser, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{
		Behavior: browser.SetDownloadBehaviorBehaviorAllowAndName, BrowserContextID: c.BrowserContextID, DownloadPath: dir, EventsEnabled: &events,
	}); err != nil {
		p.t.Fatal(err)
	}
	return dir, done
}
