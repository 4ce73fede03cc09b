package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gjyotin305/fastpyrepl/sandbox"
)

// Event is what a line is about.
type Event string

const (
	ExecutionEnded Event = "execution"
	SessionCreated Event = "session_created"
	SessionReset   Event = "session_reset"  // or deleted
	SessionsReset  Event = "sessions_reset" // all of the owner's; all there are where no owner is named
	Interrupted    Event = "session_interrupted"
	SessionChanged Event = "session_changed" // how long it lasts
	SignInRefused  Event = "refused"
	LinesLost      Event = "lost"
)

// OutcomeUnknown is that of an execution whose daemon ended before it, and of which the next one heard nothing: its session
// was gone by then, or it had not begun.
const OutcomeUnknown sandbox.Outcome = "unknown"

// Who is who asked. Its strings are the daemon's own, or of checked characters.
type Who struct {
	Key     string `json:"key,omitempty"`   // its name; "" without keys
	Role    string `json:"role,omitempty"`  // user or admin
	Owner   string `json:"owner,omitempty"` // whose session it is about, where not the key's own
	Remote  string `json:"remote,omitempty"`
	Request string `json:"request,omitempty"` // X-Request-ID
}

// entry is one line.
type entry struct {
	Time  time.Time `json:"time"`
	Event Event     `json:"event"`
	Who
	Session    string   `json:"session,omitempty"`
	*Execution          // of ExecutionEnded
	TTL        *float64 `json:"ttl,omitempty"` // of SessionChanged, seconds; nil where it stays
	IdleTTL    *float64 `json:"idle_ttl,omitempty"`
	Reason     string   `json:"reason,omitempty"` // of SignInRefused
	Count      int64    `json:"count,omitzero"`   // of SignInRefused, since the line before; of LinesLost
}

// Execution is what a line says of one, be it of code or of setup code. Sizes are bytes.
type Execution struct {
	ID          string          `json:"execution"`
	Accepted    time.Time       `json:"accepted"`
	Outcome     sandbox.Outcome `json:"outcome"`
	StateKept   bool            `json:"state_kept"`
	Duration    float64         `json:"duration"` // seconds that the code ran
	CodeSize    int             `json:"code_size,omitzero"`
	CodeHash    string          `json:"code_sha256,omitempty"`
	SetupSize   int             `json:"setup_size,omitzero"`
	SetupHash   string          `json:"setup_sha256,omitempty"`
	ContextSize int             `json:"context_size,omitzero"`
	StdinSize   int             `json:"stdin_size,omitzero"`
	StdoutSize  int             `json:"stdout_size"` // as it was answered
	StderrSize  int             `json:"stderr_size"`

	Code      string `json:"code,omitempty"` // these only where they were asked for, at most maxText of each
	SetupCode string `json:"setup_code,omitempty"`
	Stdout    string `json:"stdout,omitempty"`
	Stderr    string `json:"stderr,omitempty"`
}

// of is what is said of x, which is a part of what was asked for.
func (asked Execution) of(x *sandbox.Execution) *Execution {
	asked.ID, asked.Accepted = x.ID(), time.Now().UTC()
	if x.IsSetup() {
		asked.CodeSize, asked.CodeHash, asked.Code = 0, "", ""
		asked.ContextSize, asked.StdinSize = 0, 0
	} else {
		asked.SetupSize, asked.SetupHash, asked.SetupCode = 0, "", ""
	}
	return &asked
}

// maxText is how much of a code or an output a line may hold, in bytes: a line must fit in a file.
const maxText = 64 << 10

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// clip returns the beginning of text, in memory of its own where it is not the whole.
func clip(text string) string {
	if len(text) <= maxText {
		return text
	}
	n := maxText
	for !utf8.RuneStart(text[n]) {
		n--
	}
	return strings.Clone(text[:n])
}

// size is about what e takes while it waits, in bytes.
func (e *entry) size() int64 {
	const overhead = 1 << 10
	if e.Execution == nil {
		return overhead
	}
	return int64(overhead + len(e.Code) + len(e.SetupCode) + len(e.Stdout) + len(e.Stderr))
}
