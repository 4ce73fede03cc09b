package sandbox

import (
	"context"
	"io"
	"time"
)

// Runtime starts and finds the containers that sessions live in.
type Runtime interface {
	// Start creates and starts a container whose supervisor waits for HELLO on the stream that Attach gives.
	// On error nothing is left behind. An image that cannot serve is an Error with CodeImage, one that is
	// not on the allow-list one with CodeInvalid.
	Start(ctx context.Context, spec Spec) (Instance, error)
	// Check refuses, with CodeInvalid and without asking the engine, a spec that Start would refuse for what it asks for.
	// Spec.Session, which nobody asks for, need not be set.
	Check(spec Spec) error
	// List returns every container with this owner's labels, also those that never started.
	List(ctx context.Context) ([]Instance, error)
	// Updates tells whether Instance.Update may turn a container with the limits from into one with the limits to.
	Updates(from, to Limits) bool
	// Ping tells whether the engine answers.
	Ping(ctx context.Context) error
	// Close releases the client. It does not touch containers.
	Close() error
}

// Instance is one container.
type Instance interface {
	// ID is the container's name for logs and humans; it has no meaning outside its Runtime.
	ID() string
	// Spec is what the container was made from, as far as its labels tell.
	Spec() Spec
	// Attach opens the supervisor's stdin and stdout. Reading must never stall: an engine whose attach stream is not
	// drained cannot kill the container. Closing it does not end the container. It may be called again.
	// SetDeadline on the stream is honoured.
	Attach(ctx context.Context) (Stream, error)
	// Update changes limits of the running container and verifies them. A limit that cannot change live is an error
	// with CodeUnsupported, and nothing has changed.
	Update(ctx context.Context, l Limits) error
	// Usage reads what the container uses now.
	Usage(ctx context.Context) (Usage, error)
	// Wait blocks until the container has ended, and says how.
	Wait(ctx context.Context) (ExitStatus, error)
	// Destroy ends and removes the container. It is idempotent; not found is success. Close the stream first.
	Destroy(ctx context.Context) error
}

// Stream is an attached supervisor.
type Stream interface {
	io.ReadWriteCloser
	SetReadDeadline(t time.Time) error
	SetWriteDeadline(t time.Time) error
}

// Spec says what container to start. The network cannot be asked for.
type Spec struct {
	// Session is the session's id for labels: a UUID of the daemon's, never the client's text.
	Session string
	// Image is a name from the YAML's allow-list, "" for the default one. Never a free reference.
	Image string
	// Limits bound the container.
	Limits Limits
	// Preload are modules that the driver imports before the first cell.
	Preload []string
	// Env adds to the minimal environment of user code.
	Env map[string]string
	// Lease ends the container when no daemon has spoken to it for so long; 0 is never.
	Lease time.Duration
}

// Limits bound one session's container. Every field must be set.
type Limits struct {
	Memory  int64   // bytes; swap is never added
	CPUs    float64 // cores
	Pids    int64   // processes and threads
	WorkDir int64   // bytes of the working directory (tmpfs, counted as memory)
	Tmp     int64   // bytes of /tmp (tmpfs, counted as memory)
	Shm     int64   // bytes of /dev/shm (counted as memory)
	Inodes  int64   // files in each of the above
	NoFile  int64   // open files of one process
}

// Usage is what a container uses.
type Usage struct {
	Memory  int64         // bytes
	CPUTime time.Duration // since its start
	Pids    int64
}

// ExitStatus says how a container ended.
type ExitStatus struct {
	Code      int
	OOMKilled bool // evidence that some process met the memory limit, not that it was why the container ended
	Message   string
}
