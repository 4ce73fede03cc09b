package browser_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
)

// The page of the description shows every operation, and sends requests, under its policy and without the internet.
func TestDocs_ShowOperationsAndSendRequests(t *testing.T) {
	p := newTab(t, open, 1280, 800)
	var document struct {
		Paths map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal([]byte(open.call(t, "GET", "/openapi.json", "")), &document); err != nil {
		t.Fatal(err)
	}
	operations := 0
	for _, methods := range document.Paths {
		operations += len(methods)
	}
	p.do(chromedp.Navigate(open.URL + "/docs"))
	p.until("every operation is there", fmt.Sprintf(`document.querySelectorAll('.opblock').length === %d`, operations))
	p.until("its stylesheet is in force", `getComputedStyle(document.querySelector('.opblock-summary-method')).backgroundColor !== 'rgba(0, 0, 0, 0)'`)

	const execute = `[...document.querySelectorAll('.opblock-post')].find((el) => el.querySelector('[data-path="/execute"]'))`
	p.until("one is opened", `(`+execute+`.querySelector('.opblock-summary-control').click(), true)`)
	p.until("it is described", execute+`.querySelector('.opblock-body')?.textContent.includes('session_id')`)
	p.shot("docs")
	p.until("it can be tried", `(`+execute+`.querySelector('.try-out__btn').click(), true)`)
	p.until("it is sent", `(`+execute+`.querySelector('.execute').click(), true)`)
	p.until("the daemon has answered", execute+`.querySelector('.live-responses-table tbody .response-col_status')?.textContent.startsWith('200')`)
	p.wants("the answer", p.text(execute+`.querySelector('.live-responses-table')`), `"outcome": "ok"`)

	p.until("the schemas are opened", `(document.querySelector('section.models .models-control, section.models button')?.click(), true)`)
	p.until("they are listed", `document.querySelectorAll('section.models .model-container, section.models .json-schema-2020-12').length > 5`)

	p.check() // before what is loaded next forgets it
	p.do(chromedp.Navigate(open.URL + "/docs/errors"))
	p.until("the codes of errors are explained", `document.getElementById('not_found')`)
}
