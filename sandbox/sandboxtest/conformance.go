package sandboxtest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/gjyotin305/fastpyrepl/sandbox/wire"
)

// conformanceTimeout bounds one step of the suite.
const conformanceTimeout = 60 * time.Second

// RunConformance checks what every Runtime promises. newRuntime makes one, which must have no instances; the suite
// destroys those that it starts, and newRuntime sees to the closing. spec is what it can start.
func RunConformance(t *testing.T, spec sandbox.Spec, newRuntime func(*testing.T) sandbox.Runtime) {
	for name, check := range map[string]func(*conformance){
		"start gives an instance made from the spec":   (*conformance).start,
		"the supervisor answers and executes":          (*conformance).execute,
		"files go in and out":                          (*conformance).files,
		"instances are apart":                          (*conformance).apart,
		"a cancelled start leaves nothing":             (*conformance).cancelled,
		"the stream honours deadlines":                 (*conformance).deadlines,
		"what cannot be is refused before a start":     (*conformance).check,
		"an update changes all or nothing":             (*conformance).update,
		"usage is read":                                (*conformance).usage,
		"wait tells the end that the supervisor chose": (*conformance).wait,
		"wait heeds its context":                       (*conformance).waitCancelled,
		"destroy ends everything, and again":           (*conformance).destroy,
		"ping answers":                                 (*conformance).ping,
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), conformanceTimeout)
			defer cancel()
			check(&conformance{T: t, ctx: ctx, spec: spec, rt: newRuntime(t)})
		})
	}
}

// conformance is one check under way.
type conformance struct {
	*testing.T
	ctx  context.Context
	spec sandbox.Spec
	rt   sandbox.Runtime
}

// begin starts an instance for a session of its own.
func (c *conformance) begin() sandbox.Instance {
	c.Helper()
	spec := c.spec
	spec.Session = uuid.NewString()
	i, err := c.rt.Start(c.ctx, spec)
	if err != nil {
		c.Fatalf("start: %v", err)
	}
	c.Cleanup(func() {
		if err := i.Destroy(context.WithoutCancel(c.ctx)); err != nil {
			c.Errorf("destroy: %v", err)
		}
	})
	return i
}

// ids are those of all instances that are listed.
func (c *conformance) ids() []string {
	c.Helper()
	all, err := c.rt.List(c.ctx)
	if err != nil {
		c.Fatalf("list: %v", err)
	}
	var ids []string
	for _, i := range all {
		ids = append(ids, i.ID())
	}
	slices.Sort(ids)
	return ids
}

// peer speaks the protocol with a supervisor.
type peer struct {
	sandbox.Stream
	decoder *wire.Decoder
}

// attach opens the stream and greets the supervisor.
func (c *conformance) attach(i sandbox.Instance) *peer {
	c.Helper()
	s, err := i.Attach(c.ctx)
	if err != nil {
		c.Fatalf("attach: %v", err)
	}
	if deadline, ok := c.ctx.Deadline(); ok {
		if err := errors.Join(s.SetReadDeadline(deadline), s.SetWriteDeadline(deadline)); err != nil {
			c.Fatalf("set deadlines: %v", err)
		}
	}
	nonce := make([]byte, 16)
	rand.Read(nonce)
	hello := wire.HelloMessage{Protocol: wire.Version, Nonce: hex.EncodeToString(nonce), Lease: 60}
	p := &peer{Stream: s, decoder: wire.NewDecoder(s)}
	p.send(c, wire.Hello, uuid.Nil, wire.Marshal(hello))
	if _, err := p.decoder.Sync(hello, 1); err != nil {
		c.Fatalf("the supervisor does not answer: %v", err)
	}
	return p
}

func (p *peer) send(c *conformance, typ wire.Type, execution uuid.UUID, payload []byte) {
	c.Helper()
	if _, err := p.Write(wire.AppendMessage(nil, wire.Frame{Type: typ, Epoch: 1, Execution: execution, Payload: payload})); err != nil {
		c.Fatalf("write: %v", err)
	}
}

func (c *conformance) start() {
	i := c.begin()
	if i.ID() == "" {
		c.Error("the instance has no id")
	}
	if got := i.Spec(); got.Limits != c.spec.Limits || got.Image != c.spec.Image || got.Session == "" {
		c.Errorf("spec: got %+v, want %+v", got, c.spec)
	}
	if got, want := c.ids(), []string{i.ID()}; !slices.Equal(got, want) {
		c.Errorf("list: got %q, want %q", got, want)
	}
}

func (c *conformance) execute() {
	p := c.attach(c.begin())
	id := uuid.New()
	p.send(c, wire.Execute, id, wire.MarshalExecute(wire.ExecuteMessage{
		Code: "print(6 * 7)", Timeout: 30, Grace: 1, MaxStdout: 1 << 10, MaxStderr: 1 << 10, MaxDisplay: 1 << 10,
	}))
	for {
		f, err := p.decoder.NextMessage()
		if err != nil {
			c.Fatalf("read: %v", err)
		}
		if f.Type != wire.Done {
			continue
		}
		var done wire.DoneMessage
		if err := wire.Unmarshal(f.Payload, &done); err != nil {
			c.Fatal(err)
		}
		if f.Execution != id || done.Outcome != "ok" || !done.StateKept {
			c.Errorf("done: got %+v of %s", done, f.Execution)
		}
		return
	}
}

func (c *conformance) files() {
	p := c.attach(c.begin())
	const text = "what is written is read"
	transfer := func(m wire.FileOpenMessage, data string) (got string, done wire.FileDoneMessage) {
		id := uuid.New()
		p.send(c, wire.FileOpen, id, wire.Marshal(m))
		if m.Op == wire.FileWrite {
			p.send(c, wire.FileData, id, []byte(data))
			p.send(c, wire.FileEnd, id, nil)
		}
		for {
			f, err := p.decoder.NextMessage()
			if err != nil {
				c.Fatalf("read: %v", err)
			}
			switch {
			case f.Execution != id:
			case f.Type == wire.FileBytes:
				got += string(f.Payload)
			case f.Type == wire.FileDone:
				if err := wire.Unmarshal(f.Payload, &done); err != nil {
					c.Fatal(err)
				}
				return got, done
			}
		}
	}
	if _, done := transfer(wire.FileOpenMessage{Op: wire.FileWrite, Path: "d/f"}, text); done.Error != nil || !done.Created {
		c.Errorf("written: %+v, %+v", done, done.Error)
	}
	if got, done := transfer(wire.FileOpenMessage{Op: wire.FileRead, Path: "d/f"}, ""); got != text || done.Error != nil {
		c.Errorf("read: %q, %+v", got, done.Error)
	}
	if _, done := transfer(wire.FileOpenMessage{Op: wire.FileRead, Path: "d/none"}, ""); done.Error == nil || done.Error.Code != wire.FileNotFound {
		c.Errorf("of nothing: %+v", done.Error)
	}
}

func (c *conformance) apart() {
	one, two := c.begin(), c.begin()
	if one.ID() == two.ID() {
		c.Fatalf("both are %s", one.ID())
	}
	if one.Spec().Session == two.Spec().Session {
		c.Error("both have the same session")
	}
	c.attach(one)
	if err := one.Destroy(c.ctx); err != nil {
		c.Fatalf("destroy: %v", err)
	}
	if got, want := c.ids(), []string{two.ID()}; !slices.Equal(got, want) {
		c.Errorf("list: got %q, want %q", got, want)
	}
	c.attach(two)
}

func (c *conformance) cancelled() {
	ctx, cancel := context.WithCancel(c.ctx)
	cancel()
	if _, err := c.rt.Start(ctx, c.spec); err == nil {
		c.Error("start went on")
	}
	if got := c.ids(); len(got) != 0 {
		c.Errorf("%q are left behind", got)
	}
}

func (c *conformance) deadlines() {
	p := c.attach(c.begin())
	if err := p.SetReadDeadline(time.Now()); err != nil {
		c.Fatal(err)
	}
	if _, err := p.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		c.Errorf("read: got %v, want %v", err, os.ErrDeadlineExceeded)
	}
	if err := p.SetReadDeadline(time.Now().Add(conformanceTimeout)); err != nil {
		c.Fatal(err)
	}
	p.send(c, wire.Shutdown, uuid.Nil, nil)
	if _, err := io.Copy(io.Discard, p); err != nil && !errors.Is(err, io.ErrClosedPipe) {
		c.Errorf("read after the deadline: %v", err)
	}
}

func (c *conformance) check() {
	if err := c.rt.Check(c.spec); err != nil {
		c.Errorf("a good spec: %v", err)
	}
	bad := c.spec
	bad.Limits.Pids = -1
	if err := c.rt.Check(bad); sandbox.ErrorCode(err) != sandbox.CodeInvalid {
		c.Errorf("a bad one: %v", err)
	}
	bad.Session = uuid.NewString()
	if _, err := c.rt.Start(c.ctx, bad); sandbox.ErrorCode(err) != sandbox.CodeInvalid {
		c.Errorf("a start of it: %v", err)
	}
}

func (c *conformance) update() {
	i := c.begin()
	before := i.Spec().Limits
	more := before
	more.Pids++
	err := i.Update(c.ctx, more)
	if says := c.rt.Updates(before, more); says != (err == nil) {
		c.Errorf("the runtime says %v of a change, and update says %v", says, err)
	}
	switch {
	case err == nil && i.Spec().Limits != more:
		c.Errorf("updated: got %+v, want %+v", i.Spec().Limits, more)
	case err != nil && (sandbox.ErrorCode(err) != sandbox.CodeUnsupported || i.Spec().Limits != before):
		c.Errorf("refused: got %v with %+v, want code %s with %+v", err, i.Spec().Limits, sandbox.CodeUnsupported, before)
	}
	before = i.Spec().Limits
	other := before
	other.WorkDir *= 2
	other.Pids++
	if c.rt.Updates(before, other) {
		c.Error("the runtime says that the size of a disk can change")
	}
	if err := i.Update(c.ctx, other); err != nil && (sandbox.ErrorCode(err) != sandbox.CodeUnsupported || i.Spec().Limits != before) {
		c.Errorf("partly refused: got %v with %+v, want code %s with %+v", err, i.Spec().Limits, sandbox.CodeUnsupported, before)
	}
}

func (c *conformance) usage() {
	i := c.begin()
	c.attach(i)
	usage, err := i.Usage(c.ctx)
	if err != nil {
		c.Fatal(err)
	}
	if usage.Memory <= 0 || usage.Memory > c.spec.Limits.Memory || usage.CPUTime <= 0 || usage.Pids <= 0 || usage.Pids > c.spec.Limits.Pids {
		c.Errorf("got %+v", usage)
	}
}

func (c *conformance) wait() {
	i := c.begin()
	c.attach(i).send(c, wire.Shutdown, uuid.Nil, nil)
	status, err := i.Wait(c.ctx)
	if err != nil || status.Code != 0 || status.OOMKilled {
		c.Errorf("got %+v, %v, want code 0", status, err)
	}
	again, err := i.Wait(c.ctx)
	if err != nil || again != status {
		c.Errorf("again: got %+v, %v, want %+v", again, err, status)
	}
}

func (c *conformance) waitCancelled() {
	i := c.begin()
	ctx, cancel := context.WithCancel(c.ctx)
	cancel()
	if _, err := i.Wait(ctx); !errors.Is(err, context.Canceled) {
		c.Errorf("got %v, want %v", err, context.Canceled)
	}
}

func (c *conformance) destroy() {
	i := c.begin()
	p := c.attach(i)
	waited := make(chan error, 1)
	go func() {
		_, err := i.Wait(c.ctx)
		waited <- err
	}()
	cancelled, cancel := context.WithCancel(c.ctx)
	cancel() // as when the request that led to it is gone
	for range 2 {
		if err := i.Destroy(cancelled); err != nil {
			c.Errorf("destroy: %v", err)
		}
	}
	if err := <-waited; err != nil {
		c.Errorf("wait: %v", err)
	}
	if _, err := io.Copy(io.Discard, p); errors.Is(err, os.ErrDeadlineExceeded) {
		c.Error("the stream is open")
	}
	if got := c.ids(); len(got) != 0 {
		c.Errorf("list: got %q, want none", got)
	}
	s, err := i.Attach(c.ctx)
	if err != nil {
		return
	}
	if _, err := s.Read(make([]byte, 1)); err == nil {
		c.Error("the supervisor still speaks")
	}
}

func (c *conformance) ping() {
	if err := c.rt.Ping(c.ctx); err != nil {
		c.Error(err)
	}
}
