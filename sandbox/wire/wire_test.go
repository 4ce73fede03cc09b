package wire_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/gjyotin305/fastpyrepl/sandbox/wire"
	"github.com/google/uuid"
)

var hello = wire.HelloMessage{Protocol: wire.Version, Nonce: strings.Repeat("ab", 16)}

func ready(nonce string, epoch uint32) []byte {
	return wire.AppendFrame(nil, wire.Frame{
		Type: wire.Ready, Epoch: epoch, Payload: wire.Marshal(wire.ReadyMessage{Protocol: wire.Version, Nonce: nonce}),
	})
}

func TestDecoder_RoundTrip(t *testing.T) {
	id := uuid.New()
	want := []wire.Frame{
		{Type: wire.Stdout, Epoch: 7, Seq: 1, Execution: id, Payload: []byte("hello")},
		{Type: wire.Done, Epoch: 7, Seq: 2, Execution: id, Payload: []byte("{}")},
		{Type: wire.Stdout, Epoch: 1<<32 - 1, Seq: 1<<32 - 1, Execution: id, Payload: bytes.Repeat([]byte{0}, wire.MaxPayload)},
		{Type: wire.Pong, Epoch: 7},
	}
	var b []byte
	for _, f := range want {
		b = wire.AppendFrame(b, f)
	}
	dec := wire.NewDecoder(bytes.NewReader(b))
	for i, w := range want {
		got, err := dec.Next()
		if err != nil {
			t.Fatal(err)
		}
		if got.Type != w.Type || got.Epoch != w.Epoch || got.Seq != w.Seq || got.Execution != w.Execution || !bytes.Equal(got.Payload, w.Payload) {
			t.Errorf("frame %d is not what was sent", i)
		}
	}
	if _, err := dec.Next(); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
}

func TestDecoder_JoinsSplitMessages(t *testing.T) {
	long := []byte(`{"x":"` + strings.Repeat("y", 3*wire.MaxPayload) + `"}`)
	b := wire.AppendMessage(nil, wire.Frame{Type: wire.Locals, Payload: long})
	// A frame of another type may stand between the parts.
	cut := wire.HeaderSize + wire.MaxPayload
	b = append(b[:cut:cut], append(wire.AppendFrame(nil, wire.Frame{Type: wire.Stdout, Payload: []byte("z")}), b[cut:]...)...)
	dec := wire.NewDecoder(bytes.NewReader(b))
	if f, err := dec.NextMessage(); err != nil || f.Type != wire.Stdout {
		t.Fatalf("first: %v, %v", f.Type, err)
	}
	if f, err := dec.NextMessage(); err != nil || !bytes.Equal(f.Payload, long) {
		t.Fatalf("joined: %d bytes, %v", len(f.Payload), err)
	}
}

func TestDecoder_DropsAMessageThatIsNotWholeAtDone(t *testing.T) {
	var stream []byte
	for _, f := range []wire.Frame{
		{Type: wire.Locals, More: true, Payload: []byte("half of the first execution's")},
		{Type: wire.Done, Payload: []byte("{}")},
		{Type: wire.Locals, Payload: []byte("all of the second's")},
	} {
		stream = wire.AppendFrame(stream, f)
	}
	d := wire.NewDecoder(bytes.NewReader(stream))
	for _, want := range []string{"{}", "all of the second's"} {
		f, err := d.NextMessage()
		if err != nil {
			t.Fatal(err)
		}
		if got := string(f.Payload); got != want {
			t.Errorf("payload: got %q, want %q", got, want)
		}
	}
}

func TestDecoder_RefusesAMessageWithoutEnd(t *testing.T) {
	part := wire.AppendFrame(nil, wire.Frame{Type: wire.Locals, More: true, Payload: make([]byte, wire.MaxPayload)})
	dec := wire.NewDecoder(bytes.NewReader(bytes.Repeat(part, wire.MaxMessage/wire.MaxPayload+1)))
	if _, err := dec.NextMessage(); !errors.Is(err, wire.BadMessage) {
		t.Errorf("got %v", err)
	}
}

func TestDecoder_SyncSkipsWhatAnEarlierAttachmentLeft(t *testing.T) {
	old := wire.AppendFrame(nil, wire.Frame{Type: wire.Stdout, Epoch: 3, Payload: []byte("FPY1 of an older epoch")})
	for cut := range old {
		b := append(bytes.Clone(old[cut:]), old...)
		b = append(b, "FPY FPY1"...)
		b = append(b, ready("wrong nonce", 9)...)
		b = append(b, ready(hello.Nonce, 8)...)
		b = append(b, ready(hello.Nonce, 9)...)
		b = append(b, wire.AppendFrame(nil, wire.Frame{Type: wire.Pong, Epoch: 9})...)
		dec := wire.NewDecoder(bytes.NewReader(b))
		if _, err := dec.Sync(hello, 9); err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		if f, err := dec.Next(); err != nil || f.Type != wire.Pong {
			t.Fatalf("cut at %d: after READY: %v, %v", cut, f.Type, err)
		}
	}
}

func TestDecoder_SyncGivesUpOnEndlessGarbage(t *testing.T) {
	for name, garbage := range map[string][]byte{
		"bytes":  []byte("FPY"),
		"frames": wire.AppendFrame(nil, wire.Frame{Type: wire.Stdout, Payload: []byte("x")}),
	} {
		dec := wire.NewDecoder(endless{garbage})
		if _, err := dec.Sync(hello, 1); !errors.Is(err, wire.BadMagic) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// endless repeats its bytes for ever.
type endless struct{ b []byte }

func (e endless) Read(p []byte) (int, error) {
	n := 0
	for n+len(e.b) <= len(p) {
		n += copy(p[n:], e.b)
	}
	if n == 0 {
		n = copy(p, e.b)
	}
	return n, nil
}

func TestMessages_LocalsKeysMayBeNull(t *testing.T) {
	if got := string(wire.Marshal(wire.LocalsRequest{MaxValue: 1, MaxTotal: 2})); got != `{"keys":null,"max_value":1,"max_total":2}` {
		t.Errorf("got %s", got)
	}
}

func TestUnmarshal_RefusesWhatPythonAndGoMightReadDifferently(t *testing.T) {
	for _, bad := range []string{`{"message":"a","message":"b"}`, `{"message":"\ud800"}`, "{\"message\":\"\xff\"}", `{} {}`, `{`, ``, `[]`} {
		var m wire.FaultMessage
		if err := wire.Unmarshal([]byte(bad), &m); !wire.IsBadFrame(err) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// FuzzDecoder checks that no input makes the decoder panic, and that what it accepts it would have written itself.
func FuzzDecoder(f *testing.F) {
	f.Add(ready(hello.Nonce, 1))
	f.Add(append([]byte("xx"), ready(hello.Nonce, 1)...))
	f.Add(wire.AppendFrame(wire.AppendFrame(nil, wire.Frame{Type: wire.Locals, More: true, Payload: []byte("{")}), wire.Frame{Type: wire.Locals, Payload: []byte("}")}))
	f.Fuzz(func(t *testing.T, b []byte) {
		dec, used := wire.NewDecoder(bytes.NewReader(b)), 0
		for {
			fr, err := dec.Next()
			if err != nil {
				break
			}
			again := wire.AppendFrame(nil, fr)
			if !bytes.Equal(again, b[used:used+len(again)]) {
				t.Fatalf("accepted %x, would write %x", b[used:used+len(again)], again)
			}
			used += len(again)
		}
		dec = wire.NewDecoder(bytes.NewReader(b))
		for {
			if _, err := dec.NextMessage(); err != nil {
				break
			}
		}
		_, _ = wire.NewDecoder(bytes.NewReader(b)).Sync(hello, 1)
	})
}

func TestMessages_CodeFollowsItsExecute(t *testing.T) {
	want := wire.ExecuteMessage{Code: "print('é')\n\"\\\n", Timeout: 1, MaxStdout: 2}
	payload := wire.MarshalExecute(want)
	got, err := wire.UnmarshalExecute(payload)
	if err != nil || got.Code != want.Code || got.Timeout != want.Timeout || got.MaxStdout != want.MaxStdout {
		t.Errorf("got %+v, %v from %q", got, err, payload)
	}
	for _, bad := range []string{"", "{}", "\nx", "[]\nx", "{}\n\xff"} {
		if _, err := wire.UnmarshalExecute([]byte(bad)); !wire.IsBadFrame(err) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
