package rest

import (
	"net/http"

	"github.com/gjyotin305/fastpyrepl/daemon"
)

// demo is a session that asked for nothing, after what can differ.
const demo = `"image": "default", "limits": {"memory": 1073741824, "cpus": 1, "pids": 128, "disk": 268435456},
	"created_at": "2026-11-24T20:50:10.311Z", "ttl": 0, "idle_ttl": 0, "expires_at": null`

const demoHasExpired = `{"type": "/docs/errors#expired", "title": "Session expired", "status": 410,
	"detail": "session demo has expired: its ttl of 500ms has passed; reset it to use the id again", "code": "expired",
	"request_id": "b1a4c3a0-1b22-4a1c-9d3c-0d4b3f2f6a55"}`

var createExamples = []daemon.Example{
	{
		Name: "create", Summary: "A session with limits and lifetimes of its own",
		Body: `{"session_id": "demo", "memory": 1610612736, "cpus": 0.5, "env": {"STAGE": "test"}, "timeout": 10, "ttl": 3600,
			"idle_ttl": 600, "setup_code": "import os\nstage = os.environ['STAGE']"}`,
		Status: http.StatusCreated,
		Answer: `{"session_id": "demo", "state": "idle", "queued": 0, "execution_count": 0, "image": "default",
			"limits": {"memory": 1610612736, "cpus": 0.5, "pids": 128, "disk": 268435456}, "timeout": 10,
			"created_at": "2026-11-24T20:50:10.311Z", "ttl": 3600, "idle_ttl": 600, "expires_at": "2026-11-24T21:00:10.341Z"}`,
	},
	{
		Name: "create-any", Summary: "One that asks for nothing",
		Body:   `{}`,
		Status: http.StatusCreated,
		Answer: `{"session_id": "9b1d6f0e-5d0c-4c8f-8a53-4b0f7a1f8f21", "state": "idle", "queued": 0, "execution_count": 0, ` + demo + `}`,
	},
	{
		Name: "brief", Summary: "One that does not last",
		Body:   `{"session_id": "demo", "ttl": 0.5}`,
		Status: http.StatusCreated,
		Answer: `{"session_id": "demo", "state": "idle", "queued": 0, "execution_count": 0, "image": "default",
			"limits": {"memory": 1073741824, "cpus": 1, "pids": 128, "disk": 268435456},
			"created_at": "2026-11-24T20:50:10.311Z", "ttl": 0.5, "idle_ttl": 0, "expires_at": "2026-11-24T20:50:10.811Z"}`,
	},
	{
		Name: "exists", Summary: "An id that is in use",
		After:  []string{"hello"},
		Body:   `{"session_id": "demo"}`,
		Status: http.StatusConflict,
		Answer: `{"type": "/docs/errors#conflict", "title": "Conflict", "status": 409, "detail": "session demo is there already", "code": "conflict",
			"request_id": "2c0ff14b-84f8-4267-8b05-d7bd0ee3f14d"}`,
	},
	{
		Name: "create-wrong", Summary: "More memory than a session may have",
		Body:   `{"memory": 1099511627776}`,
		Status: http.StatusUnprocessableEntity,
		Answer: `{"type": "/docs/errors#invalid", "title": "Invalid request", "status": 422,
			"detail": "body.memory: Input should be less than or equal to 2147483648", "code": "invalid", "request_id": "4ad2d4b0-43ee-4f42-8e4a-ff25bb14f763",
			"errors": [{"type": "less_than_equal", "loc": ["body", "memory"], "msg": "Input should be less than or equal to 2147483648",
				"ctx": {"le": 2147483648}}]}`,
	},
	{
		Name: "setup-fails", Summary: "Setup code that raises",
		Body:   `{"setup_code": "1 / 0"}`,
		Status: http.StatusUnprocessableEntity,
		Answer: `{"type": "/docs/errors#invalid", "title": "Invalid request", "status": 422,
			"detail": "body: Value error, setup_code: ZeroDivisionError: division by zero", "code": "invalid",
			"request_id": "4ad2d4b0-43ee-4f42-8e4a-ff25bb14f763",
			"errors": [{"type": "value_error", "loc": ["body"], "msg": "Value error, setup_code: ZeroDivisionError: division by zero"}]}`,
	},
}

var listExamples = []daemon.Example{
	{
		Name: "list", Summary: "All of them",
		After:  []string{"hello"},
		Status: http.StatusOK,
		Answer: `{"sessions": [{"session_id": "demo", "state": "idle", "queued": 0, "execution_count": 1, ` + demo + `}]}`,
	},
	{
		Name: "list-usage", Summary: "And what they use",
		After:  []string{"hello"},
		Params: map[string]string{"usage": "true"},
		Status: http.StatusOK,
		Answer: `{"sessions": [{"session_id": "demo", "state": "idle", "queued": 0, "execution_count": 1, ` + demo + `,
			"usage": {"memory": 10362880, "cpu_time": 0.063534952, "pids": 2}}]}`,
	},
	{
		Name: "list-wrong", Summary: "Neither true nor false",
		Params: map[string]string{"usage": "x"},
		Status: http.StatusUnprocessableEntity,
		Answer: `{"type": "/docs/errors#invalid", "title": "Invalid request", "status": 422,
			"detail": "query.usage: Input should be 'true' or 'false'", "code": "invalid", "request_id": "4ad2d4b0-43ee-4f42-8e4a-ff25bb14f763",
			"errors": [{"type": "bool_parsing", "loc": ["query", "usage"], "msg": "Input should be 'true' or 'false'"}]}`,
	},
}

var sessionExamples = []daemon.Example{
	{
		Name: "idle-session", Summary: "A session that waits for work",
		After:  []string{"hello"},
		Params: map[string]string{"id": "demo"},
		Status: http.StatusOK,
		Answer: `{"session_id": "demo", "state": "idle", "queued": 0, "execution_count": 1, ` + demo + `,
			"usage": {"memory": 10362880, "cpu_time": 0.063534952, "pids": 2}}`,
	},
	{
		Name: "busy-session", Summary: "One that works",
		After:  []string{"slow"},
		Params: map[string]string{"id": "demo"},
		Status: http.StatusOK,
		Answer: `{"session_id": "demo", "state": "busy", "execution_id": "` + theCode + `", "queued": 0, "execution_count": 0, ` + demo + `,
			"usage": {"memory": 10362880, "cpu_time": 0.063534952, "pids": 2}}`,
	},
	{
		Name: "unknown-session", Summary: "One that there is not",
		Params: map[string]string{"id": "nobody"},
		Status: http.StatusNotFound, Answer: nobody,
	},
	{
		Name: "lost-session", Summary: "One whose container has ended",
		After:  []string{"hello", "the container ends"},
		Params: map[string]string{"id": "demo"},
		Status: http.StatusGone, Answer: demoIsLost,
	},
	{
		Name: "expired-session", Summary: "One whose time was over",
		After:  []string{"brief", "its time is over"},
		Params: map[string]string{"id": "demo"},
		Status: http.StatusGone, Answer: demoHasExpired,
	},
	{
		Name: "wrong-id", Summary: "An id that no session has",
		Params: map[string]string{"id": "a b"},
		Status: http.StatusUnprocessableEntity, Answer: wrongID,
	},
}

var patchExamples = []daemon.Example{
	{
		Name: "extend", Summary: "Two hours from now",
		After:  []string{"hello"},
		Params: map[string]string{"id": "demo"},
		Body:   `{"ttl": 7200}`,
		Status: http.StatusOK,
		Answer: `{"session_id": "demo", "state": "idle", "queued": 0, "execution_count": 1, "image": "default",
			"limits": {"memory": 1073741824, "cpus": 1, "pids": 128, "disk": 268435456},
			"created_at": "2026-11-24T20:50:10.311Z", "ttl": 7200, "idle_ttl": 0, "expires_at": "2026-11-24T22:50:10.341Z"}`,
	},
	{
		Name: "change-memory", Summary: "What cannot be changed",
		After:  []string{"hello"},
		Params: map[string]string{"id": "demo"},
		Body:   `{"memory": 268435456}`,
		Status: http.StatusUnprocessableEntity,
		Answer: `{"type": "/docs/errors#invalid", "title": "Invalid request", "status": 422,
			"detail": "body.memory: A session keeps what it was made with: ttl and idle_ttl alone can be changed",
			"code": "invalid", "request_id": "4ad2d4b0-43ee-4f42-8e4a-ff25bb14f763",
			"errors": [{"type": "frozen_field", "loc": ["body", "memory"],
				"msg": "A session keeps what it was made with: ttl and idle_ttl alone can be changed"}]}`,
	},
	{
		Name: "extend-nobody", Summary: "A session that there is not",
		Params: map[string]string{"id": "nobody"},
		Body:   `{"ttl": 7200}`,
		Status: http.StatusNotFound, Answer: nobody,
	},
	{
		Name: "extend-expired", Summary: "One whose time was over",
		After:  []string{"brief", "its time is over"},
		Params: map[string]string{"id": "demo"},
		Body:   `{"ttl": 7200}`,
		Status: http.StatusGone, Answer: demoHasExpired,
	},
	{
		Name: "extend-wrong", Summary: "A time that is none",
		Params: map[string]string{"id": "demo"},
		Body:   `{"ttl": -1}`,
		Status: http.StatusUnprocessableEntity,
		Answer: `{"type": "/docs/errors#invalid", "title": "Invalid request", "status": 422,
			"detail": "body.ttl: Input should be greater than or equal to 0", "code": "invalid", "request_id": "4ad2d4b0-43ee-4f42-8e4a-ff25bb14f763",
			"errors": [{"type": "greater_than_equal", "loc": ["body", "ttl"], "msg": "Input should be greater than or equal to 0", "ctx": {"ge": 0}}]}`,
	},
}
