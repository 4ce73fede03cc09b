package rest

import (
	"net/http"
	"slices"

	"github.com/gjyotin305/fastpyrepl/daemon"
)

// Routes is the table: the contract, and what goes beyond it under /v1.
func (h *Handler) Routes() []daemon.Route {
	return slices.Concat(h.contract(), h.ofExecutions(), h.ofSessions(), h.inSession(), h.questions(), h.ofFiles())
}

// contract is the table of fastpyrepl's own routes.
func (h *Handler) contract() []daemon.Route {
	return append(daemon.WithHead(daemon.Route{
		Method:   http.MethodGet,
		Path:     "/health",
		Summary:  "Tells that the daemon answers",
		Out:      HealthResponse{},
		Open:     true,
		Examples: healthExamples,
		Handler:  health,
	}), []daemon.Route{
		{
			Method:   http.MethodPost,
			Path:     "/execute",
			Summary:  "Runs code in a session and answers when it has ended, or with its events as they come",
			Details:  executeDetails,
			Params:   []daemon.Param{idempotencyKey},
			In:       ExecuteRequest{},
			Out:      ExecuteResponse{},
			Events:   EventMessage{},
			Answers:  []daemon.Answer{queued},
			Errors:   []int{http.StatusNotFound, http.StatusConflict, http.StatusGone, http.StatusTooManyRequests},
			Examples: executeExamples,
			Handler:  h.execute,
		},
		{
			Method:   http.MethodPost,
			Path:     "/reset",
			Summary:  "Ends a session, or all of the caller's, and answers when the containers are gone",
			Details:  "A session that is unknown, lost or expired is no error: its id can be used again.",
			In:       ResetRequest{},
			Out:      ResetResponse{},
			Examples: resetExamples,
			Handler:  h.reset,
		},
	}...)
}

// ofExecutions is the table of those that were begun.
func (h *Handler) ofExecutions() []daemon.Route {
	return []daemon.Route{
		{
			Method:   http.MethodGet,
			Path:     "/v1/executions/:id",
			Summary:  "The result of an execution while it is kept; 202 while it runs",
			Params:   []daemon.Param{executionID},
			Out:      ExecuteResponse{},
			Answers:  []daemon.Answer{queued},
			Errors:   []int{http.StatusNotFound},
			Examples: executionExamples,
			Handler:  h.getExecution,
		},
		{
			Method:   http.MethodGet,
			Path:     "/v1/executions/:id/events",
			Summary:  "The events of an execution, replayed and then live",
			Details:  streamDetails + "It ends with `done`; without it where the daemon ended: then ask the next one for the rest.",
			Params:   []daemon.Param{executionID, lastEventID, after},
			Events:   EventMessage{},
			Errors:   []int{http.StatusNotFound, http.StatusUnprocessableEntity},
			Examples: executionEventsExamples,
			Handler:  h.getExecutionEvents,
		},
	}
}

// ofSessions is the table of how sessions begin, are and end.
func (h *Handler) ofSessions() []daemon.Route {
	return []daemon.Route{
		{
			Method:   http.MethodPost,
			Path:     "/v1/sessions",
			Summary:  "Makes a session, with limits and lifetimes of its own, and answers when it is ready",
			Details:  createDetails,
			In:       SessionRequest{},
			Answers:  []daemon.Answer{made},
			Errors:   []int{http.StatusConflict},
			Examples: createExamples,
			Handler:  h.createSession,
		},
		{
			Method:   http.MethodGet,
			Path:     "/v1/sessions",
			Summary:  "The caller's sessions, the oldest first",
			Details:  "An administrator's are everybody's, or those of `?owner=`.",
			Params:   []daemon.Param{withUsage},
			Out:      SessionList{},
			Errors:   []int{http.StatusUnprocessableEntity},
			Examples: listExamples,
			Handler:  h.listSessions,
		},
		{
			Method:   http.MethodGet,
			Path:     "/v1/sessions/:id",
			Summary:  "How a session is, and what it uses; 410 with the cause when it was lost or has expired",
			Params:   []daemon.Param{sessionIDParam},
			Out:      SessionResponse{},
			Errors:   []int{http.StatusNotFound, http.StatusGone, http.StatusUnprocessableEntity},
			Examples: sessionExamples,
			Handler:  h.getSession,
		},
		{
			Method:   http.MethodPatch,
			Path:     "/v1/sessions/:id",
			Summary:  "Changes how long a session lasts",
			Details:  "What is not named stays as it is; what a session was made with beside these is refused. It counts as something done in the session.",
			Params:   []daemon.Param{sessionIDParam},
			In:       SessionPatch{},
			Out:      SessionResponse{},
			Errors:   []int{http.StatusNotFound, http.StatusConflict, http.StatusGone},
			Examples: patchExamples,
			Handler:  h.patchSession,
		},
		{
			Method:   http.MethodDelete,
			Path:     "/v1/sessions/:id",
			Summary:  "Ends a session, and answers when its container is gone",
			Details:  "A session that is unknown, lost or expired is no error: its id can be used again.",
			Params:   []daemon.Param{sessionIDParam},
			Answers:  []daemon.Answer{{Status: http.StatusNoContent, Meaning: "The session is gone."}},
			Errors:   []int{http.StatusUnprocessableEntity, http.StatusServiceUnavailable},
			Examples: deleteExamples,
			Handler:  h.deleteSession,
		},
	}
}

// inSession is the table of what goes on in one.
func (h *Handler) inSession() []daemon.Route {
	return []daemon.Route{
		{
			Method:   http.MethodPost,
			Path:     "/v1/sessions/:id/interrupt",
			Summary:  "Asks the running execution to end: KeyboardInterrupt, a grace time, then a kill",
			Params:   []daemon.Param{sessionIDParam},
			Answers:  []daemon.Answer{{Status: http.StatusNoContent, Meaning: "It was asked. The execution says how it ended."}},
			Errors:   []int{http.StatusNotFound, http.StatusGone, http.StatusUnprocessableEntity},
			Examples: interruptExamples,
			Handler:  h.interruptSession,
		},
		{
			Method:   http.MethodGet,
			Path:     "/v1/sessions/:id/events",
			Summary:  "What threads and child processes write after the end of their execution",
			Details:  streamDetails + "It ends with the session, or the daemon.",
			Params:   []daemon.Param{sessionIDParam, lastEventID, after},
			Events:   EventMessage{},
			Errors:   []int{http.StatusNotFound, http.StatusGone, http.StatusUnprocessableEntity},
			Examples: sessionEventsExamples,
			Handler:  h.getSessionEvents,
		},
		{
			Method:   http.MethodGet,
			Path:     "/v1/sessions/:id/channel",
			Summary:  "A WebSocket: code, interrupts and input in, events out",
			Details:  channelDetails,
			Params:   []daemon.Param{sessionIDParam},
			Socket:   &daemon.Messages{Client: []any{ChannelRequest{}}, Server: []any{ChannelEvent{}, ChannelRefusal{}}},
			Answers:  []daemon.Answer{{Status: http.StatusSwitchingProtocols, Meaning: "The WebSocket is open."}},
			Errors:   []int{http.StatusUnprocessableEntity, http.StatusUpgradeRequired},
			Examples: channelExamples,
			Handler:  h.openChannel,
		},
	}
}
