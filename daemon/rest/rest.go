package rest

import (
	"context"
	"math"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gjyotin305/fastpyrepl/daemon"
	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/gofiber/fiber/v2"
)

// Manager is the subset of sandbox.Manager that this package uses.
type Manager interface {
	Execute(ctx context.Context, key sandbox.Key, req sandbox.Request) (*sandbox.Execution, error)
	Reset(ctx context.Context, key sandbox.Key) error
	ResetAll(ctx context.Context, owner string) error
}

// Limits bound what a request may hold, so that one is refused by its field before it is decoded.
type Limits struct {
	MaxCode    int64 // bytes of code, and of setup code
	MaxContext int64 // bytes of context, decoded
	MaxTimeout time.Duration
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

// Routes is the table of the contract.
func (h *Handler) Routes() []daemon.Route {
	return []daemon.Route{
		{
			Method:  http.MethodGet,
			Path:    "/health",
			Summary: "Tells that the daemon answers",
			Out:     HealthResponse{},
			Handler: health,
		},
		{
			Method:  http.MethodPost,
			Path:    "/execute",
			Summary: "Runs code in a session and answers when it has ended",
			In:      ExecuteRequest{},
			Out:     ExecuteResponse{},
			Errors: []int{
				http.StatusNotFound, http.StatusGone, http.StatusUnprocessableEntity,
				http.StatusTooManyRequests, http.StatusServiceUnavailable,
			},
			Handler: h.execute,
		},
		{
			Method:  http.MethodPost,
			Path:    "/reset",
			Summary: "Ends a session, or all of them, and answers when the containers are gone",
			In:      ResetRequest{},
			Out:     ResetResponse{},
			Errors:  []int{http.StatusUnprocessableEntity, http.StatusServiceUnavailable},
			Handler: h.reset,
		},
	}
}

// HealthResponse is what GET /health answers.
type HealthResponse struct {
	Status string `json:"status"`
}

func health(c *fiber.Ctx) error {
	return daemon.WriteJSON(c, HealthResponse{Status: "PYTHON REPL ACTIVE"})
}

// seconds converts what a client asked for. It rounds up, so that what is above 0 stays above it.
func seconds(s float64) time.Duration { return time.Duration(math.Ceil(s * float64(time.Second))) }
