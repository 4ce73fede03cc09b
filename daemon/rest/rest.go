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
	daemon.Manager
	Execution(owner, id string) (*sandbox.Execution, error)
	Session(key sandbox.Key) (sandbox.Info, error)
	Sessions(mine func(owner string) bool) []sandbox.Info
	Usage(ctx context.Context, key sandbox.Key) (sandbox.Usage, error)
	Extend(key sandbox.Key, ttl, idle *time.Duration) (sandbox.Info, error)
	Interrupt(key sandbox.Key) error
	Background(key sandbox.Key) (sandbox.Feed, error)
}

// Limits bound what a request may hold, so that one is refused by its field before it is decoded.
type Limits struct {
	MaxCode    int64 // bytes of code, and of setup code
	MaxContext int64 // bytes of context, decoded
	MaxTimeout time.Duration

	MaxStdout, MaxStderr, MaxDisplay, MaxLocals int64 // bytes

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

// Routes is the table: the contract, and what goes beyond it under /v1.
func (h *Handler) Routes() []daemon.Route {
	return append(h.contract(), h.resources()...)
}

// contract is the table of fastpyrepl's own routes.
func (h *Handler) contract() []daemon.Route {
	return []daemon.Route{
		{
			Method:  http.MethodGet,
			Path:    "/health",
			Summary: "Tells that the daemon answers",
			Out:     HealthResponse{},
			Open:    true,
			Handler: health,
		},
		{
			Method:  http.MethodPost,
			Path:    "/execute",
			Summary: "Runs code in a session and answers when it has ended, or with its events as they come",
			In:      ExecuteRequest{},
			Out:     ExecuteResponse{},
			Errors: []int{
				http.StatusAccepted, http.StatusNotFound, http.StatusConflict, http.StatusGone,
				http.StatusUnprocessableEntity, http.StatusTooManyRequests, http.StatusServiceUnavailable,
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

// resources is the table of executions and sessions.
func (h *Handler) resources() []daemon.Route {
	return []daemon.Route{
		{
			Method:  http.MethodGet,
			Path:    "/v1/executions/:id",
			Summary: "The result of an execution while it is kept; 202 while it runs",
			Out:     ExecuteResponse{},
			Errors:  []int{http.StatusAccepted, http.StatusNotFound},
			Handler: h.getExecution,
		},
		{
			Method:  http.MethodGet,
			Path:    "/v1/executions/:id/events",
			Summary: "The events of an execution, replayed from Last-Event-ID or ?after= and then live",
			Out:     EventMessage{},
			Errors:  []int{http.StatusNotFound, http.StatusUnprocessableEntity},
			Handler: h.getExecutionEvents,
		},
		{
			Method:  http.MethodPost,
			Path:    "/v1/sessions",
			Summary: "Makes a session, with limits and lifetimes of its own, and answers when it is ready",
			In:      SessionRequest{},
			Out:     SessionResponse{},
			Errors:  []int{http.StatusCreated, http.StatusConflict, http.StatusUnprocessableEntity, http.StatusServiceUnavailable},
			Handler: h.createSession,
		},
		{
			Method:  http.MethodGet,
			Path:    "/v1/sessions",
			Summary: "The caller's sessions, the oldest first, and with ?usage=true what they use; an administrator's are everybody's, or those of ?owner=",
			Out:     SessionList{},
			Errors:  []int{http.StatusUnprocessableEntity},
			Handler: h.listSessions,
		},
		{
			Method:  http.MethodPatch,
			Path:    "/v1/sessions/:id",
			Summary: "Changes how long a session lasts",
			In:      SessionPatch{},
			Out:     SessionResponse{},
			Errors:  []int{http.StatusNotFound, http.StatusConflict, http.StatusGone, http.StatusUnprocessableEntity},
			Handler: h.patchSession,
		},
		{
			Method:  http.MethodGet,
			Path:    "/v1/sessions/:id",
			Summary: "How a session is, and what it uses; 410 with the cause when it was lost or has expired",
			Out:     SessionResponse{},
			Errors:  []int{http.StatusNotFound, http.StatusGone, http.StatusUnprocessableEntity},
			Handler: h.getSession,
		},
		{
			Method:  http.MethodDelete,
			Path:    "/v1/sessions/:id",
			Summary: "Ends a session, and answers when its container is gone",
			Errors:  []int{http.StatusNoContent, http.StatusUnprocessableEntity, http.StatusServiceUnavailable},
			Handler: h.deleteSession,
		},
		{
			Method:  http.MethodPost,
			Path:    "/v1/sessions/:id/interrupt",
			Summary: "Asks the running execution to end: KeyboardInterrupt, a grace time, then a kill",
			Errors:  []int{http.StatusNoContent, http.StatusNotFound, http.StatusGone, http.StatusUnprocessableEntity},
			Handler: h.interruptSession,
		},
		{
			Method:  http.MethodGet,
			Path:    "/v1/sessions/:id/events",
			Summary: "What threads and child processes write after the end of their execution",
			Out:     EventMessage{},
			Errors:  []int{http.StatusNotFound, http.StatusGone, http.StatusUnprocessableEntity},
			Handler: h.getSessionEvents,
		},
		{
			Method:  http.MethodGet,
			Path:    "/v1/sessions/:id/channel",
			Summary: "A WebSocket: code, interrupts and input in, events out",
			In:      ChannelRequest{},
			Out:     ChannelEvent{},
			Errors:  []int{http.StatusUnprocessableEntity, http.StatusUpgradeRequired},
			Handler: h.openChannel,
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
