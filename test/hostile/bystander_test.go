package hostile_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

const (
	settleTime = 15 * time.Second // for the daemon to let go of what an attack made it hold
	// engineIdle are connections that the engine's client keeps for the next call. It opens them as it needs them, up to this many.
	engineIdle = 6
)

// beside runs an attack and demands of the daemon, and of the bystander, that it makes no difference to them.
func (w *world) beside(t *testing.T, attack func()) {
	t.Helper()
	over, watched := make(chan struct{}), make(chan error, 1)
	go func() { watched <- w.watch(context.WithoutCancel(t.Context()), over) }()
	func() {
		defer func() {
			close(over)
			if err := <-watched; err != nil {
				t.Error("during the attack:", err)
			}
		}()
		attack()
	}()
	w.settles(t)
}

// watch asks the bystander again and again until the attack is over, and at least once.
func (w *world) watch(ctx context.Context, over <-chan struct{}) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		if err := w.askBystander(ctx); err != nil {
			return err
		}
		select {
		case <-over:
			return nil
		case <-tick.C:
		}
	}
}

// askBystander demands a prompt answer from a session that has lost nothing.
func (w *world) askBystander(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	a, err := w.execute(ctx, request{Session: "bystander", Code: "print(mine, pipe())\n1+1", Create: new(false)})
	if err != nil {
		return fmt.Errorf("the bystander: %w", err)
	}
	w.answered++
	switch {
	case a.ending() != "ok" || a.Stdout != "untouched 65536\n" || a.Result["text/plain"] != "2":
		return fmt.Errorf("the bystander's answer is %+v", a)
	case a.ExecutionCount != w.answered || a.StateLostAt != 0:
		return fmt.Errorf("the bystander's session has run %d cells, not %d", a.ExecutionCount, w.answered)
	case a.Took > prompt:
		return fmt.Errorf("the bystander waited %s for 1+1, which may take %s", a.Took, prompt)
	}
	return nil
}

// settles demands that the daemon answers, and waits until it holds only what it did before any attack.
func (w *world) settles(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), settleTime)
	defer cancel()
	if a, err := w.call(ctx, "GET", "/health", nil); err != nil || a.Status != 200 || a.Took > prompt {
		t.Errorf("health: %+v, %v", a, err)
	}
	if err := w.askBystander(ctx); err != nil {
		t.Error("after the attack:", err)
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		held := w.holds(ctx)
		if held == "" {
			return
		}
		select {
		case <-ctx.Done():
			t.Errorf("%s after the attack %s", settleTime, held)
			return
		case <-tick.C:
		}
	}
}

const poolNotFull = "the pool is not what it is at rest"

// holds says what the daemon holds beyond the bystander's session; "" is nothing.
func (w *world) holds(ctx context.Context) string {
	instances, err := w.rt.List(ctx)
	if err != nil {
		return err.Error()
	}
	if len(w.prepared) == 0 {
		return "the session of the next attack is not there"
	}
	if stats := w.manager.Stats(); stats.Warm != 1 || stats.WarmStarting != 0 {
		return poolNotFull
	}
	if len(instances) != 3 { // and the bystander's
		return fmt.Sprintf("there are %d containers, 2 sessions, and one container in the pool", len(instances))
	}
	if files := openFiles(); files > w.files+engineIdle {
		return fmt.Sprintf("%d files are open, %d were before", files, w.files)
	}
	if stacks := goroutines(); len(stacks) > w.goroutines {
		return fmt.Sprintf("there are %d goroutines, %d were before:\n%s", len(stacks), w.goroutines, strings.Join(stacks, "\n\n"))
	}
	return ""
}

// goroutines are the stacks of those that do something: the tests' own, and the idle ones that libraries keep for the next connection, are
// left out.
func goroutines() []string {
	buf := make([]byte, 4<<20)
	buf = buf[:runtime.Stack(buf, true)]
	var stacks []string
	for _, stack := range strings.Split(string(buf), "\n\n") {
		_, frames, _ := strings.Cut(stack, "\n")
		switch {
		case strings.Contains(stack, "\ntesting."), strings.Contains(stack, "hostile_test.run("), strings.Contains(stack, "hostile_test.(*world).watch"):
		case strings.HasPrefix(frames, "github.com/valyala/fasthttp.(*workerPool).workerFunc"):
		case strings.Contains(frames, "net/http.(*persistConn)."):
		default:
			stacks = append(stacks, stack)
		}
	}
	return stacks
}

// openFiles counts the open files of this process.
func openFiles() int {
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		panic(err)
	}
	return len(files)
}
