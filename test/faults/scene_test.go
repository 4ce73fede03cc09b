package faults_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"
)

const (
	// patience is how long any client of a scene may wait in all.
	patience = 90 * time.Second
	// prompt is how long /health may take, whatever is broken.
	prompt = time.Second
	// works is how long after the fault's end a new session may take to work.
	works = 15 * time.Second
	// cleared is how long after the fault's end containers may be left that are nobody's.
	cleared = 40 * time.Second
)

const (
	idle state = iota
	executing
	streaming
	creating
	resetting
	states
)

// state is what a session is at when the fault comes.
type state int

func (s state) String() string {
	return [states]string{"idle", "executing", "streaming", "creating", "resetting"}[s]
}

// scene is a session in every state, each with its client, and one that nobody touches.
type scene struct {
	t      *testing.T
	ctx    context.Context
	d      *daemon
	fault  fault
	prefix string
	began  time.Time // the fault; immutable once struck is closed
	struck chan struct{}

	creating, resetting *hold
	uids                map[string]string // of the sessions that are there
	made                string            // the container of the session that is being created
	answers             [states]chan *told
	undo                func()     // ends the fault
	conns               []net.Conn // that the fault opened
}

var sceneNumber int

// newScene sets everything up, up to the fault.
func newScene(t *testing.T, d *daemon, f fault) *scene {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 4*time.Minute)
	t.Cleanup(cancel)
	sceneNumber++
	s := &scene{t: t, ctx: ctx, d: d, fault: f, prefix: fmt.Sprintf("s%d-", sceneNumber), uids: map[string]string{}, struck: make(chan struct{})}
	for i := range s.answers {
		s.answers[i] = make(chan *told, 1)
	}
	t.Cleanup(func() {
		if t.Failed() { // and the next scene is not to pay for it
			d.call(context.WithoutCancel(ctx), http.MethodPost, "/reset", struct{}{})
		}
	})
	for _, name := range []string{"bystander", "idle", "executing", "streaming", "resetting"} {
		a := d.execute(ctx, request{Session: s.prefix + name, Code: "import os\nkept = 41\nprint(os.getuid(), end='')"})
		if ending, cause := a.ending(); ending != "ok" {
			t.Fatalf("set up %s: %s: %s", name, ending, cause)
		}
		s.uids[name] = a.Stdout
	}
	awaitContainers(t, ctx, d, 5, time.Now().Add(works), "--filter", "status=running") // the pool is full, and starts nothing that could be held
	before, err := rig.engine.containers(ctx, d.owner())
	if err != nil {
		t.Fatal(err)
	}
	s.resetting = rig.proxy.hold(http.MethodDelete, "", false)
	at := "/start"
	if f.create {
		at = "/create"
	}
	s.creating = rig.proxy.hold(http.MethodPost, at, f.started)
	go s.create()
	s.arrives("creation", s.creating)
	after, err := rig.engine.containers(ctx, d.owner())
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range after {
		if !slices.Contains(before, id) {
			s.made = id
		}
	}
	go s.reset()
	s.arrives("reset", s.resetting)
	go s.execute()
	begun := make(chan struct{})
	go s.stream(begun)
	select {
	case <-begun:
	case <-time.After(works):
		t.Fatal("the stream did not begin")
	}
	for d.call(ctx, http.MethodGet, "/v1/sessions/"+s.prefix+"executing", nil).State != "busy" {
		time.Sleep(10 * time.Millisecond) // nothing else tells of it before its end
	}
	return s
}

func (s *scene) arrives(what string, h *hold) {
	s.t.Helper()
	select {
	case <-h.arrived:
	case <-time.After(works):
		s.t.Fatalf("the %s did not come to the engine", what)
	}
}

// strikes notes that the fault is there, and lets go what was held.
func (s *scene) strikes() {
	s.creating.release()
	s.resetting.release()
	go s.ask()
}

// play is the whole of a scene: the fault comes, lasts and goes, every client is told what it should be, and nothing is left.
func (s *scene) play() {
	t, f := s.t, s.fault
	t.Helper()
	over := make(chan struct{})
	var watching sync.WaitGroup
	var longest time.Duration
	var failed string
	watching.Go(func() { longest, failed = s.watch(over) })
	s.began = time.Now()
	close(s.struck)
	if err := f.begin(s); err != nil {
		t.Fatalf("the fault: %v", err)
	}
	s.strikes()
	if f.lasts > 0 {
		<-time.After(f.lasts) // so long it is broken
	}
	if f.end != nil {
		if err := f.end(s); err != nil {
			t.Fatalf("the fault's end: %v", err)
		}
	}
	ended := time.Now()
	s.recovers(ended)
	for of, c := range f.cells {
		s.check(state(of), c, <-s.answers[of], ended)
	}
	close(over)
	watching.Wait()
	if failed != "" || longest > prompt {
		t.Errorf("health: the longest answer took %s, which may take %s; failed: %q", longest, prompt, failed)
	}
	s.untouched()
	for _, name := range []string{"bystander", "idle", "executing", "streaming", "creating"} {
		if a := s.d.call(s.ctx, http.MethodDelete, "/v1/sessions/"+s.prefix+name, nil); a.Status != http.StatusNoContent {
			t.Errorf("reset %s: %+v", name, a)
		}
	}
	s.awaitContainers(0, ended.Add(cleared))
	t.Logf("health within %s; all told and cleared %s after the fault began", longest.Round(time.Millisecond), time.Since(s.began).Round(100*time.Millisecond))
}

// each does something to the containers of all sessions but the bystander's.
func (s *scene) each(do func(id string) error) error {
	for _, name := range []string{"idle", "executing", "streaming"} {
		id, err := s.container(name)
		if err == nil {
			err = do(id)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if id, err := s.container("resetting"); err == nil {
		_ = do(id) // it may have ended: it was told to
	}
	return do(s.made)
}

// container is the id of the container of a session of the scene.
func (s *scene) container(name string) (string, error) {
	found, err := rig.engine.containers(s.ctx, "org.fastpyrepl.uid="+s.uids[name])
	if err == nil && len(found) != 1 {
		err = fmt.Errorf("%d containers have the uid of %s", len(found), name)
	}
	if err != nil {
		return "", err
	}
	return found[0], nil
}
