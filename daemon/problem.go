package daemon

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/gjyotin305/fastpyrepl/daemon/jsonbody"
	"github.com/gjyotin305/fastpyrepl/sandbox"
)

// Failure is the body of an error as fastpyrepl has it: a sentence, or a list of what is wrong with a request.
type Failure struct {
	Detail any `json:"detail"`
}

// Problem is the body of an error under /v1: RFC 9457's members, and ours after them.
type Problem struct {
	Type      string           `json:"type" jsonschema:"where the code is explained; it never changes"`
	Title     string           `json:"title" jsonschema:"what the code means, in a few words"`
	Status    int              `json:"status"`
	Detail    string           `json:"detail" jsonschema:"what happened this time"`
	Code      sandbox.Code     `json:"code"`
	RequestID string           `json:"request_id" jsonschema:"X-Request-ID, which the daemon's log has too"`
	Errors    []jsonbody.Error `json:"errors,omitempty" jsonschema:"all that is wrong with the request, when the code is invalid"`
	Written   []string         `json:"written,omitempty" jsonschema:"what a request of several files had written before"`
}

// Kind is what errors of one code have in common.
type Kind struct {
	Code    sandbox.Code // stable: programs compare it
	Status  int
	Title   string
	Meaning string // a sentence or two
}

// Codes of errors that have a status in common with others, and are none of package sandbox's.
const (
	codeForbidden  sandbox.Code = "forbidden"
	codeRate       sandbox.Code = "rate_limited"
	codeExecutions sandbox.Code = "too_many_executions"
	codeStarting   sandbox.Code = "starting"
)

// KindsPath is the page that explains every Kind, below an anchor named for its code.
const KindsPath = "/docs/errors"

// Type is a Problem's.
func (k Kind) Type() string {
	if k.Code == "" {
		return "about:blank"
	}
	return KindsPath + "#" + string(k.Code)
}

// Kinds are all of them. An Error without a code is of the first kind that has its status.
var Kinds = []Kind{
	{"bad_request", http.StatusBadRequest, "Bad request", "The request is not proper HTTP, or its body ended early."},
	{"unauthorized", http.StatusUnauthorized, "Unauthorized", "No API key was sent, or one that is not known, or was withdrawn."},
	{"cross_origin", http.StatusForbidden, "Cross-origin request", "The request comes from a web page of another origin."},
	{codeForbidden, http.StatusForbidden, "Forbidden", "Only the key of an administrator may do this: name an owner, or read the metrics."},
	{"no_route", http.StatusNotFound, "No such route", "There is no such route."},
	{"method_not_allowed", http.StatusMethodNotAllowed, "Method not allowed", "The route has other methods; the Allow header names them."},
	{"request_timeout", http.StatusRequestTimeout, "Request timeout", "The request did not arrive in time."},
	{"payload_too_large", http.StatusRequestEntityTooLarge, "Payload too large", "The body is larger than server.max_body, or where it is files, than files.max_upload."},
	{"unsupported_media_type", http.StatusUnsupportedMediaType, "Unsupported media type",
		"A body is application/json in UTF-8, or where it is files, one of the types of the route; without a Content-Encoding."},
	{"host_not_served", http.StatusMisdirectedRequest, "Host not served",
		"The Host header names a host that is not served; server.allowed_hosts adds names."},
	{sandbox.CodeInvalid, http.StatusUnprocessableEntity, "Invalid request", "The request is wrong. The errors say what, and where."},
	{"upgrade_required", http.StatusUpgradeRequired, "Upgrade required", "The route is a WebSocket."},
	{"headers_too_large", http.StatusRequestHeaderFieldsTooLarge, "Headers too large",
		"The request's line and headers are larger than server.max_header."},
	{"internal", http.StatusInternalServerError, "Internal error", "A fault of the daemon, which its log explains under the request's id."},
	{"overloaded", http.StatusServiceUnavailable, "Overloaded", "Too many bytes of bodies are in flight. Come back after Retry-After."},
	{codeStarting, http.StatusServiceUnavailable, "Starting", "The daemon is still starting; the detail says with what. Come back after Retry-After."},
	{sandbox.CodeNotFound, http.StatusNotFound, "Not found", "There is no such session, no such execution any more, or no such file."},
	{sandbox.CodeConflict, http.StatusConflict, "Conflict",
		"The idempotency key was used for another request, the id of a session to be made is in use, the session is starting or was ended meanwhile, " +
			"nothing runs that could be answered, a question is asked while something runs, or what is in the place of a file does not allow it."},
	{sandbox.CodeLost, http.StatusGone, "Session lost",
		"The session is gone with its variables; the detail is the cause. The id can be used again after a reset or a delete, or with create."},
	{sandbox.CodeExpired, http.StatusGone, "Session expired",
		"The session's time was over; the detail says which. The id can be used again after a reset or a delete, or with create."},
	{sandbox.CodeBusy, http.StatusTooManyRequests, "Session busy",
		"Too many executions, or transfers of files, wait in the session. Come back after Retry-After."},
	{codeRate, http.StatusTooManyRequests, "Rate limited", "The key has sent too many requests. Come back after Retry-After."},
	{codeExecutions, http.StatusTooManyRequests, "Too many executions",
		"The key has as many executions under way as it may. Come back after Retry-After, or when one has ended."},
	{sandbox.CodeSessions, http.StatusTooManyRequests, "Too many sessions",
		"The key has as many sessions as it may. Come back after Retry-After, or when one was reset."},
	{sandbox.CodePrecondition, http.StatusPreconditionFailed, "Precondition failed",
		"The file is not the one that If-Match names, or If-None-Match does not allow for."},
	{sandbox.CodeTooLarge, http.StatusRequestEntityTooLarge, "File too large", "The file, or all files of the request together, are larger than allowed."},
	{sandbox.CodeRange, http.StatusRequestedRangeNotSatisfiable, "Range not satisfiable", "The Range is beyond the file; Content-Range has its size."},
	{sandbox.CodeNoSpace, http.StatusInsufficientStorage, "No space", "The session's disk is full. Nothing of the file was written."},
	{sandbox.CodeAborted, http.StatusServiceUnavailable, "Transfer aborted",
		"The transfer was ended from inside the session, or its connection broke. Nothing of the file was written; it may be tried again."},
	{sandbox.CodeUnsupported, http.StatusNotImplemented, "Not supported", "The runtime that sessions run under cannot do this."},
	{sandbox.CodeCapacity, http.StatusServiceUnavailable, "No capacity", "There is no room for another session. Come back after Retry-After."},
	{sandbox.CodeImage, http.StatusServiceUnavailable, "Image unavailable", "The image cannot serve."},
	{sandbox.CodeEngine, http.StatusServiceUnavailable, "Engine failure", "The container engine failed, or did not answer in time."},
	{sandbox.CodeState, http.StatusServiceUnavailable, "State not saved",
		"What a later daemon must know of a session cannot be written: the disk is full, say. Sessions that are there go on. Come back after Retry-After."},
	{sandbox.CodeClosed, http.StatusServiceUnavailable, "Shutting down",
		"The daemon is shutting down. What runs goes on where another one follows; a request that waits for it is told where its result will be."},
}

// kind finds what e is an example of.
func (e *Error) kind() Kind {
	for _, k := range Kinds {
		if k.Code == e.Code || e.Code == "" && k.Status == e.Status {
			return k
		}
	}
	return Kind{Code: e.Code, Status: e.Status, Title: http.StatusText(e.Status)}
}

// HasProblems tells whether errors below path are Problems.
func HasProblems(path string) bool { return strings.HasPrefix(path, "/v1/") }

func newFailure(e *Error) Failure {
	if e.Detail == nil {
		return Failure{Detail: http.StatusText(e.Status)}
	}
	return Failure{Detail: e.Detail}
}

func newProblem(e *Error, requestID string) Problem {
	k := e.kind()
	p := Problem{Type: k.Type(), Title: k.Title, Status: e.Status, Detail: k.Meaning, Code: k.Code, RequestID: requestID, Written: e.Written}
	switch detail := e.Detail.(type) {
	case string:
		p.Detail = detail
	case []jsonbody.Error:
		p.Detail, p.Errors = sentence(detail), detail
	}
	return p
}

// sentence says the first thing that is wrong, and how many more there are.
func sentence(wrong []jsonbody.Error) string {
	if len(wrong) == 0 {
		return ""
	}
	where := strings.ReplaceAll(strings.Trim(fmt.Sprint(wrong[0].Loc), "[]"), " ", ".")
	text := where + ": " + wrong[0].Msg
	if more := len(wrong) - 1; more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return text
}
