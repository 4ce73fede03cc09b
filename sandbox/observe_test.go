package sandbox_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/gjyotin305/fastpyrepl/sandbox/sandboxtest"
	"github.com/gjyotin305/fastpyrepl/sandbox/wire"
)

// tally is an Observer that counts.
type tally struct {
	mu       sync.Mutex
	counts   map[string]int
	accounts []sandbox.Account
}

func (o *tally) add(what string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.counts == nil {
		o.counts = map[string]int{}
	}
	o.counts[what]++
}

func (o *tally) SessionStarted(warm bool, took time.Duration, err error) {
	if took <= 0 || took > time.Minute {
		o.add(fmt.Sprint("took ", took))
	}
	o.add(fmt.Sprintf("started warm=%t %s", warm, sandbox.ErrorCode(err)))
}

func (o *tally) SessionEnded(why sandbox.EndReason) { o.add("ended " + string(why)) }

func (o *tally) ExecutionEnded(a sandbox.Account) {
	o.add("execution " + string(a.Outcome))
	o.mu.Lock()
	defer o.mu.Unlock()
	o.accounts = append(o.accounts, a)
}

func (o *tally) FilesMoved(in, out int64) { o.add(fmt.Sprintf("files %d in, %d out", in, out)) }

func (o *tally) saw(t *testing.T, want map[string]int) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	if !maps.Equal(o.counts, want) {
		t.Errorf("got %v, want %v", o.counts, want)
	}
	o.counts = nil
}

func TestObserver_HearsOfSessions(t *testing.T) {
	m, rt := newManager(t, poolConfig(1, 1), sandboxtest.Script(map[string]func(*sandboxtest.Call){
		"fail": func(c *sandboxtest.Call) { c.Done(wire.DoneMessage{Outcome: "error", StateKept: true}) },
	}))
	o := &tally{}
	m.Observe(o)
	restore(t, m)
	eventually(t, "one waits", func() bool { return m.Stats().Warm == 1 })
	brief := 50 * time.Millisecond
	if _, err := m.Create(t.Context(), key("warm"), sandbox.Request{Session: sandbox.SessionOptions{TTL: &brief}}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it has expired", func() bool { return len(m.Sessions(everybody)) == 0 })
	o.saw(t, map[string]int{"started warm=true ": 1, "ended expired": 1})

	if _, err := m.Create(t.Context(), key("cold"), sandbox.Request{Session: sandbox.SessionOptions{Env: map[string]string{"A": "b"}}}); err != nil {
		t.Fatal(err)
	}
	if err := m.Reset(t.Context(), key("cold")); err != nil {
		t.Fatal(err)
	}
	o.saw(t, map[string]int{"started warm=false ": 1, "ended reset": 1})

	e, err := m.Execute(t.Context(), key("lost"), sandbox.Request{Code: "x", Session: sandbox.SessionOptions{Env: map[string]string{"A": "b"}}})
	if err != nil {
		t.Fatal(err)
	}
	wait(t, e)
	for _, in := range instances(rt) {
		if in.Spec().Env != nil {
			rt.Kill(in, 1)
		}
	}
	eventually(t, "it is lost", func() bool { return len(m.Sessions(everybody)) == 0 })
	o.saw(t, map[string]int{"started warm=false ": 1, "execution ok": 1, "ended lost": 1})

	if _, err := m.Create(t.Context(), key("setup"), sandbox.Request{SetupCode: "fail", Session: sandbox.SessionOptions{Env: map[string]string{"A": "b"}}}); err == nil {
		t.Error("its setup code did not fail")
	}
	o.saw(t, map[string]int{"started warm=false ": 1, "execution error": 1, "ended setup": 1})

	rt.OnStart = func(context.Context, sandbox.Spec) error { return errors.New("no") }
	if _, err := m.Create(t.Context(), key("never"), sandbox.Request{Session: sandbox.SessionOptions{Env: map[string]string{"A": "b"}}}); err == nil {
		t.Error("it started")
	}
	o.saw(t, map[string]int{"started warm=false engine": 1})
}

// What an execution took is told before its result is: who has the answer finds it counted.
func TestObserver_HearsOfExecutions(t *testing.T) {
	m, _ := newManager(t, testConfig(), sandboxtest.Script(map[string]func(*sandboxtest.Call){
		"hang": hang,
		"oom": func(c *sandboxtest.Call) {
			c.Send(wire.Stdout, []byte("abc"))
			c.Send(wire.Stderr, []byte("de"))
			c.Done(wire.DoneMessage{Outcome: "oom", Duration: 0.25})
		},
	}))
	o := &tally{}
	m.Observe(o)
	first, err := m.Execute(t.Context(), key("a"), sandbox.Request{Code: "hang"})
	if err != nil {
		t.Fatal(err)
	}
	second, err := m.Execute(t.Context(), key("a"), sandbox.Request{Code: "oom"})
	if err != nil {
		t.Fatal(err)
	}
	if queued, began := second.Times(); queued.IsZero() || !began.IsZero() {
		t.Errorf("one that waits was queued %v, and began %v", queued, began)
	}
	if err := first.Interrupt(); err != nil {
		t.Fatal(err)
	}
	wait(t, second)
	o.saw(t, map[string]int{"started warm=false ": 1, "execution interrupted": 1, "execution oom": 1})
	queued, began := second.Times()
	want := sandbox.Account{Outcome: sandbox.OutcomeOOM, Ran: 250 * time.Millisecond, Queued: began.Sub(queued), Stdout: 3, Stderr: 2}
	if got := o.accounts[1]; got != want || got.Queued <= 0 {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if err := m.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	o.saw(t, map[string]int{"ended shutdown": 1})
}

// An engine that cannot start what the pool asks for makes nobody wait, but those who look have to see it.
func TestStats_TellsOfAPoolThatFails(t *testing.T) {
	m, rt := newManager(t, poolConfig(1, 1), nil)
	rt.OnStart = func(context.Context, sandbox.Spec) error { return errors.New("no") }
	restore(t, m)
	eventually(t, "a start has failed", func() bool { return m.Stats().WarmFailures > 0 })
	if s := m.Stats(); s.Warm != 0 || s.WarmTarget != 1 || s.MaxSessions != 4 {
		t.Errorf("got %+v", s)
	}
}

// A container that was started before Restore has looked would be taken for a leftover.
func TestPool_WaitsForRestore(t *testing.T) {
	m, rt := newManager(t, poolConfig(1, 1), nil)
	m.SetConfig(poolConfig(2, 2)) // fills the pool
	if n := rt.Started(); n != 0 {
		t.Errorf("%d containers were started", n)
	}
	restore(t, m)
	eventually(t, "two wait", func() bool { return m.Stats().Warm == 2 })
}

type valueKey struct{}

// Who traces a request knows its engine calls by the values of its context. Its end does not end the start.
func TestManager_AStartHasTheValuesOfItsRequest(t *testing.T) {
	m, rt := newManager(t, testConfig(), nil)
	saw := make(chan any, 1)
	release := make(chan struct{})
	rt.OnStart = func(ctx context.Context, _ sandbox.Spec) error {
		saw <- ctx.Value(valueKey{})
		<-release
		return ctx.Err()
	}
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), valueKey{}, "trace"))
	done := make(chan error, 1)
	go func() {
		_, err := m.Execute(ctx, key("a"), sandbox.Request{Code: "x"})
		done <- err
	}()
	if got := <-saw; got != "trace" {
		t.Errorf("got %v", got)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(release)
	if r := run(t, m, "a", "y"); r.Stdout != "y" {
		t.Errorf("got %+v", r)
	}
}

func TestObserver_HearsOfTheBytesOfFiles(t *testing.T) {
	cfg := testConfig()
	cfg.Files = sandbox.FilesConfig{MaxUpload: 1 << 10, Transfers: 1}
	m, _ := newManager(t, cfg, nil)
	o := &tally{}
	m.Observe(o)
	run(t, m, "a", "x")
	files, err := m.Files(t.Context(), key("a"))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := files.Write(t.Context(), "f", strings.NewReader("123456"), sandbox.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	first := int64(1)
	r, err := files.Open(t.Context(), "f", &sandbox.FileRange{First: &first})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, r); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := files.List(t.Context(), "", sandbox.ListOptions{}); err != nil {
		t.Fatal(err)
	}
	o.saw(t, map[string]int{"started warm=false ": 1, "execution ok": 1, "files 6 in, 0 out": 1, "files 0 in, 5 out": 1})
}
