package ops

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// checkTime is how long a check may take. What takes longer is not well.
	checkTime = 2 * time.Second
	// fresh is how long what was found is still true: however many ask, nothing is looked at more often.
	fresh = time.Second
)

// Check looks at one thing that the daemon needs to run code.
type Check struct {
	Name string
	// Look says how it is, in words for anybody; err, where it is not well, is for the log.
	Look func(ctx context.Context) (words string, err error)
}

// Report says how the daemon is.
type Report struct {
	Status Status            `json:"status"`
	Checks map[string]string `json:"checks"` // how each of them is, in words
}

// Status is whether the daemon can run code.
type Status string

const (
	Ready    Status = "ready"
	NotReady Status = "not ready"
	Starting Status = "starting" // it will be; "start" among the checks says what it still does
)

// Health knows whether the daemon can run code. It is safe for concurrent use.
type Health struct {
	startup *Startup
	checks  []Check
	log     *slog.Logger

	mu    sync.Mutex
	at    time.Time       // guarded by mu; when found was looked for
	words []string        // guarded by mu; of each check
	well  map[string]bool // guarded by mu; by name; replaced, never changed
}

// NewHealth makes a Health of checks.
func NewHealth(startup *Startup, checks []Check, log *slog.Logger) *Health {
	h := &Health{startup: startup, checks: checks, log: log}
	h.well = h.unknown()
	return h
}

// unknown is what is known of checks while the daemon starts.
func (h *Health) unknown() map[string]bool {
	well := map[string]bool{}
	for _, c := range h.checks {
		well[c.Name] = false
	}
	return well
}

// Well tells, by the name of each check, whether it is well.
func (h *Health) Well() map[string]bool {
	if h.startup.Now() != "" {
		return h.unknown()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.look()
	return h.well
}

// Report says how the daemon is.
func (h *Health) Report() Report {
	if what := h.startup.Now(); what != "" {
		return Report{Status: Starting, Checks: map[string]string{"start": what}}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.look()
	r := Report{Status: Ready, Checks: map[string]string{}}
	for i, c := range h.checks {
		r.Checks[c.Name] = h.words[i]
		if !h.well[c.Name] {
			r.Status = NotReady
		}
	}
	return r
}

// look needs mu. It looks at everything side by side, unless that was done a moment ago. Changes are logged.
func (h *Health) look() {
	if !h.at.IsZero() && time.Since(h.at) < fresh {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), checkTime) // whoever asked may be gone; others wait for the same
	defer cancel()
	words, errs := make([]string, len(h.checks)), make([]error, len(h.checks))
	var wg sync.WaitGroup
	for i, c := range h.checks {
		wg.Go(func() { words[i], errs[i] = c.Look(ctx) })
	}
	wg.Wait()
	first, well := h.at.IsZero(), map[string]bool{}
	for i, c := range h.checks {
		well[c.Name] = errs[i] == nil
		switch was := first || h.well[c.Name]; {
		case was && errs[i] != nil:
			h.log.Warn("not ready", "check", c.Name, "state", words[i], "err", errs[i])
		case !was && errs[i] == nil:
			h.log.Info("ready again", "check", c.Name)
		}
	}
	h.at, h.words, h.well = time.Now(), words, well
}

// Startup is what the daemon does before it serves. The zero one has been done.
type Startup struct{ what atomic.Pointer[string] }

// Step says what is done now, in words for anybody; "" when all is.
func (s *Startup) Step(what string) { s.what.Store(&what) }

// Now is what is done now, "" when all is.
func (s *Startup) Now() string {
	if what := s.what.Load(); what != nil {
		return *what
	}
	return ""
}
