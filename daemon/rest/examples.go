package rest

import (
	"net/http"

	"github.com/gjyotin305/fastpyrepl/daemon"
)

var healthExamples = []daemon.Example{{
	Name: "health", Summary: "The daemon answers",
	Status: http.StatusOK, Answer: `{"status": "PYTHON REPL ACTIVE"}`,
}}

// theCode is an execution that the examples about executions tell of.
const theCode = "de7ac4ed-0000-4000-8000-000000000001"

var executeExamples = []daemon.Example{
	{
		Name: "hello", Summary: "Code in a named session",
		Body:   `{"code": "x = 20\nprint(\"hello\")\nx + 1", "session_id": "demo"}`,
		Status: http.StatusOK,
		Answer: `{
			"stdout": "hello\n", "stderr": "", "locals": null, "execution_time": 0.000712, "session_id": "demo", "error": null,
			"session_created": true, "execution_id": "cf0907f7-96c2-4ba5-8505-b5fc9dda7852", "execution_count": 1, "outcome": "ok",
			"state_kept": true, "exception": null, "result": {"text/plain": "21"}, "displays": [], "truncated": {}, "invalid_utf8": {},
			"usage": {"cpu_time": 0.000983, "wall_time": 0.00227, "memory_peak": 12869632}, "files": {"created": [], "modified": [], "deleted": []}
		}`,
	},
	{
		Name: "variables", Summary: "Variables stay, and come as JSON when asked for",
		After:  []string{"hello"},
		Body:   `{"code": "y = {x, x + 1}", "session_id": "demo", "return_locals": true, "locals_keys": ["x", "y", "nothing"]}`,
		Status: http.StatusOK,
		Answer: `{
			"stdout": "", "stderr": "", "locals": {"nothing": null, "x": 20, "y": "{20, 21}"}, "execution_time": 0.000119,
			"session_id": "demo", "error": null,
			"session_created": false, "execution_id": "c8a4c1dd-0ea7-4c2f-a4f7-80b47cb7b7c5", "execution_count": 2, "outcome": "ok",
			"state_kept": true, "exception": null, "result": null, "displays": [], "truncated": {}, "invalid_utf8": {},
			"usage": {"cpu_time": 0.000411, "wall_time": 0.00103, "memory_peak": 12869632}, "files": {"created": [], "modified": [], "deleted": []}, "locals_inexact": ["y"]
		}`,
	},
	{
		Name: "raises", Summary: "Code that raises",
		Body:   `{"code": "def f():\n    return 1 / 0\nf()", "session_id": "demo"}`,
		Status: http.StatusOK,
		Answer: `{
			"stdout": "",
			"stderr": "Traceback (most recent call last):\n  File \"Cell [1]\", line 3, in <module>\n    f()\n    ~^^\n  File \"Cell [1]\", line 2, in f\n    return 1 / 0\n           ~~^~~\nZeroDivisionError: division by zero\n",
			"locals": null, "execution_time": 0.00102, "session_id": "demo", "error": "ZeroDivisionError: division by zero",
			"session_created": true, "execution_id": "3f0b1c1e-6e0a-4c55-a4b9-5a4b3e2c9d10", "execution_count": 1, "outcome": "error",
			"state_kept": true,
			"exception": {
				"type": "ZeroDivisionError", "message": "division by zero",
				"traceback": ["Traceback (most recent call last):", "  File \"Cell [1]\", line 3, in <module>", "    f()", "    ~^^", "  File \"Cell [1]\", line 2, in f", "    return 1 / 0", "           ~~^~~", "ZeroDivisionError: division by zero"]
			},
			"result": null, "displays": [], "truncated": {}, "invalid_utf8": {},
			"usage": {"cpu_time": 0.00196, "wall_time": 0.00312, "memory_peak": 12869632}, "files": {"created": [], "modified": [], "deleted": []}
		}`,
	},
	{
		Name: "timeout", Summary: "Code that does not end",
		Body:   `{"code": "import time\ntime.sleep(60)", "session_id": "demo", "timeout": 0.5}`,
		Status: http.StatusOK,
		Answer: `{
			"stdout": "",
			"stderr": "Traceback (most recent call last):\n  File \"Cell [1]\", line 2, in <module>\n    time.sleep(60)\n    ~~~~~~~~~~^^^^\nKeyboardInterrupt\n",
			"locals": null, "execution_time": 0.501, "session_id": "demo", "error": "timeout: the execution was interrupted after 500ms",
			"session_created": true, "execution_id": "57a7b6a3-31f4-4f7b-8a3c-1e5b62a6d4f0", "execution_count": 1, "outcome": "timeout",
			"state_kept": true,
			"exception": {
				"type": "KeyboardInterrupt", "message": "",
				"traceback": ["Traceback (most recent call last):", "  File \"Cell [1]\", line 2, in <module>", "    time.sleep(60)", "    ~~~~~~~~~~^^^^", "KeyboardInterrupt"]
			},
			"result": null, "displays": [], "truncated": {}, "invalid_utf8": {},
			"usage": {"cpu_time": 0.493, "wall_time": 0.503, "memory_peak": 12869632}, "files": {"created": [], "modified": [], "deleted": []}
		}`,
	},
	{
		Name: "stream", Summary: "Events as they come",
		Accept: sse.mediaType,
		Body:   `{"code": "print(1)\n2", "session_id": "demo"}`,
		Status: http.StatusOK,
		Answer: `id: 1
event: started
data: {"seq":1,"type":"started","execution_id":"8bc6b14f-5a55-4a35-9cc7-38a4f8b2a0e1","time":"2026-11-23T00:22:13.699601567Z","session_id":"demo","session_created":true,"execution_count":1}

id: 2
event: stdout
data: {"seq":2,"type":"stdout","execution_id":"8bc6b14f-5a55-4a35-9cc7-38a4f8b2a0e1","time":"2026-11-23T00:22:13.701279629Z","text":"1\n"}

id: 3
event: result
data: {"seq":3,"type":"result","execution_id":"8bc6b14f-5a55-4a35-9cc7-38a4f8b2a0e1","time":"2026-11-23T00:22:13.701321519Z","data":{"text/plain":"2"}}

id: 4
event: done
data: {"seq":4,"type":"done","execution_id":"8bc6b14f-5a55-4a35-9cc7-38a4f8b2a0e1","time":"2026-11-23T00:22:13.701337159Z","outcome":"ok","state_kept":true,"error":null,"execution_time":0.00041,"locals":null,"truncated":{},"invalid_utf8":{},"usage":{"cpu_time":0.0006,"wall_time":0.0017,"memory_peak":12869632},"files":{"created":[],"modified":[],"deleted":[]}}

`,
	},
	{
		Name: "lines", Summary: "Events, one JSON object a line",
		Accept: ndjson.mediaType,
		Body:   `{"code": "1 / 0", "session_id": "demo"}`,
		Status: http.StatusOK,
		Answer: `{"seq":1,"type":"started","execution_id":"0c5a8b6e-7a2e-4f5b-8f0d-c6f0fbb7d0a9","time":"2026-11-23T00:22:13.699601567Z","session_id":"demo","session_created":true,"execution_count":1}
{"seq":2,"type":"stderr","execution_id":"0c5a8b6e-7a2e-4f5b-8f0d-c6f0fbb7d0a9","time":"2026-11-23T00:22:13.701259629Z","text":"Traceback (most recent call last):\n  File \"Cell [1]\", line 1, in <module>\n    1 / 0\n    ~~^~~\nZeroDivisionError: division by zero\n"}
{"seq":3,"type":"error","execution_id":"0c5a8b6e-7a2e-4f5b-8f0d-c6f0fbb7d0a9","time":"2026-11-23T00:22:13.701279629Z","exception":{"type":"ZeroDivisionError","message":"division by zero","traceback":["Traceback (most recent call last):","  File \"Cell [1]\", line 1, in <module>","    1 / 0","    ~~^~~","ZeroDivisionError: division by zero"]}}
{"seq":4,"type":"done","execution_id":"0c5a8b6e-7a2e-4f5b-8f0d-c6f0fbb7d0a9","time":"2026-11-23T00:22:13.701337159Z","outcome":"error","state_kept":true,"error":"ZeroDivisionError: division by zero","execution_time":0.00041,"locals":null,"truncated":{},"invalid_utf8":{},"usage":{"cpu_time":0.0006,"wall_time":0.0017,"memory_peak":12869632},"files":{"created":[],"modified":[],"deleted":[]}}
`,
	},
	{
		Name: "detached", Summary: "An answer at once",
		Body:   `{"code": "sum(range(10))", "session_id": "demo", "detach": true}`,
		Status: http.StatusAccepted,
		Answer: `{"execution_id": "` + theCode + `", "session_id": "demo", "session_created": true}`,
	},
	{
		Name: "slow", Summary: "An answer at once, for code that takes its time",
		Body:   `{"code": "import time\ntime.sleep(60)", "session_id": "demo", "detach": true}`,
		Status: http.StatusAccepted,
		Answer: `{"execution_id": "` + theCode + `", "session_id": "demo", "session_created": true}`,
	},
	{
		Name: "keyed", Summary: "A request that may be sent again",
		Params: map[string]string{"Idempotency-Key": "7f3a"},
		Body:   `{"code": "print(1)", "session_id": "demo", "detach": true}`,
		Status: http.StatusAccepted,
		Answer: `{"execution_id": "` + theCode + `", "session_id": "demo", "session_created": true}`,
	},
	{
		Name: "sent-again", Summary: "The same again: it does not run twice",
		After:  []string{"keyed"},
		Params: map[string]string{"Idempotency-Key": "7f3a"},
		Body:   `{"code": "print(1)", "session_id": "demo", "detach": true}`,
		Status: http.StatusAccepted,
		Answer: `{"execution_id": "` + theCode + `", "session_id": "demo", "session_created": true}`,
	},
	{
		Name: "key-in-use", Summary: "The key of another request",
		After:  []string{"keyed"},
		Params: map[string]string{"Idempotency-Key": "7f3a"},
		Body:   `{"code": "print(2)", "session_id": "demo", "detach": true}`,
		Status: http.StatusConflict,
		Answer: `{"detail": "the idempotency key was used for another request"}`,
	},
	{
		Name: "wrong-type", Summary: "A request that is wrong",
		Body:   `{"code": 7}`,
		Status: http.StatusUnprocessableEntity,
		Answer: `{"detail": [{"type": "string_type", "loc": ["body", "code"], "msg": "Input should be a valid string"}]}`,
	},
	{
		Name: "no-session", Summary: "A session that is not to be created",
		Body:   `{"code": "x", "session_id": "gone", "create": false}`,
		Status: http.StatusNotFound,
		Answer: `{"detail": "no session gone"}`,
	},
	{
		Name: "lost", Summary: "A session whose container has ended",
		After:  []string{"hello", "the container ends"},
		Body:   `{"code": "x", "session_id": "demo"}`,
		Status: http.StatusGone,
		Answer: `{"detail": "session demo is lost: its container ended with status 137; reset it to use the id again"}`,
	},
	{
		Name: "queue-full", Summary: "Too many executions wait already",
		After:  []string{"slow", "the queue is full"},
		Body:   `{"code": "x", "session_id": "demo"}`,
		Status: http.StatusTooManyRequests,
		Answer: `{"detail": "the session has 16 executions waiting, which is the most that may"}`,
	},
	{
		Name: "no-room", Summary: "Too many sessions already",
		After:  []string{"there is no room"},
		Body:   `{"code": "x", "session_id": "another"}`,
		Status: http.StatusServiceUnavailable,
		Answer: `{"detail": "4 sessions are open, which is the most that may be"}`,
	},
}

var resetExamples = []daemon.Example{
	{
		Name: "reset-one", Summary: "One session",
		After: []string{"hello"},
		Body:  `{"session_id": "demo"}`, Status: http.StatusOK,
		Answer: `{"status": "ok", "message": "reset session demo"}`,
	},
	{
		Name: "reset-all", Summary: "All sessions",
		After: []string{"hello"},
		Body:  `{}`, Status: http.StatusOK,
		Answer: `{"status": "ok", "message": "reset all sessions"}`,
	},
	{
		Name: "reset-wrong-id", Summary: "An id that no session has",
		Body: `{"session_id": "a b"}`, Status: http.StatusUnprocessableEntity,
		Answer: `{"detail": [{"type": "string_pattern_mismatch", "loc": ["body", "session_id"],
			"msg": "String should match pattern '^[A-Za-z0-9._-]{1,128}$'", "ctx": {"pattern": "^[A-Za-z0-9._-]{1,128}$"}}]}`,
	},
}
