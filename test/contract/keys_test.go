package contract_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gjyotin305/fastpyrepl/daemon"
	"github.com/gjyotin305/fastpyrepl/daemon/auth"
)

// The keys of the locked daemon: one without bounds, an administrator's, and those that are bounded.
var keys = map[string]string{"ann": auth.New(), "root": auth.New(), "slow": auth.New(), "small": auth.New()}

// keySettings tell the daemon of keys.
func keySettings() []string {
	all := []string{
		"FASTPYREPL_AUTH_KEYS_ROOT_ROLE=admin",
		"FASTPYREPL_AUTH_KEYS_ANN_RATE=1000", // so that answers say what is left of it
		"FASTPYREPL_AUTH_KEYS_SLOW_RATE=0.001",
		"FASTPYREPL_AUTH_KEYS_SMALL_MAX_SESSIONS=1", "FASTPYREPL_AUTH_KEYS_SMALL_MAX_EXECUTIONS=1",
	}
	for name, key := range keys {
		hash, err := auth.HashOf(key)
		if err != nil {
			panic(err)
		}
		all = append(all, fmt.Sprintf("FASTPYREPL_AUTH_KEYS_%s_HASH=%s", strings.ToUpper(name), hash))
	}
	return all
}

// keyed is a player of the locked daemon with the key of that name, "" for none.
func keyed(t *testing.T, name string) *player {
	t.Helper()
	p := newPlayer(t, locked)
	p.key = keys[name]
	return p
}

// What works without keys works with one.
func TestKeys_ExamplesWork(t *testing.T) {
	ann, root := keyed(t, "ann"), keyed(t, "root")
	for i := range ann.routes {
		r, p := &ann.routes[i], ann
		if r.Admin {
			ann.refused(t, r, r.Examples[0], "", http.StatusForbidden, "forbidden")
			p = root
		}
		t.Run(r.Method+" "+r.Path, func(t *testing.T) {
			p.begin(t, r.Examples[0])
			if err := p.play(t.Context(), r, r.Examples[0]); err != nil {
				t.Error(err)
			}
		})
	}
	if err := ann.reset(t.Context()); err != nil {
		t.Error(err)
	}
}

// refused sends an example with more of a query, and fails unless the answer is this error, as described.
func (p *player) refused(t *testing.T, r *daemon.Route, e daemon.Example, query string, status int, code string, headers ...string) {
	t.Helper()
	path, header := p.fill(r, e)
	resp, err := p.send(t.Context(), r.Method, path+query, e.Body, header)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.d.checkAnswer(r, resp, string(text)); err != nil || resp.StatusCode != status {
		t.Errorf("%s %s%s: %s, want %d; %v", r.Method, r.Path, query, resp.Status, status, err)
	}
	if daemon.HasProblems(path) && r.Method != http.MethodHead && !strings.Contains(string(text), `"code":"`+code+`"`) {
		t.Errorf("%s %s%s: %s, want the code %s", r.Method, r.Path, query, text, code)
	}
	for _, name := range headers {
		if resp.Header.Get(name) == "" {
			t.Errorf("%s %s%s: no %s", r.Method, r.Path, query, name)
		}
	}
}

// What a key is refused for is described on every route that asks for one; the others ask for none.
func TestKeys_RefusalsOnEveryRoute(t *testing.T) {
	nobody, ann, root, slow := keyed(t, ""), keyed(t, "ann"), keyed(t, "root"), keyed(t, "slow")
	if _, err := slow.status(t.Context(), http.MethodGet, "/v1/sessions", ""); err != nil { // all that it may
		t.Fatal(err)
	}
	for i := range nobody.routes {
		r := &nobody.routes[i]
		if r.Open {
			if err := nobody.play(t.Context(), r, r.Examples[0]); err != nil {
				t.Errorf("%s %s: %v", r.Method, r.Path, err)
			}
			continue
		}
		nobody.refused(t, r, r.Examples[0], "", http.StatusUnauthorized, "unauthorized")
		slow.refused(t, r, r.Examples[0], "", http.StatusTooManyRequests, "rate_limited", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")
		ann.refused(t, r, r.Examples[0], "?owner=root", http.StatusForbidden, "forbidden")
		for _, wrong := range []string{"a%20b", strings.Repeat("a", 129)} {
			root.refused(t, r, r.Examples[0], "?owner="+wrong, http.StatusUnprocessableEntity, "invalid")
		}
	}
}

// An administrator's owner is where an example is played: what one of ann's began is there.
func TestKeys_AdministratorsNameOwners(t *testing.T) {
	ann, root := keyed(t, "ann"), keyed(t, "root")
	if err := ann.reset(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := ann.bringAbout(t.Context(), "hello"); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{
		"/v1/sessions/demo?owner=ann": http.StatusOK,
		"/v1/sessions/demo?owner=":    http.StatusNotFound,
		"/v1/sessions/demo":           http.StatusNotFound,
	} {
		if status, err := root.status(t.Context(), http.MethodGet, path, ""); status != want {
			t.Errorf("%s: %d, %v, want %d", path, status, err, want)
		}
	}
	if err := ann.reset(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestKeys_BoundsOfAKey(t *testing.T) {
	p := keyed(t, "small")
	if err := p.bringAbout(t.Context(), "slow"); err != nil {
		t.Fatal(err)
	}
	for name, code := range map[string]string{"create-any": "too_many_sessions", "hello": "too_many_executions"} {
		r, e := p.example(name)
		p.refused(t, r, e, "", http.StatusTooManyRequests, code)
	}
	if err := p.reset(t.Context()); err != nil {
		t.Error(err)
	}
}
