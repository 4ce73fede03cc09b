package sandboxtest

import (
	"net"
	"strings"
	"sync"

	"github.com/gjyotin305/fastpyrepl/sandbox/wire"
	"github.com/google/uuid"
)

// Call is one EXECUTE that a script answers.
type Call struct {
	Message wire.ExecuteMessage
	Context []byte
	// Interrupted is closed by an INTERRUPT.
	Interrupted <-chan struct{}
	// Input receives the answers to INPUT_REQUEST; nil is the end of file.
	Input <-chan *string
	// Killed is closed when the instance is destroyed.
	Killed <-chan struct{}

	id     uuid.UUID
	driver *driver
}

// Echo prints the code and ends well.
func Echo(c *Call) {
	c.Send(wire.Stdout, []byte(c.Message.Code))
	c.Done(wire.DoneMessage{Outcome: "ok", StateKept: true})
}

// Send sends a message of the execution.
func (c *Call) Send(t wire.Type, payload []byte) { c.driver.send(t, c.id, payload) }

// Done sends DONE, with the count where it was not set.
func (c *Call) Done(m wire.DoneMessage) {
	if m.ExecutionCount == 0 {
		m.ExecutionCount = c.driver.next(c.Message.Name == "")
	}
	c.Send(wire.Done, wire.Marshal(m))
}

// Raw sends bytes that need not be a frame.
func (c *Call) Raw(b []byte) { _, _ = c.driver.conn.Write(b) }

// Exit ends the container.
func (c *Call) Exit(code int) {
	c.driver.mu.Lock()
	c.driver.code = code
	c.driver.mu.Unlock()
	c.driver.conn.Close()
}

// driver plays the supervisor at its end of the stream.
type driver struct {
	conn   net.Conn
	play   func(*Call)
	killed chan struct{}
	once   sync.Once
	plays  sync.WaitGroup

	mu    sync.Mutex
	epoch uint32 // guarded by mu
	count int    // guarded by mu
	code  int    // guarded by mu
}

func newDriver(conn net.Conn, play func(*Call)) *driver {
	return &driver{conn: conn, play: play, killed: make(chan struct{})}
}

// serve answers frames until the stream ends.
func (d *driver) serve() {
	defer d.plays.Wait()
	defer d.kill()
	dec := wire.NewDecoder(d.conn)
	var pending *Call
	var interrupted chan struct{}
	var input chan *string
	var missing int64
	for {
		f, err := dec.NextMessage()
		if err != nil {
			return
		}
		switch f.Type {
		case wire.Hello:
			d.hello(f)
		case wire.Execute:
			interrupted = make(chan struct{})
			input = make(chan *string, 1)
			pending = &Call{id: f.Execution, driver: d, Interrupted: interrupted, Input: input, Killed: d.killed}
			if wire.Unmarshal(f.Payload, &pending.Message) != nil {
				return
			}
			if blob := pending.Message.Context; blob != nil {
				missing = blob.Size
			}
		case wire.Data:
			pending.Context = append(pending.Context, f.Payload...)
			missing -= int64(len(f.Payload))
			pending.Send(wire.WindowGrant, wire.Marshal(wire.WindowMessage{Consumed: int64(len(pending.Context))}))
		case wire.Interrupt:
			close(interrupted)
		case wire.Input:
			var m wire.InputMessage
			if wire.Unmarshal(f.Payload, &m) != nil {
				return
			}
			input <- m.Text
		case wire.Shutdown:
			return
		}
		if pending != nil && missing == 0 {
			c := pending
			pending = nil
			d.plays.Go(func() { d.play(c) })
		}
	}
}

func (d *driver) hello(f wire.Frame) {
	var m wire.HelloMessage
	if wire.Unmarshal(f.Payload, &m) != nil {
		return
	}
	d.mu.Lock()
	d.epoch = f.Epoch
	d.mu.Unlock()
	d.send(wire.Ready, uuid.Nil, wire.Marshal(wire.ReadyMessage{Protocol: wire.Version, Nonce: m.Nonce, Driver: "fake", Worker: 1}))
}

func (d *driver) send(t wire.Type, id uuid.UUID, payload []byte) {
	d.mu.Lock()
	b := wire.AppendMessage(nil, wire.Frame{Type: t, Epoch: d.epoch, Execution: id, Payload: payload})
	d.mu.Unlock()
	_, _ = d.conn.Write(b) // a stream that was closed ends serve
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

func (d *driver) exitCode() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.code
}

func (d *driver) kill() {
	d.once.Do(func() {
		close(d.killed)
		d.conn.Close()
	})
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
