package browser_test

import (
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
