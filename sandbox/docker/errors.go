package docker

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/containerd/errdefs"

	"github.com/gjyotin305/fastpyrepl/sandbox"
)

// engineError says to a caller that the engine failed, and to the log how.
func engineError(op string, err error) error {
	if code := sandbox.ErrorCode(err); code != "" {
		return fmt.Errorf("%s: %w", op, err)
	}
	message := "the container engine failed: " + op
	if errors.Is(err, context.DeadlineExceeded) {
		message = "the container engine did not answer in time: " + op
	}
	return &sandbox.Error{Code: sandbox.CodeEngine, Message: message, Err: err}
}

// unreachable says that no engine answers at host, and what to do about it.
func unreachable(host string, err error) error {
	remedy := `install one with "apt-get install docker.io", or run "make up"`
	if errors.Is(err, fs.ErrPermission) {
		remedy = "run as root or as a member of the group docker"
	}
	return &sandbox.Error{
		Code:    sandbox.CodeEngine,
		Message: fmt.Sprintf("no container engine answers at %s, and code never runs without one: %s", host, remedy),
		Err:     err,
	}
}

// answered tells whether err is the engine's own answer: a request that failed in any other way may still have had
// its effect.
func answered(err error) bool {
	return errdefs.IsInvalidArgument(err) || errdefs.IsNotFound(err) || errdefs.IsConflict(err) ||
		errdefs.IsPermissionDenied(err) || errdefs.IsUnauthorized(err) || errdefs.IsInternal(err)
}

// detached bounds work that must be done also when the request that led to it was cancelled. A deadline that ctx still
// has ahead of it is kept.
func detached(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	if deadline, ok := ctx.Deadline(); ok {
		if left := time.Until(deadline); left > 0 {
			limit = min(limit, left)
		}
	}
	return context.WithTimeout(context.WithoutCancel(ctx), limit)
}
