package ops

import (
	"context"
	"fmt"

	"github.com/gjyotin305/fastpyrepl/sandbox"
)

// EngineCheck asks whether the container engine answers.
func EngineCheck(ping func(context.Context) error) Check {
	return asked("engine", "answers", "the container engine does not answer", ping)
}

// ImageCheck asks whether the image that sessions are made from is there.
func ImageCheck(there func(context.Context) error) Check {
	return asked("image", "is there", "the image of sessions is not there, or the engine cannot say", there)
}

// StateCheck asks whether what has to outlive the daemon can be written.
func StateCheck(writable func() error) Check {
	return asked("state", "can be written", "the state directory cannot be written to, or lacks what could not be: no session can be begun that outlives the daemon",
		func(context.Context) error { return writable() })
}

func asked(name, well, wrong string, ask func(context.Context) error) Check {
	return Check{Name: name, Look: func(ctx context.Context) (string, error) {
		if err := ask(ctx); err != nil {
			return wrong, err
		}
		return well, nil
	}}
}

// PoolCheck looks whether sessions find containers that wait. A pool that is empty because it is in demand is well; one for
// which none can be started is not.
func PoolCheck(stats func() sandbox.Stats) Check {
	return Check{Name: "pool", Look: func(context.Context) (string, error) {
		s := stats()
		switch {
		case s.WarmTarget == 0:
			return "is off", nil
		case s.Warm == 0 && s.WarmFailures > 0:
			return "no container waits, and none can be started", fmt.Errorf("%d starts in a row failed", s.WarmFailures)
		}
		return fmt.Sprintf("%d of %d containers are ready", s.Warm, s.WarmTarget), nil
	}}
}
