package sandbox

import (
	"testing"

	"github.com/google/uuid"

	"github.com/gjyotin305/fastpyrepl/sandbox/wire"
)

// A session may end between the supervisor's word on what it has kept and its being heard.
func TestKeep_OfASessionThatHasEnded(t *testing.T) {
	for _, running := range []bool{true, false} {
		s := &Session{observer: unobserved{}, over: true, cause: "it was reset"}
		e := newExecution(s, Request{}, ExecutionConfig{})
		k := wire.KeptExecution{ID: uuid.NewString(), Running: running}
		e.resume(uuid.MustParse(k.ID), k, executionMeta{Timeout: 60})
		s.keep(e, k, func(Resumed) func() { return func() {} })
		select {
		case <-e.done:
			if r := e.result; r.Outcome != OutcomeCancelled || r.Error != "cancelled: it was reset" {
				t.Errorf("got %+v", r)
			}
		default:
			t.Error("it goes on for ever")
		}
		s.wg.Wait() // as who removes the session does
	}
}
