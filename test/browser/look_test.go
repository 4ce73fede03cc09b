package browser_test

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// tour leaves something of everything on the page.
const tour = `import pandas as pd

print("\x1b[32mfour of eight:\x1b[0m")
planets = pd.DataFrame({"planet": ["Mercury", "Venus", "Earth", "Mars"], "radius_km": [2439.7, 6051.8, 6371.0, 3389.5], "moons": [0, 0, 1, 2]})
planets`

const sines = `import numpy as np, matplotlib.pyplot as plt

x = np.linspace(0, 4 * np.pi, 400)
plt.figure(figsize=(6, 1.8))
for k in range(1, 4):
    plt.plot(x, np.sin(k * x) / k, label=f"sin({k}x)/{k}")
plt.legend()
plt.show()`

const failure = `def mean(values):
    return sum(values) / len(values)

mean([])`

// contrasts are the least readable texts on the page: what they say, and the ratio of WCAG 2.
const contrasts = `(() => {
	const context = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
	const over = (layers) => {
		context.clearRect(0, 0, 1, 1);
		for (const colour of layers) { context.fillStyle = colour; context.fillRect(0, 0, 1, 1); }
		return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
	};
	const luminance = (rgb) => {
		const [r, g, b] = rgb.map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
		return 0.2126 * r + 0.7152 * g + 0.0722 * b;
	};
	const all = [];
	const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	for (let node; (node = walker.nextNode());) {
		const el = node.parentElement;
		if (!node.data.trim() || !el.checkVisibility({ opacityProperty: true, visibilityProperty: true }) || el.closest('.unseen, [disabled]')) continue;
		const layers = [];
		for (let up = el; up; up = up.parentElement) layers.unshift(getComputedStyle(up).backgroundColor);
		layers.unshift(getComputedStyle(document.documentElement).colorScheme === 'dark' ? 'black' : 'white');
		const [front, back] = [over([...layers, getComputedStyle(el).color]), over(layers)].map(luminance);
		const ratio = (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05);
		if (ratio < 4.5) all.push(node.data.trim().slice(0, 40) + ': ' + ratio.toFixed(2));
	}
	return all;
})()`

func (p *tab) readable() {
	p.t.Helper()
	if faint := eval[[]string](p, contrasts); len(faint) > 0 {
		p.t.Errorf("hard to read: %q", faint)
	}
}

// fits checks that nothing is wider than the window, and that what one touches is large enough.
func (p *tab) fits(least int) {
	p.t.Helper()
	wide := eval[[]string](p, `[document.documentElement, document.body, ...document.querySelectorAll('.app > *, .regions > *, #transcript, .cell, .cell-outputs > *, dialog')]
		.filter((el) => el.checkVisibility() && Math.round(el.getBoundingClientRect().right) > innerWidth || el === document.documentElement && el.scrollWidth > innerWidth)
		.map((el) => (el.className || el.tagName) + ' ' + el.getBoundingClientRect().right)`)
	if len(wide) > 0 {
		p.t.Errorf("wider than the window: %q", wide)
	}
	small := eval[[]string](p, fmt.Sprintf(`[...document.querySelectorAll('button:not(.link), .icon-button, a.icon-button')].filter((el) => el.checkVisibility({ opacityProperty: true })).map((el) => [el, el.getBoundingClientRect()])
		.filter(([el, box]) => box.height > 0 && box.height < %d).map(([el, box]) => (el.getAttribute('aria-label') || el.textContent) + ' ' + box.height)`, least))
	if len(small) > 0 {
		p.t.Errorf("too small to touch: %q", small)
	}
}

func TestLook_LightAndDark(t *testing.T) {
	p := newTab(t, open, 1280, 800)
	p.name = "planets"
	p.enter()
	p.shot("welcome")
	p.readable()
	p.run(tour, "ok")
	p.run(sines, "ok")
	p.until("the picture is loaded", `document.querySelector('img.picture').complete`)
	p.until("what it uses is listed", row(p.session())+`.querySelector('.about').textContent.includes('CPU')`)
	p.until("variables are listed", `document.querySelector('#variables table')`)
	p.write("for k in range(3):\n    print(f\"{k}: {np.sin(k):.3f}\")  # one a line")
	p.readable()
	p.fits(20)
	p.shot("light")
	p.press("a", chromedp.ModifierCtrl)
	p.press(kb.Delete)
	p.run(failure, "error")
	p.dark()
	p.readable()
	p.shot("dark")
	// Somebody's choice counts more than the system's, and is kept.
	p.click("#theme-button")
	if got := eval[string](p, `getComputedStyle(document.documentElement).colorScheme`); got != "light" {
		t.Errorf("the scheme that was chosen is %q", got)
	}
	p.do(chromedp.Reload())
	p.until("the editor is there", `document.activeElement.matches('.cm-content')`)
	if got := eval[string](p, `getComputedStyle(document.documentElement).colorScheme`); got != "light" {
		t.Errorf("the scheme after a reload is %q", got)
	}
}

func TestLook_OnAPhone(t *testing.T) {
	p := newTab(t, open, 390, 844)
	p.do(chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile, chromedp.EmulateTouch))
	p.enter()
	p.fits(40)
	p.shot("phone-welcome")
	p.run(tour, "ok")
	p.run(sines, "ok")
	p.run(failure, "error")
	p.until("the picture is loaded", `document.querySelector('img.picture').complete`)
	p.fits(24)
	p.readable()
	p.shot("phone")
	for _, view := range []string{"variables", "files", "sessions"} {
		p.click(".views [data-show=" + view + "]")
		shown := eval[[]string](p, `['.work', '#sessions', '#side'].filter((name) => document.querySelector(name).checkVisibility())`)
		if len(shown) != 1 {
			t.Errorf("%s shows %q", view, shown)
		}
		p.until("something is in it", map[string]string{
			"variables": `document.querySelector('#variables').firstChild`, "files": `document.querySelector('#files li')`, "sessions": row(p.session()),
		}[view])
		p.fits(32)
		p.shot("phone-" + view)
	}
	p.dark()
	p.click(".views [data-show=code]")
	p.readable()
	p.shot("phone-dark")
}
