package browser_test

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

func TestRun_ShowsResultsAndKeepsVariables(t *testing.T) {
	p := newTab(t, open, 1280, 800)
	p.enter()
	p.run("x = 20\nprint('hello')\nx + 1", "ok")
	if got := p.output(); got != "hello\n21" && !strings.HasPrefix(got, "hello\n") {
		t.Errorf("the output is %q", got)
	}
	p.wants("the cell", p.text(last), "[1]", "21", "Done")
	p.run("x", "ok")
	p.wants("the next cell", p.output(), "20")
	if tokens := eval[int](p, last+`.querySelectorAll('.cell-code [class^=tok]').length`); eval[string](p, "document.activeElement.className") == "" {
		t.Errorf("%d tokens are coloured, and the editor has lost the focus", tokens)
	}
}

// A line is there before the cell has ended, and what overwrites itself does so.
func TestRun_OutputStreams(t *testing.T) {
	p := newTab(t, open, 1280, 800)
	p.enter()
	p.begin("print('first')\ninput('go on? ')\nfor i in range(3):\n    print('\\rat', i, end='', flush=True)\nprint('\\nlast')")
	p.until("the first line is there", last+`.innerText.includes('first') && `+last+`.querySelector('.ask')`)
	if state := eval[string](p, last+".dataset.state"); state != "running" {
		t.Errorf("the cell is %s", state)
	}
	p.press(kb.Enter)
	p.ends("ok")
	out := p.output()
	p.wants("the output", out, "first", "at 2", "last")
	if strings.Contains(out, "at 1") {
		t.Errorf("a line that was written over is there: %q", out)
	}
}

func TestRun_ShowsPlots(t *testing.T) {
	p := newTab(t, open, 1280, 800)
	p.enter()
	p.run("import matplotlib.pyplot as plt\nplt.figure(figsize=(4, 2), facecolor='#ff0000')\nplt.plot([1, 3, 2])\nplt.show()", "ok")
	p.until("the picture is loaded", last+`.querySelector('img').complete`)
	picture := eval[struct{ Width, Height, Red int }](p, `(() => {
		const img = `+last+`.querySelector('img');
		const canvas = new OffscreenCanvas(img.naturalWidth, img.naturalHeight).getContext('2d');
		canvas.drawImage(img, 0, 0);
		const [r, g, b] = canvas.getImageData(2, 2, 1, 1).data;
		return { width: img.clientWidth, height: img.clientHeight, red: r === 255 && g === 0 && b === 0 ? 1 : 0 };
	})()`)
	if picture.Width < 200 || picture.Height < 100 || picture.Red != 1 {
		t.Errorf("the plot is %+v", picture)
	}
	p.shot("plot")
}

func TestRun_ShowsTables(t *testing.T) {
	p := newTab(t, open, 1280, 800)
	p.enter()
	p.run("import pandas as pd\npd.DataFrame({'n': range(1000), 'name': ['<b>x</b>'] * 1000})", "ok")
	table := eval[struct {
		Rows   int
		Head   []string
		First  []string
		Sticky string
	}](p, `(() => {
		const table = `+last+`.querySelector('table.data');
		const texts = (row) => [...row.cells].map((cell) => cell.textContent);
		return { rows: table.tBodies[0].rows.length, head: texts(table.tHead.rows[0]), first: texts(table.tBodies[0].rows[0]),
			sticky: getComputedStyle(table.tHead.rows[0].cells[0]).position };
	})()`)
	if table.Rows != 200 || strings.Join(table.Head, "|") != "|n|name" || strings.Join(table.First, "|") != "0|0|<b>x</b>" || table.Sticky != "sticky" {
		t.Errorf("the table is %+v", table)
	}
	p.wants("the note", p.output(), "200 of 1,000 rows, 2 columns")
	// The same as the text that it also comes as.
	p.click(".forms button:last-child")
	p.wants("as text", p.output(), "[1000 rows x 2 columns]")

	p.run("pd.DataFrame({'k': ['a', 'b', 'b'], 'm': [1, 2, None], 'v': [1, 2, 3]}).groupby(['k', 'm'], dropna=False).sum()", "ok")
	got := eval[string](p, `[...`+last+`.querySelector('table.data').rows].map((row) => [...row.cells].map((cell) =>
		(cell.scope ? cell.scope + ':' : '') + cell.textContent).join(' ')).join('; ')`)
	if want := "col:k col:m col:v; row:a row:1 1; row:b row:2 2; row:b row:null 3"; got != want {
		t.Errorf("a table with keys is %q, want %q", got, want)
	}
}

func TestRun_ColoursTracebacks(t *testing.T) {
	p := newTab(t, open, 1280, 800)
	p.enter()
	p.run("import sys\nprint('kept', file=sys.stderr)\ndef mean(values):\n    return sum(values) / len(values)\nmean([])", "error")
	trace := p.text(last + `.querySelector('.traceback')`)
	p.wants("the traceback", trace, "Traceback (most recent call last):", "Cell [1], line 5, in <module>", "return sum(values) / len(values)", "ZeroDivisionError: division by zero")
	if n := strings.Count(p.output(), "ZeroDivisionError"); n != 1 {
		t.Errorf("the exception is there %d times: %q", n, p.output())
	}
	p.wants("stderr", p.text(last+`.querySelector('[data-stream=stderr]')`), "kept")
	p.wants("the cell", p.text(last), "Error")
	colours := eval[int](p, `new Set([...`+last+`.querySelectorAll('.traceback .kind, .traceback .carets, .traceback .where, .traceback .tok-keyword')].map((el) => getComputedStyle(el).color)).size`)
	if colours < 3 {
		t.Errorf("the traceback has %d colours", colours)
	}
	p.shot("error")
}

func TestRun_AsksForInput(t *testing.T) {
	p := newTab(t, open, 1280, 800)
	p.enter()
	p.begin("import getpass\nname = input('Your <i>name</i>? ')\nsecret = getpass.getpass('Secret: ')\nprint('hello', name, len(secret))\ninput('more? ')")
	p.until("it asks", last+`.querySelector('.ask input')`)
	p.wants("the question", p.output(), "Your <i>name</i>?")
	p.press("Zoe")
	p.press(kb.Enter)
	p.until("it asks for the secret", last+`.querySelector('.ask input').type === 'password'`)
	p.press("12345")
	p.press(kb.Enter)
	p.until("it asks for more", last+`.innerText.includes('more?')`)
	p.click(".ask button[type=button]") // no more: the end of the file
	p.ends("error")
	p.wants("the cell", p.output(), "hello Zoe 5", "EOFError")
	if !eval[bool](p, `document.activeElement.matches('.cm-content')`) {
		t.Error("the focus is not where the next code is written")
	}
	if strings.Contains(p.output(), "12345") {
		t.Error("the secret is shown")
	}
}

func TestRun_StopsAndKeepsVariables(t *testing.T) {
	p := newTab(t, open, 1280, 800)
	p.enter()
	p.run("x = 1", "ok")
	p.begin("print('on')\nwhile True: pass")
	p.until("it runs", last+`.innerText.includes('on\n')`)
	p.click("#stop-button")
	p.ends("interrupted")
	p.wants("the cell", p.text(last), "KeyboardInterrupt", "Stopped")
	p.begin("print('on')\nwhile True: pass")
	p.until("it runs again", last+`.innerText.includes('on\n')`)
	p.press(".", chromedp.ModifierCtrl)
	p.ends("interrupted")
	p.run("x + 1", "ok")
	p.wants("the variable", p.output(), "2")
	if eval[bool](p, `!document.querySelector('#stop-button').hidden`) {
		t.Error("there is a button to stop what does not run")
	}
}

func TestRun_SaysWhenVariablesAreLost(t *testing.T) {
	p := newTab(t, open, 1280, 800)
	p.expect(`status of 409 .*/variables`) // while the next process starts
	p.enter()
	p.run("x = 'kept'", "ok")
	p.until("the variable is listed", `document.querySelector('#variables').textContent.includes('kept')`)
	p.run("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "crashed")
	p.wants("the cell", p.text(last), "Crashed", "Variables lost", "the session's variables are lost")
	p.until("it is not listed any more", `!document.querySelector('#variables').textContent.includes('kept')`)
}

// A flood is there in part, its end included, and can be saved whole.
func TestRun_ShowsPartOfAFlood(t *testing.T) {
	p := newTab(t, open, 1280, 800)
	p.enter()
	p.run("for i in range(20_000): print('line', i)", "ok")
	out := p.output()
	p.wants("the output", out, "line 0\n", "line 19999", "lines not shown", "Save all of it")
	if n := strings.Count(out, "line "); n > 6000 {
		t.Errorf("%d lines are shown", n)
	}
	if n := eval[int](p, last+`.querySelectorAll('*').length`); n > 500 {
		t.Errorf("they are %d elements", n)
	}
}

// Everything that a person needs works without a mouse.
func TestRun_WithTheKeyboardAlone(t *testing.T) {
	p := newTab(t, open, 1280, 800)
	p.enter()
	p.press("for n in (1, 2):\rprint(n * 21")
	p.press(kb.Enter, chromedp.ModifierCtrl) // runs, and keeps the code; the bracket was closed by the editor
	p.until("a cell is there", last)
	p.ends("ok")
	p.wants("the output", p.output(), "21\n42")
	p.wants("the editor", p.text(`document.querySelector('.cm-content')`), "    print(n * 21)")
	p.press("a", chromedp.ModifierCtrl)
	p.press(kb.Delete)
	p.press(kb.ArrowUp)
	p.wants("what was run before", p.text(`document.querySelector('.cm-content')`), "for n in (1, 2):")
	p.press(kb.Enter, chromedp.ModifierShift)
	p.until("a second cell is there", cells+".length === 2")
	p.ends("ok")
	// Tab indents; after Escape it leaves the editor.
	p.press(kb.Tab)
	if !eval[bool](p, `document.activeElement.matches('.cm-content')`) {
		t.Error("Tab leaves the editor")
	}
	p.press(kb.Escape)
	p.press(kb.Tab)
	if got := eval[string](p, `document.activeElement.id`); got != "run-button" {
		t.Errorf("Escape and Tab lead to %q", got)
	}
	p.press(kb.F1)
	p.until("the help is there", `document.querySelector('dialog[open]')?.innerText.includes('Shift')`)
	p.press(kb.Escape)
	p.until("the help is gone", `!document.querySelector('dialog')`)
}
