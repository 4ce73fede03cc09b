package sandbox

import (
	"regexp"
	"slices"
	"strings"
	"time"
)

// Key names a session: an id lives in its owner's namespace, so the same id under two owners is two sessions.
// Owner is "" where the daemon has no keys.
type Key struct {
	Owner string
	ID    string
}

// SessionIDPattern is what a client may choose as a session id.
const SessionIDPattern = `^[A-Za-z0-9._-]{1,128}$`

var sessionID = regexp.MustCompile(SessionIDPattern)

// ValidSessionID tells whether a client may use id.
func ValidSessionID(id string) bool { return sessionID.MatchString(id) }

// Request asks for one execution.
type Request struct {
	Code string
	// Context sets the variable context before Code runs, at creation and whenever it is not nil.
	Context *Blob
	// SetupCode runs once, before Code, when this request creates the session. When it fails, Code does not run and the
	// session is not kept.
	SetupCode string
	// NoCreate refuses an unknown session with CodeNotFound instead of creating it.
	NoCreate bool
	// Anew lets the id of a session that was lost, or expired, be used again, for a new one. Until that one is there, its
	// setup code included, the id stays that of the one that is gone.
	Anew bool
	// MustCreate refuses the id of a session that is there with CodeConflict.
	MustCreate bool
	// Session is what the session is to be, if this request creates it.
	Session SessionOptions
	// Locals asks for variables after Code; nil for none.
	Locals *LocalsRequest
	// Timeout bounds Code; 0 is the configured default. More than the ceiling is CodeInvalid.
	Timeout time.Duration
	// Stdin is what sys.stdin reads before its end.
	Stdin string
	// Interactive makes input() past the end of Stdin an EventInputRequest that waits for Execution.Input, instead of an
	// EOFError.
	Interactive bool
	// Figures are the forms in which open matplotlib figures are shown, of FigureFormats; none is png alone.
	Figures []string
	// MaxStdout, MaxStderr, MaxDisplay, MaxLocals and MaxLocalsValue lower the configured caps; 0 keeps them. Bytes.
	MaxStdout, MaxStderr, MaxDisplay, MaxLocals, MaxLocalsValue int64
	MaxEvents                                                   int64 // lowers it, too
	// IdempotencyKey makes a repeated request return the execution that the first one began, while that is kept; "" for
	// none.
	IdempotencyKey string
	// MaxSessions is how many sessions the owner may have; where this request would create one more, it is
	// CodeSessions. 0 is no bound.
	MaxSessions int
	// Admit, where it is set, is asked before anything new is run, be it SetupCode alone, and not for an execution that
	// IdempotencyKey finds; its error is Execute's, or Create's. The function it returns is called once, when nothing of the
	// request runs any more or nothing came about, before anybody who waits hears of that. It must not block.
	Admit func() (leave func(), err error)
	// Began, where it is set, is called with every execution that comes about for the request, that of SetupCode too, when it
	// is accepted and before any of its code can run. It is called with locks held: it returns soon, and calls nothing here but
	// methods of the execution.
	Began     func(x *Execution)
	admission *admission // what Admit gave
}

// Blob is a value that is sent beside the code.
type Blob struct {
	JSON bool // Data is JSON; else UTF-8 text
	Data []byte
}

// LocalsRequest says which variables to return: those of Keys, a missing one as null, or all when Keys is nil.
type LocalsRequest struct {
	Keys []string
}

// FigureFormats are what Request.Figures may hold.
var FigureFormats = []string{"png", "svg"}

// validate checks the bounds that the configuration sets.
func (r Request) validate(config Config) error {
	cfg := config.Execution
	if err := r.Session.validate(config); err != nil {
		return err
	}
	switch {
	case int64(len(r.Code)) > cfg.MaxCode:
		return Errorf(CodeInvalid, "code has %d bytes, at most %d are allowed", len(r.Code), cfg.MaxCode)
	case int64(len(r.SetupCode)) > cfg.MaxCode:
		return Errorf(CodeInvalid, "setup_code has %d bytes, at most %d are allowed", len(r.SetupCode), cfg.MaxCode)
	case r.Context != nil && int64(len(r.Context.Data)) > cfg.MaxContext:
		return Errorf(CodeInvalid, "context has %d bytes, at most %d are allowed", len(r.Context.Data), cfg.MaxContext)
	case int64(len(r.Stdin)) > cfg.MaxContext:
		return Errorf(CodeInvalid, "stdin has %d bytes, at most %d are allowed", len(r.Stdin), cfg.MaxContext)
	case r.Timeout < 0 || r.Timeout > cfg.MaxTimeout:
		return Errorf(CodeInvalid, "timeout is %s, it must be above 0 and at most %s", r.Timeout, cfg.MaxTimeout)
	}
	for _, format := range r.Figures {
		if !slices.Contains(FigureFormats, format) {
			return Errorf(CodeInvalid, "figures has %.20q, allowed are %s", format, strings.Join(FigureFormats, ", "))
		}
	}
	for _, limit := range [...]struct {
		name        string
		asked, most int64
	}{
		{"max_stdout", r.MaxStdout, cfg.MaxStdout},
		{"max_stderr", r.MaxStderr, cfg.MaxStderr},
		{"max_display", r.MaxDisplay, cfg.MaxDisplay},
		{"max_locals", r.MaxLocals, cfg.MaxLocals},
		{"max_locals_value", r.MaxLocalsValue, cfg.MaxLocalsValue},
		{"max_events", r.MaxEvents, cfg.MaxEvents},
	} {
		if limit.asked < 0 || limit.asked > limit.most {
			return Errorf(CodeInvalid, "%s is %d, it must be above 0 and at most %d", limit.name, limit.asked, limit.most)
		}
	}
	return nil
}

// caps are the bounds of this request's execution.
func (r Request) caps(cfg ExecutionConfig) ExecutionConfig {
	lower := func(limit *int64, to int64) {
		if to > 0 {
			*limit = min(*limit, to)
		}
	}
	lower(&cfg.MaxStdout, r.MaxStdout)
	lower(&cfg.MaxStderr, r.MaxStderr)
	lower(&cfg.MaxDisplay, r.MaxDisplay)
	lower(&cfg.MaxLocals, r.MaxLocals)
	lower(&cfg.MaxLocalsValue, cfg.MaxLocals)
	lower(&cfg.MaxLocalsValue, r.MaxLocalsValue)
	lower(&cfg.MaxEvents, r.MaxEvents)
	return cfg
}
