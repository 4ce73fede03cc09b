package sandboxtest

import (
	"bytes"
	"io"
	"net"
	"slices"
	"strings"
	"sync"

	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/gjyotin305/fastpyrepl/sandbox/wire"
	"github.com/google/uuid"
)

// Call is one EXECUTE that a script answers.
type Call struct {
	Message wire.ExecuteMessage
	Context []byte
	Stdin   []byte
	// Interrupted is closed by an INTERRUPT.
	Interrupted <-chan struct{}
	// Input receives the answers to INPUT_REQUEST; nil is the end of file.
	Input <-chan *string
	// Killed is closed when the instance is destroyed.
	Killed <-chan struct{}

	id          uuid.UUID
	driver      *driver
	lostAt      int // the execution at which the variables were lost that this one does not find
	interrupted chan struct{}
	once        sync.Once // closes interrupted
	input       chan *string
}

// Echo prints the code and ends well.
func Echo(c *Call) {
	c.Send(wire.Stdout, []byte(c.Message.Code))
	c.Done(wire.DoneMessage{Outcome: "ok", StateKept: true})
}

// Send sends a message of the execution.
func (c *Call) Send(t wire.Type, payload []byte) {
	if t == wire.State {
		c.driver.lose()
	}
	c.driver.send(t, c.id, payload)
}

// Done sends DONE, with the count where it was not set, and with what the execution has to say of the variables.
func (c *Call) Done(m wire.DoneMessage) {
	if m.ExecutionCount == 0 {
		m.ExecutionCount = c.driver.next(c.Message.Name == "")
	}
	m.StateLostAt = c.lostAt
	if !m.StateKept {
		c.driver.lose()
	}
	c.Send(wire.Done, wire.Marshal(m))
}

// Raw sends bytes that need not be a frame.
func (c *Call) Raw(b []byte) { _, _ = c.driver.current().Write(b) }

// Exit ends the container.
func (c *Call) Exit(code int) {
	c.driver.mu.Lock()
	c.driver.code = code
	c.driver.mu.Unlock()
	c.driver.kill()
}

// driver plays the supervisor, over one attachment after the other.
type driver struct {
	play func(*Call)
	// playFile serves a transfer.
	playFile func(*FileCall)
	answer   func(wire.Type, wire.QuestionMessage) (wire.Type, []byte)
	killed   chan struct{}
	ended    chan struct{} // closed when nothing of it is left
	once     sync.Once
	conns    sync.WaitGroup
	plays    sync.WaitGroup

	mu    sync.Mutex
	conn  net.Conn // guarded by mu; the driver's end
	epoch uint32   // guarded by mu
	count int      // guarded by mu
	lost  int      // guarded by mu; the execution at which the variables were lost, 0 once another has begun
	code  int      // guarded by mu
	kept  []*kept  // guarded by mu; in the order they began
	call  *Call    // guarded by mu; the one that runs
	took  int64    // guarded by mu; bytes of its blobs that are to come

	muted     bool                    // guarded by mu; nothing is said to the current attachment
	frozen    bool                    // guarded by mu; nothing is read any more
	pings     int                     // guarded by mu
	transfers map[uuid.UUID]*FileCall // guarded by mu
}

// kept is an execution that was not acknowledged.
type kept struct {
	wire.KeptExecution
	id       uuid.UUID
	messages []wire.Frame
}

func newDriver(play func(*Call), playFile func(*FileCall), answer func(wire.Type, wire.QuestionMessage) (wire.Type, []byte)) *driver {
	d := &driver{
		play: play, playFile: playFile, answer: answer, killed: make(chan struct{}), ended: make(chan struct{}),
		transfers: map[uuid.UUID]*FileCall{},
	}
	go func() {
		<-d.killed
		d.dropFiles()
		d.conns.Wait()
		d.plays.Wait()
		close(d.ended)
	}()
	return d
}

// attach opens a stream in the place of the last one.
func (d *driver) attach() (net.Conn, error) {
	daemonSide, driverSide := net.Pipe()
	d.mu.Lock()
	defer d.mu.Unlock()
	select {
	case <-d.killed:
		return nil, sandbox.Errorf(sandbox.CodeLost, "the container has ended")
	default:
	}
	if d.conn != nil {
		d.conn.Close()
	}
	d.conn = driverSide
	d.conns.Go(func() { d.serve(driverSide) })
	return daemonSide, nil
}

func (d *driver) current() net.Conn {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.conn
}

// serve answers the frames of one attachment.
func (d *driver) serve(conn net.Conn) {
	dec := wire.NewDecoder(&unpadded{r: conn})
	for {
		f, err := dec.NextMessage()
		if err != nil {
			return
		}
		if d.freezes() {
			<-d.killed
			return
		}
		switch f.Type {
		case wire.Hello:
			d.hello(f)
		case wire.Shutdown:
			d.kill()
			return
		default:
			if f.Type.OfFiles() {
				d.takeFile(f)
			} else {
				d.take(f)
			}
		}
	}
}

func (d *driver) freezes() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.frozen
}

// take handles a frame that is not about the attachment.
func (d *driver) take(f wire.Frame) {
	d.mu.Lock()
	call := d.call
	d.mu.Unlock()
	switch f.Type {
	case wire.Ping:
		d.mu.Lock()
		d.pings++
		d.mu.Unlock()
	case wire.Execute:
		d.execute(f)
	case wire.Ack:
		d.mu.Lock()
		d.kept = slices.DeleteFunc(d.kept, func(k *kept) bool { return k.id == f.Execution && !k.Running })
		d.mu.Unlock()
	case wire.Data:
		if blob := call.Message.Context; blob != nil && int64(len(call.Context)) < blob.Size {
			call.Context = append(call.Context, f.Payload...)
		} else {
			call.Stdin = append(call.Stdin, f.Payload...)
		}
		consumed := int64(len(call.Context) + len(call.Stdin))
		call.Send(wire.WindowGrant, wire.Marshal(wire.WindowMessage{Consumed: consumed}))
		if d.took -= int64(len(f.Payload)); d.took == 0 {
			d.plays.Go(func() { d.play(call) })
		}
	case wire.Interrupt:
		if call != nil && call.id == f.Execution {
			call.once.Do(func() { close(call.interrupted) })
		}
	case wire.Variables, wire.Complete, wire.IsComplete, wire.Inspect:
		d.plays.Go(func() { d.reply(f) })
	case wire.Input:
		var m wire.InputMessage
		if wire.Unmarshal(f.Payload, &m) == nil {
			call.input <- m.Text
		}
	}
}

// reply answers a question.
func (d *driver) reply(f wire.Frame) {
	var q wire.QuestionMessage
	t, payload := wire.Reject, wire.Marshal(wire.RejectMessage{Code: wire.RejectBusy, Message: "busy"})
	if d.answer != nil && wire.Unmarshal(f.Payload, &q) == nil {
		t, payload = d.answer(f.Type, q)
	}
	d.send(t, f.Execution, payload)
}

func (d *driver) execute(f wire.Frame) {
	c := &Call{id: f.Execution, driver: d, interrupted: make(chan struct{}), input: make(chan *string, 1), Killed: d.killed}
	c.Interrupted, c.Input = c.interrupted, c.input
	var err error
	if c.Message, err = wire.UnmarshalExecute(f.Payload); err != nil {
		return
	}
	d.mu.Lock()
	if slices.ContainsFunc(d.kept, func(k *kept) bool { return k.id == c.id }) {
		d.mu.Unlock()
		d.send(wire.Reject, c.id, wire.Marshal(wire.RejectMessage{Code: wire.RejectDuplicate}))
		return
	}
	d.call = c
	c.lostAt, d.lost = d.lost, 0
	d.kept = append(d.kept, &kept{id: c.id, KeptExecution: wire.KeptExecution{
		ID: c.id.String(), Meta: c.Message.Meta, Running: true, Count: d.count + 1,
	}})
	for _, blob := range []*wire.Blob{c.Message.Context, c.Message.Stdin} {
		if blob != nil {
			d.took += blob.Size
		}
	}
	waits := d.took > 0
	d.mu.Unlock()
	if !waits {
		d.plays.Go(func() { d.play(c) })
	}
}

// hello answers, and tells again what was not acknowledged.
func (d *driver) hello(f wire.Frame) {
	var m wire.HelloMessage
	if wire.Unmarshal(f.Payload, &m) != nil {
		return
	}
	d.dropFiles()
	ready := wire.ReadyMessage{Protocol: wire.Version, Nonce: m.Nonce, Driver: "fake", Worker: 1}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.epoch, d.muted = f.Epoch, false
	ready.ExecutionCount, ready.StateLostAt = d.count, d.lost
	for _, k := range d.kept {
		ready.Executions = append(ready.Executions, k.KeptExecution)
	}
	d.write(wire.Frame{Type: wire.Ready, Payload: wire.Marshal(ready)})
	for _, k := range d.kept {
		for _, message := range k.messages {
			d.write(message)
		}
	}
}

func (d *driver) send(t wire.Type, id uuid.UUID, payload []byte) {
	for (t == wire.Stdout || t == wire.Stderr) && len(payload) > wire.MaxPayload {
		d.send(t, id, payload[:wire.MaxPayload])
		payload = payload[wire.MaxPayload:]
	}
	f := wire.Frame{Type: t, Execution: id, Payload: payload}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, k := range d.kept {
		if k.id == id && t != wire.Reject && t != wire.WindowGrant {
			f.Seq = uint32(len(k.messages) + 1)
			k.messages = append(k.messages, f)
			k.Running = k.Running && t != wire.Done
		}
	}
	d.write(f)
}

// write needs mu. A stream that was closed drops what is written.
func (d *driver) write(f wire.Frame) {
	if d.muted {
		return
	}
	f.Epoch = d.epoch
	_, _ = d.conn.Write(wire.AppendMessage(nil, f))
}

// next numbers an execution that counts.
func (d *driver) next(counts bool) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	if counts {
		d.count++
	}
	return d.count
}

// lose notes that the variables are gone.
func (d *driver) lose() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lost = max(d.count, 1)
}

func (d *driver) exitCode() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.code
}

func (d *driver) kill() {
	d.once.Do(func() {
		close(d.killed)
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.conn != nil {
			d.conn.Close()
		}
	})
}

// unpadded leaves out the zero bytes that begin an attachment to a container which was attached to before.
type unpadded struct {
	r     io.Reader
	begun bool
}

func (u *unpadded) Read(p []byte) (int, error) {
	for {
		n, err := u.r.Read(p)
		if !u.begun {
			rest := bytes.TrimLeft(p[:n], "\x00")
			u.begun = len(rest) > 0
			n = copy(p, rest)
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// Script answers by the first word of the code, for tests that need several behaviours at once.
func Script(plays map[string]func(*Call)) func(*Call) {
	return func(c *Call) {
		word, _, _ := strings.Cut(c.Message.Code, " ")
		if play := plays[word]; play != nil {
			play(c)
			return
		}
		Echo(c)
	}
}
