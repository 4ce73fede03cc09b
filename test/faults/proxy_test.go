package faults_test

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"slices"
	"strings"
	"sync"
)

// proxy stands between a daemon and its engine, on a socket of its own.
type proxy struct {
	path   string
	engine http.RoundTripper

	mu      sync.Mutex
	server  *http.Server
	served  chan struct{} // closed when server has ended
	attach  map[*attachment]struct{}
	holds   []*hold
	stalled chan struct{} // nil, or closed when attachments go on
	spoilt  bool          // answers to calls are nonsense
}

// hold stops one call on its way to the engine, or the answer to it on the way back.
type hold struct {
	method, suffix string // of the call
	answer         bool   // it is the answer that is held
	arrived        chan struct{}
	released       chan struct{}
}

func newProxy(path, socket string) (*proxy, error) {
	p := &proxy{
		path: path,
		engine: &http.Transport{DisableCompression: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		}},
		attach: map[*attachment]struct{}{},
	}
	return p, p.open()
}

// open listens.
func (p *proxy) open() error {
	ln, err := net.Listen("unix", p.path)
	if err != nil {
		return err
	}
	if err := os.Chmod(p.path, 0o666); err != nil {
		return errors.Join(err, ln.Close())
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	server, served := &http.Server{Handler: &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = "http", "engine" },
		Transport:     p,
		FlushInterval: -1,
		ErrorLog:      log.New(io.Discard, "", 0),
		ErrorHandler:  func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }, // as if there were no proxy
	}}, make(chan struct{})
	p.server, p.served = server, served
	go func() {
		_ = server.Serve(ln)
		close(served)
	}()
	return nil
}

// gone removes the socket and ends every connection but the attachments.
func (p *proxy) gone() error {
	p.mu.Lock()
	server, served := p.server, p.served
	p.mu.Unlock()
	err := server.Close()
	<-served
	return err
}

// forbidden leaves a socket that nobody but root may use.
func (p *proxy) forbidden() error {
	if err := errors.Join(p.gone(), p.open()); err != nil {
		return err
	}
	return os.Chmod(p.path, 0)
}

// cut ends every connection, and the attachments.
func (p *proxy) cut() error {
	p.mu.Lock()
	for a := range p.attach {
		a.Close()
	}
	p.mu.Unlock()
	return errors.Join(p.gone(), p.open())
}

// stall stops what attachments say and are told; the function it returns lets them go on.
func (p *proxy) stall() (goOn func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	stalled := make(chan struct{})
	p.stalled = stalled
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.stalled = nil
		close(stalled)
	}
}

// garble lets change have the next piece that is said over the attachments to these containers.
func (p *proxy) garble(containers []string, change func(piece []byte)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for a := range p.attach {
		if slices.ContainsFunc(containers, func(id string) bool { return strings.Contains(a.path, id) }) {
			a.garble = change
		}
	}
}

// spoils makes nonsense of the engine's answers, until the function it returns is called. Streams are left alone.
func (p *proxy) spoils() (end func()) {
	set := func(to bool) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.spoilt = to
	}
	set(true)
	return func() { set(false) }
}

// hold stops the next call whose method and path are these, or its answer.
func (p *proxy) hold(method, suffix string, answer bool) *hold {
	h := &hold{method: method, suffix: suffix, answer: answer, arrived: make(chan struct{}), released: make(chan struct{})}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.holds = append(p.holds, h)
	return h
}

func (h *hold) release() { close(h.released) }

// take finds what holds a call.
func (p *proxy) take(r *http.Request) *hold {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, h := range p.holds {
		if h.method == r.Method && strings.HasSuffix(r.URL.Path, h.suffix) {
			p.holds = append(p.holds[:i:i], p.holds[i+1:]...)
			return h
		}
	}
	return nil
}

func (p *proxy) RoundTrip(r *http.Request) (*http.Response, error) {
	h := p.take(r)
	wait := func() error {
		close(h.arrived)
		select {
		case <-h.released:
			return nil
		case <-r.Context().Done():
			return r.Context().Err()
		}
	}
	if h != nil && !h.answer {
		if err := wait(); err != nil {
			return nil, err
		}
	}
	resp, err := p.engine.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if h != nil && h.answer {
		if err := wait(); err != nil {
			resp.Body.Close()
			return nil, err
		}
	}
	if conn, ok := resp.Body.(io.ReadWriteCloser); ok && resp.StatusCode == http.StatusSwitchingProtocols {
		a := &attachment{ReadWriteCloser: conn, proxy: p, path: r.URL.Path, closed: make(chan struct{})}
		p.mu.Lock()
		p.attach[a] = struct{}{}
		p.mu.Unlock()
		resp.Body = a
		return resp, nil
	}
	p.mu.Lock()
	spoilt := p.spoilt
	p.mu.Unlock()
	if spoilt {
		resp.Body.Close()
		resp.StatusCode, resp.ContentLength = http.StatusOK, -1
		resp.Header.Del("Content-Length")
		resp.Body = io.NopCloser(strings.NewReader("{\"Id\": 7, \"\x00\xff"))
	}
	return resp, nil
}

func (p *proxy) close() error {
	err := p.gone()
	p.mu.Lock()
	defer p.mu.Unlock()
	for a := range p.attach {
		go a.Close() // it takes the lock
	}
	return err
}

// attachment is the connection that a container's stdin, stdout and stderr go over.
type attachment struct {
	io.ReadWriteCloser
	proxy  *proxy
	path   string // of the call that made it
	once   sync.Once
	closed chan struct{}
	garble func([]byte) // guarded by the proxy's mu; nil, or what becomes of the next piece
	stuck  bool         // guarded by the proxy's mu
}

func (a *attachment) Read(b []byte) (int, error) {
	n, err := a.ReadWriteCloser.Read(b)
	a.wait(true)
	a.proxy.mu.Lock()
	defer a.proxy.mu.Unlock()
	if n > 0 && a.garble != nil {
		a.garble(b[:n])
		a.garble = nil
	}
	return n, err
}

func (a *attachment) Write(b []byte) (int, error) {
	a.wait(false)
	return a.ReadWriteCloser.Write(b)
}

func (a *attachment) wait(said bool) {
	a.proxy.mu.Lock()
	stalled, stuck := a.proxy.stalled, a.stuck
	a.proxy.mu.Unlock()
	if stalled == nil && !(said && stuck) {
		return
	}
	select {
	case <-stalled:
	case <-a.closed:
	}
}

func (a *attachment) Close() error {
	a.once.Do(func() { close(a.closed) })
	go func() { // whoever closes it may hold the lock
		a.proxy.mu.Lock()
		defer a.proxy.mu.Unlock()
		delete(a.proxy.attach, a)
	}()
	return a.ReadWriteCloser.Close()
}
