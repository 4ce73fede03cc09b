package sandbox

import (
	"io"
	"net"
	"testing"

	"github.com/gjyotin305/fastpyrepl/sandbox/wire"
)

// A context that the driver does not take, for code that hangs, must not keep the daemon.
func TestSendBlobs_EndsWhenTheExecutionIsLeftToAnotherDaemon(t *testing.T) {
	ours, theirs := net.Pipe()
	defer ours.Close()
	s := &Session{container: &container{link: &link{stream: ours}}}
	e := newExecution(s, Request{Context: &Blob{Data: make([]byte, wire.Window+1)}}, ExecutionConfig{})
	sent := make(chan error, 1)
	go func() { sent <- s.sendBlobs(e) }()
	if _, err := io.CopyN(io.Discard, theirs, wire.Window); err != nil { // as far as it may without a grant, but for the headers
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, theirs) }()
	close(e.left)
	if err := <-sent; err != nil {
		t.Error(err)
	}
}
