package rest

import (
	"context"
	"math"
	"sync/atomic"
	"time"

	"github.com/gjyotin305/fastpyrepl/daemon"
	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/gofiber/fiber/v2"
)

// Manager is the subset of sandbox.Manager that this package uses.
type Manager interface {
	daemon.Manager
	Execution(owner, id string) (*sandbox.Execution, error)
	Session(key sandbox.Key) (sandbox.Info, error)
	Sessions(mine func(owner string) bool) []sandbox.Info
	Usage(ctx context.Context, key sandbox.Key) (sandbox.Usage, error)
	Background(key sandbox.Key) (sandbox.Feed, error)
	Complete(ctx context.Context, key sandbox.Key, code string, cursor int) (sandbox.Completion, error)
	IsComplete(ctx context.Context, key sandbox.Key, code string) (sandbox.Completeness, error)
	Inspect(ctx context.Context, key sandbox.Key, code string, cursor int) (sandbox.Inspection, error)
	Variables(ctx context.Context, key sandbox.Key) (sandbox.Variables, error)
	Files(ctx context.Context, key sandbox.Key) (*sandbox.Files, error)
}

// Limits bound what a request may hold, so that one is refused by its field before it is decoded.
type Limits struct {
	MaxCode    int64         // bytes of code, and of setup code
	MaxContext int64         // bytes of context, decoded
	Timeout    time.Duration // of a request that asks for none
	MaxTimeout time.Duration

	MaxStdout, MaxStderr, MaxDisplay, MaxLocals, MaxLocalsValue int64 // bytes
	MaxEvents                                                   int64

	MaxList            int // entries of one listing of files
	Session            sandbox.Ceilings
	MaxTTL, MaxIdleTTL time.Duration // of a session; 0 is for ever
}

// Handler serves the routes. It is safe for concurrent use.
type Handler struct {
	manager Manager
	limits  atomic.Pointer[Limits]
}

// New makes a Handler for the sessions of m.
func New(m Manager, l Limits) *Handler {
	h := &Handler{manager: m}
	h.SetLimits(l)
	return h
}

// SetLimits changes the limits for requests from now on.
func (h *Handler) SetLimits(l Limits) { h.limits.Store(&l) }

// HealthResponse is what GET /health answers.
type HealthResponse struct {
	Status string `json:"status"`
}

func health(c *fiber.Ctx) error {
	return daemon.WriteJSON(c, HealthResponse{Status: "PYTHON REPL ACTIVE"})
}

// seconds converts what a client asked for. It rounds up, so that what is above 0 stays above it.
func seconds(s float64) time.Duration { return time.Duration(math.Ceil(s * float64(time.Second))) }
