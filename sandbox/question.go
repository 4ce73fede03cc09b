package sandbox

import (
	"bytes"
	"context"
	"time"

	"github.com/gjyotin305/fastpyrepl/sandbox/wire"
	"github.com/google/uuid"
)

// MaxQuestion is how long the code of a question may be, in bytes.
const MaxQuestion = wire.MaxQuestion

// questionTime is how long a question may take, those before it included. The driver promises an answer within 3 s.
const questionTime = 10 * time.Second

// Completion is what could stand in the place of code[Start:End], which count code points.
type Completion struct {
	Matches    []string // sorted
	Start, End int
	Omitted    int // matches that did not fit
}

// Completeness tells whether code is whole.
type Completeness struct {
	Status string // complete, incomplete or invalid
	Indent int    // spaces that begin the next line of incomplete code
}

// Values of Completeness.Status.
const (
	StatusComplete   = "complete"
	StatusIncomplete = "incomplete"
	StatusInvalid    = "invalid" // no more lines can mend it
)

// Variables are those of a session, in the order they were made.
type Variables struct {
	Variables []Variable
	Omitted   int // variables that did not fit
}

// Variable is one of them.
type Variable struct {
	Name  string
	Type  string
	Size  *int64  // items; nil for what has no length
	Shape []int64 // of arrays and tables; nil for others
	Repr  string  // its beginning; "" where it took too long
}

// Inspection is what is known of a name.
type Inspection struct {
	Found     bool
	Name      string
	Type      string
	Signature string // of what can be called
	Doc       string
	Repr      string
}

// question is one whose answer is waited for.
type question struct {
	id    uuid.UUID
	reply chan wire.Frame // holds the one; closed instead when none will come
}

// The questions below are answered by the session's process while nothing runs in it; CodeConflict says that it is busy, or
// did not answer in time, or not with sense. Other errors are those of Session, and CodeEngine.

// Complete says what could be typed at the cursor, which counts code points.
func (m *Manager) Complete(ctx context.Context, key Key, code string, cursor int) (Completion, error) {
	a, err := answerTo[wire.CompleteMessage](ctx, m, key, wire.Complete, wire.QuestionMessage{Code: code, Cursor: cursor})
	if err == nil && (a.Start < 0 || a.Start > a.End || a.End > len(code) || a.Omitted < 0) {
		err = errNonsense
	}
	return Completion(a), err
}

// IsComplete tells whether code is whole, or needs more lines.
func (m *Manager) IsComplete(ctx context.Context, key Key, code string) (Completeness, error) {
	a, err := answerTo[wire.IsCompleteMessage](ctx, m, key, wire.IsComplete, wire.QuestionMessage{Code: code})
	known := a.Status == StatusComplete || a.Status == StatusIncomplete || a.Status == StatusInvalid
	if err == nil && (!known || a.Indent < 0 || a.Indent > MaxQuestion) {
		err = errNonsense
	}
	return Completeness(a), err
}

// Inspect says what is known of the name at the cursor, which counts code points.
func (m *Manager) Inspect(ctx context.Context, key Key, code string, cursor int) (Inspection, error) {
	a, err := answerTo[wire.InspectMessage](ctx, m, key, wire.Inspect, wire.QuestionMessage{Code: code, Cursor: cursor})
	return Inspection(a), err
}

// Variables lists a session's variables.
func (m *Manager) Variables(ctx context.Context, key Key) (Variables, error) {
	a, err := answerTo[wire.VariablesMessage](ctx, m, key, wire.Variables, wire.QuestionMessage{})
	if err == nil && a.Omitted < 0 {
		err = errNonsense
	}
	v := Variables{Variables: make([]Variable, len(a.Variables)), Omitted: a.Omitted}
	for i, variable := range a.Variables {
		v.Variables[i] = Variable(variable)
	}
	return v, err
}

var errNonsense = Errorf(CodeConflict, "the session's process answers what makes no sense: code in it has taken it apart")

// answerTo is what a session answers to a question.
func answerTo[A any](ctx context.Context, m *Manager, key Key, t wire.Type, q wire.QuestionMessage) (answer A, err error) {
	if len(q.Code) > MaxQuestion {
		return answer, Errorf(CodeInvalid, "the code has %d bytes, at most %d can be asked about", len(q.Code), MaxQuestion)
	}
	s, err := m.find(key)
	if err != nil {
		return answer, err
	}
	f, err := s.ask(ctx, t, wire.Marshal(q))
	switch {
	case err != nil:
		return answer, err
	case f.Type == wire.Reject:
		var no wire.RejectMessage
		if wire.Unmarshal(f.Payload, &no) != nil {
			return answer, errNonsense
		}
		return answer, Errorf(CodeConflict, "session %s gives no answer: %.200s", key.ID, no.Message)
	case wire.Unmarshal(f.Payload, &answer) != nil:
		return answer, errNonsense
	}
	return answer, nil
}

// ask sends a question when those before it are answered, and returns its reply.
func (s *Session) ask(ctx context.Context, t wire.Type, payload []byte) (wire.Frame, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, questionTime, Errorf(CodeEngine, "the session's driver did not answer in time"))
	defer cancel()
	select {
	case s.asking <- struct{}{}:
		defer func() { <-s.asking }()
	case <-ctx.Done():
		return wire.Frame{}, context.Cause(ctx)
	}
	q := &question{id: uuid.New(), reply: make(chan wire.Frame, 1)}
	if err := s.pose(q); err != nil {
		return wire.Frame{}, err
	}
	defer s.settle(q)
	if err := s.container.trySend(t, q.id, payload); err != nil {
		return wire.Frame{}, s.brokenOff(err)
	}
	select {
	case f, ok := <-q.reply:
		if !ok {
			return f, s.brokenOff(nil)
		}
		return f, nil
	case <-ctx.Done():
		return wire.Frame{}, context.Cause(ctx)
	}
}

// pose makes q the question whose reply is waited for, unless the session is not idle.
func (s *Session) pose(q *question) error {
	select {
	case <-s.started:
	default:
		return Errorf(CodeConflict, "session %s is starting", s.key.ID)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.over:
		return s.overError()
	case s.container == nil || s.startErr != nil:
		return Errorf(CodeConflict, "session %s did not start", s.key.ID)
	case len(s.queue) > 0:
		return Errorf(CodeConflict, "session %s is busy: it answers while nothing runs in it", s.key.ID)
	}
	s.question = q
	return nil
}

// brokenOff is why there is no reply: the session has ended, or its connection broke with cause.
func (s *Session) brokenOff(cause error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return s.overError()
	}
	return &Error{Code: CodeEngine, Message: "the connection to the session's container broke", Err: cause}
}

// settle no longer waits for q's reply.
func (s *Session) settle(q *question) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.question == q {
		s.question = nil
	}
}

// answered takes a frame that may be the reply to the question. An error means that the container broke the protocol.
func (s *Session) answered(f wire.Frame) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.question
	if q == nil || q.id != f.Execution || f.Type != wire.Answer && f.Type != wire.Reject {
		return nil
	}
	if len(f.Payload) > wire.MaxPayload {
		return wire.BadMessage
	}
	s.question = nil
	q.reply <- wire.Frame{Type: f.Type, Payload: bytes.Clone(f.Payload)}
	return nil
}

// unanswered needs mu. It tells whoever waits that no reply will come.
func (s *Session) unanswered() {
	if s.question != nil {
		close(s.question.reply)
		s.question = nil
	}
}
