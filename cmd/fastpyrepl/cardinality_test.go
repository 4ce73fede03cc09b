package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gjyotin305/fastpyrepl/daemon"
)

// Nothing that a client sends becomes a label: what it names, asks for or is called leaves no series behind, and so nobody
// can fill the daemon's memory, or read another's names out of its metrics.
func TestWalk_MetricsDoNotGrowWithWhatClientsSend(t *testing.T) {
	w := newWalk(t)
	word := func() string { return fmt.Sprintf("word%d", rand.Uint64()) }
	traffic := func() {
		for range 3 {
			for _, r := range w.routes() {
				if r.Method == http.MethodDelete || strings.HasSuffix(r.Path, "/events") || r.Path == "/reset" || r.Path == "/v1/sessions/:id/channel" {
					continue // these end ann's work, or do not end
				}
				id := word()
				q := to(r, id, id).add("X-Request-ID: "+word(), "traceparent: "+word(), "User-Agent: "+word(), "X-"+word()+": x")
				w.send(t, q)
				w.send(t, q.add("X-API-Key: "+word()))
				w.send(t, q.add("X-API-Key: "+w.bob))
				w.send(t, q.add("X-API-Key: "+w.bob, "Idempotency-Key: "+word()))
				w.send(t, q.add("Host: "+word()))
				q.path += "/" + word() + "?" + word() + "=" + word()
				w.send(t, q.add("X-API-Key: "+w.bob))
				q.method = strings.ToUpper(word())
				w.send(t, q.add("X-API-Key: "+w.bob))
			}
			w.send(t, to(daemon.Route{Method: "POST", Path: "/execute"}, "", "").with(fmt.Sprintf(`{"code":%q}`, word())).add("X-API-Key: "+w.bob))
			w.send(t, to(daemon.Route{Method: "POST", Path: "/v1/sessions"}, "", "").with(fmt.Sprintf(`{"image":%q}`, word())).add("X-API-Key: "+w.bob))
			w.send(t, to(daemon.Route{Method: "POST", Path: "/reset"}, "", "").with(`{}`).add("X-API-Key: "+w.bob)) // or there would be no room
		}
	}
	names := func() (all []string) {
		text, _, err := w.metrics.Scrape()
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if name, _, ok := strings.Cut(line, " "); ok && !strings.HasPrefix(line, "#") {
				all = append(all, name)
			}
		}
		slices.Sort(all)
		return all
	}
	traffic()
	before := names()
	traffic()
	after := names()
	if !slices.Equal(before, after) {
		t.Errorf("there were %d series, and are %d", len(before), len(after))
	}
	for _, secret := range []string{"word", `"ann"`, `"bob"`, w.session, w.execution} {
		if i := slices.IndexFunc(after, func(name string) bool { return strings.Contains(name, secret) }); i >= 0 {
			t.Errorf("a series tells %s: %s", secret, after[i])
		}
	}
	if len(after) > 1000 {
		t.Errorf("there are %d series", len(after))
	}
}
