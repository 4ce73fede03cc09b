package rest

import (
	"net/http"

	"github.com/gjyotin305/fastpyrepl/daemon"
)

const nobody = `{"type": "/docs/errors#not_found", "title": "Not found", "status": 404, "detail": "no session nobody", "code": "not_found",
	"request_id": "2c0ff14b-84f8-4267-8b05-d7bd0ee3f14d"}`

const demoIsLost = `{"type": "/docs/errors#lost", "title": "Session lost", "status": 410,
	"detail": "session demo is lost: its container ended with status 137; reset it to use the id again", "code": "lost",
	"request_id": "b1a4c3a0-1b22-4a1c-9d3c-0d4b3f2f6a55"}`

const wrongAfter = `{"type": "/docs/errors#invalid", "title": "Invalid request", "status": 422,
	"detail": "query.after: Input should be a valid integer of 0 or more", "code": "invalid", "request_id": "4ad2d4b0-43ee-4f42-8e4a-ff25bb14f763",
	"errors": [{"type": "int_parsing", "loc": ["query", "after"], "msg": "Input should be a valid integer of 0 or more"}]}`

const wrongID = `{"type": "/docs/errors#invalid", "title": "Invalid request", "status": 422,
	"detail": "path.id: String should match pattern '^[A-Za-z0-9._-]{1,128}$'", "code": "invalid", "request_id": "4ad2d4b0-43ee-4f42-8e4a-ff25bb14f763",
	"errors": [{"type": "string_pattern_mismatch", "loc": ["path", "id"], "msg": "String should match pattern '^[A-Za-z0-9._-]{1,128}$'"}]}`

const noExecution = `{"type": "/docs/errors#not_found", "title": "Not found", "status": 404,
	"detail": "no execution \"00000000-0000-4000-8000-000000000000\", or its result is no longer kept", "code": "not_found",
	"request_id": "2c0ff14b-84f8-4267-8b05-d7bd0ee3f14d"}`

const no = "00000000-0000-4000-8000-000000000000"

var executionExamples = []daemon.Example{
	{
		Name: "result", Summary: "An execution that has ended",
		After:  []string{"detached", "the execution ends"},
		Params: map[string]string{"id": theCode},
		Status: http.StatusOK,
		Answer: `{
			"stdout": "", "stderr": "", "locals": null, "execution_time": 0.000088, "session_id": "demo", "error": null,
			"session_created": true, "execution_id": "` + theCode + `", "execution_count": 1, "outcome": "ok",
			"state_kept": true, "exception": null, "result": {"text/plain": "45"}, "displays": [], "truncated": {}, "invalid_utf8": {},
			"usage": {"cpu_time": 0.00031, "wall_time": 0.00107, "memory_peak": 12869632}, "files": {"created": [], "modified": [], "deleted": []}
		}`,
	},
	{
		Name: "running", Summary: "One that has not",
		After:  []string{"slow"},
		Params: map[string]string{"id": theCode},
		Status: http.StatusAccepted,
		Answer: `{"execution_id": "` + theCode + `", "session_id": "demo", "session_created": true}`,
	},
	{
		Name: "no-execution", Summary: "One that is not known, or not any more",
		Params: map[string]string{"id": no},
		Status: http.StatusNotFound, Answer: noExecution,
	},
}

var executionEventsExamples = []daemon.Example{
	{
		Name: "replay", Summary: "All that an execution said",
		After:  []string{"detached", "the execution ends"},
		Params: map[string]string{"id": theCode},
		Accept: sse.mediaType,
		Status: http.StatusOK,
		Answer: `id: 1
event: started
data: {"seq":1,"type":"started","execution_id":"` + theCode + `","time":"2026-11-23T00:22:13.699601567Z","session_id":"demo","session_created":true,"execution_count":1}

id: 2
event: result
data: {"seq":2,"type":"result","execution_id":"` + theCode + `","time":"2026-11-23T00:22:13.701279629Z","data":{"text/plain":"45"}}

id: 3
event: done
data: {"seq":3,"type":"done","execution_id":"` + theCode + `","time":"2026-11-23T00:22:13.701337159Z","outcome":"ok","state_kept":true,"error":null,"execution_time":0.000088,"locals":null,"truncated":{},"invalid_utf8":{},"usage":{"cpu_time":0.00031,"wall_time":0.00107,"memory_peak":12869632},"files":{"created":[],"modified":[],"deleted":[]}}

`,
	},
	{
		Name: "resume", Summary: "What it said after an event",
		After:  []string{"detached", "the execution ends"},
		Params: map[string]string{"id": theCode, "after": "2"},
		Accept: ndjson.mediaType,
		Status: http.StatusOK,
		Answer: `{"seq":3,"type":"done","execution_id":"` + theCode + `","time":"2026-11-23T00:22:13.701337159Z","outcome":"ok","state_kept":true,"error":null,"execution_time":0.000088,"locals":null,"truncated":{},"invalid_utf8":{},"usage":{"cpu_time":0.00031,"wall_time":0.00107,"memory_peak":12869632},"files":{"created":[],"modified":[],"deleted":[]}}
`,
	},
	{
		Name: "reconnect", Summary: "The same, as a browser's EventSource asks",
		After:  []string{"detached", "the execution ends"},
		Params: map[string]string{"id": theCode, "Last-Event-ID": "3"},
		Accept: sse.mediaType,
		Status: http.StatusOK,
	},
	{
		Name: "no-execution-events", Summary: "An execution that is not known, or not any more",
		Params: map[string]string{"id": no},
		Status: http.StatusNotFound, Answer: noExecution,
	},
	{
		Name: "wrong-place", Summary: "A place that is none",
		After:  []string{"detached"},
		Params: map[string]string{"id": theCode, "after": "x"},
		Status: http.StatusUnprocessableEntity, Answer: wrongAfter,
	},
}

var deleteExamples = []daemon.Example{
	{
		Name: "delete", Summary: "Ends the session",
		After:  []string{"hello"},
		Params: map[string]string{"id": "demo"},
		Status: http.StatusNoContent,
	},
	{
		Name: "delete-wrong-id", Summary: "An id that no session has",
		Params: map[string]string{"id": "a b"},
		Status: http.StatusUnprocessableEntity, Answer: wrongID,
	},
}

var interruptExamples = []daemon.Example{
	{
		Name: "interrupt", Summary: "Interrupts what runs",
		After:  []string{"slow"},
		Params: map[string]string{"id": "demo"},
		Status: http.StatusNoContent,
	},
	{
		Name: "interrupt-nobody", Summary: "A session that there is not",
		Params: map[string]string{"id": "nobody"},
		Status: http.StatusNotFound, Answer: nobody,
	},
	{
		Name: "interrupt-wrong-id", Summary: "An id that no session has",
		Params: map[string]string{"id": "a b"},
		Status: http.StatusUnprocessableEntity, Answer: wrongID,
	},
	{
		Name: "interrupt-lost", Summary: "One whose container has ended",
		After:  []string{"hello", "the container ends"},
		Params: map[string]string{"id": "demo"},
		Status: http.StatusGone, Answer: demoIsLost,
	},
}

var sessionEventsExamples = []daemon.Example{
	{
		Name: "background", Summary: "What a thread wrote behind its cell",
		After:  []string{"a thread writes behind its cell"},
		Params: map[string]string{"id": "demo"},
		Accept: sse.mediaType,
		Status: http.StatusOK,
		Answer: `id: 1
event: stdout
data: {"seq":1,"type":"stdout","execution_id":"383cfba6-1f0b-4b0a-8f3e-0a4d8a2b6c11","time":"2026-11-23T00:22:14.204157061Z","background":true,"text":"later\n"}

`,
	},
	{
		Name: "background-nobody", Summary: "A session that there is not",
		Params: map[string]string{"id": "nobody"},
		Status: http.StatusNotFound, Answer: nobody,
	},
	{
		Name: "background-lost", Summary: "A session whose container has ended",
		After:  []string{"hello", "the container ends"},
		Params: map[string]string{"id": "demo"},
		Status: http.StatusGone, Answer: demoIsLost,
	},
	{
		Name: "background-wrong-place", Summary: "A place that is none",
		Params: map[string]string{"id": "demo", "after": "x"},
		Status: http.StatusUnprocessableEntity, Answer: wrongAfter,
	},
}

var channelExamples = []daemon.Example{
	{
		Name: "conversation", Summary: "Code that asks, a loop that is interrupted, a message that cannot be served",
		Params: map[string]string{"id": "demo"},
		Status: http.StatusSwitchingProtocols,
		Answer: `> {"type": "execute", "ref": "a", "code": "name = input('name? ')\nprint('hi', name)"}
< {"seq":1,"type":"started","execution_id":"11111111-0000-4000-8000-000000000001","time":"2026-11-23T00:22:13.699601567Z","session_id":"demo","session_created":true,"execution_count":1,"ref":"a"}
< {"seq":2,"type":"input_request","execution_id":"11111111-0000-4000-8000-000000000001","time":"2026-11-23T00:22:13.701279629Z","input_request":{"prompt":"name? ","password":false},"ref":"a"}
> {"type": "input", "text": "Zoe"}
< {"seq":3,"type":"stdout","execution_id":"11111111-0000-4000-8000-000000000001","time":"2026-11-23T00:22:14.101279629Z","text":"hi Zoe\n","ref":"a"}
< {"seq":4,"type":"done","execution_id":"11111111-0000-4000-8000-000000000001","time":"2026-11-23T00:22:14.101337159Z","outcome":"ok","state_kept":true,"error":null,"execution_time":0.4,"locals":null,"truncated":{},"invalid_utf8":{},"usage":{"cpu_time":0.0006,"wall_time":0.4,"memory_peak":12869632},"files":{"created":[],"modified":[],"deleted":[]},"ref":"a"}
> {"type": "execute", "ref": "b", "code": "import sys, time\nsys.stdout.write('waiting')\ntime.sleep(60)"}
< {"seq":1,"type":"started","execution_id":"11111111-0000-4000-8000-000000000002","time":"2026-11-23T00:22:15.699601567Z","session_id":"demo","session_created":false,"execution_count":2,"ref":"b"}
< {"seq":2,"type":"stdout","execution_id":"11111111-0000-4000-8000-000000000002","time":"2026-11-23T00:22:15.700279629Z","text":"waiting","ref":"b"}
> {"type": "interrupt"}
< {"seq":3,"type":"stderr","execution_id":"11111111-0000-4000-8000-000000000002","time":"2026-11-23T00:22:15.701259629Z","text":"Traceback (most recent call last):\n  File \"Cell [2]\", line 3, in <module>\n    time.sleep(60)\n    ~~~~~~~~~~^^^^\nKeyboardInterrupt\n","ref":"b"}
< {"seq":4,"type":"error","execution_id":"11111111-0000-4000-8000-000000000002","time":"2026-11-23T00:22:15.701279629Z","exception":{"type":"KeyboardInterrupt","message":"","traceback":["Traceback (most recent call last):","  File \"Cell [2]\", line 3, in <module>","    time.sleep(60)","    ~~~~~~~~~~^^^^","KeyboardInterrupt"]},"ref":"b"}
< {"seq":5,"type":"done","execution_id":"11111111-0000-4000-8000-000000000002","time":"2026-11-23T00:22:15.701337159Z","outcome":"interrupted","state_kept":true,"error":"interrupted: the execution was asked to end","execution_time":0.4,"locals":null,"truncated":{},"invalid_utf8":{},"usage":{"cpu_time":0.4,"wall_time":0.4,"memory_peak":12869632},"files":{"created":[],"modified":[],"deleted":[]},"ref":"b"}
> {"type": "input", "ref": "c", "text": "x"}
< {"type":"refused","ref":"c","status":409,"code":"conflict","detail":"nothing runs that could ask for input"}
`,
	},
	{
		Name: "channel-wrong-id", Summary: "An id that no session has",
		Params: map[string]string{"id": "a b"},
		Status: http.StatusUnprocessableEntity, Answer: wrongID,
	},
	{
		Name: "no-upgrade", Summary: "An ordinary GET",
		Params: map[string]string{"id": "demo"},
		Status: http.StatusUpgradeRequired,
		Answer: `{"type": "/docs/errors#upgrade_required", "title": "Upgrade required", "status": 426,
			"detail": "this is a WebSocket: connect with Upgrade: websocket", "code": "upgrade_required",
			"request_id": "2c0ff14b-84f8-4267-8b05-d7bd0ee3f14d"}`,
	},
}
