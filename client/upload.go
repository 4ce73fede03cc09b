package client

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
)

// upload is a body that is sent as it is read. It remembers why it could not be read, which is not the network's fault.
type upload struct {
	r      io.Reader
	closer io.Closer // of what r reads; nil for none
	kind   string    // media type
	size   int64     // negative where nobody knows
	sent   int64
	closed atomic.Bool
	failed atomic.Pointer[error]
}

func newUpload(r io.Reader, size int64, kind string) *upload {
	u := &upload{r: r, size: size, kind: kind}
	u.closer, _ = r.(io.Closer)
	if size >= 0 {
		u.r = io.LimitReader(r, size)
	}
	return u
}

func (u *upload) Read(p []byte) (int, error) {
	n, err := u.r.Read(p)
	u.sent += int64(n)
	if errors.Is(err, io.EOF) && u.sent < u.size {
		err = fmt.Errorf("it has %d bytes, not %d", u.sent, u.size)
	}
	if err != nil && !errors.Is(err, io.EOF) && !u.closed.Load() {
		u.failed.Store(&err)
	}
	return n, err
}

// Close is called when no more is sent. A Read that waits is over then.
func (u *upload) Close() error {
	if u.closed.Swap(true) || u.closer == nil {
		return nil
	}
	return u.closer.Close()
}

// attach makes it the body of a request. The daemon may refuse it before it is sent.
func (u *upload) attach(req *http.Request) {
	req.Body, req.ContentLength = u, u.size
	if u.size == 0 { // which net/http takes for unknown
		req.Body = http.NoBody
	}
	req.Header.Set("Content-Type", u.kind)
	req.Header.Set("Expect", "100-continue")
}

// err is why it could not be read, nil when it could.
func (u *upload) err() error {
	if failed := u.failed.Load(); failed != nil {
		return fmt.Errorf("read what is to be sent: %w", *failed)
	}
	return nil
}
