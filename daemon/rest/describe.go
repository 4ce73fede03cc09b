package rest

import (
	"net/http"

	"github.com/gjyotin305/fastpyrepl/daemon"
	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/google/jsonschema-go/jsonschema"
)

// What routes have in common, and what is more than a line.

var (
	sessionIDParam = daemon.Param{
		In: "path", Name: "id", Meaning: "of the session",
		Schema: &jsonschema.Schema{Type: "string", Pattern: sandbox.SessionIDPattern},
	}
	executionID = daemon.Param{
		In: "path", Name: "id", Meaning: "of the execution",
		Schema: &jsonschema.Schema{Type: "string"},
	}
	idempotencyKey = daemon.Param{
		In: "header", Name: "Idempotency-Key",
		Meaning: "A request that is sent again with it returns the first one's execution instead of running twice, as long as that is kept. " +
			"With another body it is 409.",
		Schema: &jsonschema.Schema{Type: "string", MaxLength: jsonschema.Ptr(sandbox.MaxIdempotencyKey)},
	}
	lastEventID = daemon.Param{
		In: "header", Name: "Last-Event-ID", Meaning: "Resume with the events above this seq. It wins over after.",
		Schema: &jsonschema.Schema{Type: "integer", Minimum: jsonschema.Ptr(0.0)},
	}
	after = daemon.Param{
		In: "query", Name: "after", Meaning: "Resume with the events above this seq.",
		Schema: &jsonschema.Schema{Type: "integer", Minimum: jsonschema.Ptr(0.0)},
	}
	withUsage = daemon.Param{
		In: "query", Name: "usage", Meaning: "Whether to say what the sessions use, which the container engine is asked for.",
		Schema: &jsonschema.Schema{Type: "boolean", Default: []byte("false")},
	}
	made = daemon.Answer{
		Status: http.StatusCreated, Meaning: "The session is ready.",
		Body: SessionResponse{}, Headers: map[string]string{"Location": "Where the session is."},
	}
	queued = daemon.Answer{
		Status: http.StatusAccepted, Meaning: "The execution is queued, or runs.",
		Body: PendingResponse{}, Headers: map[string]string{"Location": "Where its result will be."},
	}
)

const executeDetails = "200, however the code ended: `outcome` says how, and `state_kept` whether the session's variables survived.\n\n" +
	"With `Accept: text/event-stream` or `Accept: application/x-ndjson` the answer is a stream of events, as they come; with `\"detach\": true` it is " +
	"202 at once. Executions of one session run in the order they came.\n\n" +
	"Executions outlive the daemon. A stream then ends without `done`, and goes on at `/v1/executions/{id}/events` of the next one; a request that " +
	"waits is answered 503 with where its result will be."

const streamDetails = "Server-sent events, unless `Accept` asks for `application/x-ndjson`. "

const createDetails = "What is not asked for is as the configuration says, which also has the ceilings. A session that asks for nothing, or for other memory, " +
	"CPUs or processes alone, begins in milliseconds, from the warm pool; another image, disk or environment takes a new container.\n\n" +
	"The id of a session that was lost or has expired may be used again. When the setup code fails, the session is not kept and the answer is 422."

const channelDetails = "Messages are JSON text, at most 4 MiB: the extension `x-websocket` has their schemas. The session is created when the first code " +
	"comes. Executions run in the order they were sent; every event of one has its `ref`. A message that cannot be served is answered with `refused`, " +
	"and the channel goes on. A browser cannot send headers: it names its API key as a subprotocol, `key.` and the key, beside `fastpyrepl`, which is " +
	"the answer. When the client leaves, the executions that it began are interrupted, unless they said otherwise.\n\n" +
	"The daemon pings every 15 s. It closes with 1001 when it shuts down, 1008 when the API key was withdrawn, 1003 for a binary message, 1009 for one " +
	"that is too large, 1013 when too many WebSockets are open or too many bytes of messages are in flight."
