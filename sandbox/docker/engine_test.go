package docker_test

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/docker/docker/client"
)

// engine is a client of its own, to look behind the package's back.
func engine(t *testing.T) *client.Client {
	t.Helper()
	cli, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cli.Close() })
	return cli
}

// flakyEngine stands between a Runtime and the real engine, and fails as a test tells it to.
type flakyEngine struct {
	host string

	// before is asked before a request goes to the engine; true when it has answered, or dropped it, itself.
	before atomic.Pointer[func(w http.ResponseWriter, r *http.Request) bool]
	// after may change, or lose, the engine's answer.
	after atomic.Pointer[func(*http.Response) error]

	mu   sync.Mutex
	cuts map[string][]context.CancelFunc // of requests under way, by path
}

func newFlakyEngine(t *testing.T) *flakyEngine {
	t.Helper()
	real := client.DefaultDockerHost
	if host := os.Getenv("DOCKER_HOST"); host != "" {
		real = host
	}
	network, address, _ := strings.Cut(real, "://")
	path := filepath.Join(t.TempDir(), "engine.sock")
	e := &flakyEngine{host: "unix://" + path, cuts: map[string][]context.CancelFunc{}}
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: "engine"})
		},
		Transport:     transport,
		FlushInterval: -1,
		ErrorLog:      log.New(io.Discard, "", 0),
		ModifyResponse: func(resp *http.Response) error {
			if after := e.after.Load(); after != nil {
				return (*after)(resp)
			}
			return nil
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }, // the connection is cut
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if before := e.before.Load(); before != nil && (*before)(w, r) {
			return
		}
		ctx, cut := context.WithCancel(r.Context())
		defer cut()
		e.mu.Lock()
		e.cuts[r.URL.Path] = append(e.cuts[r.URL.Path], cut)
		e.mu.Unlock()
		proxy.ServeHTTP(w, r.WithContext(ctx))
	})}
	served := make(chan struct{})
	go func() {
		defer close(served)
		server.Serve(listener)
	}()
	t.Cleanup(func() {
		server.Close()
		<-served
		transport.CloseIdleConnections()
	})
	return e
}

// heal lets everything through again.
func (e *flakyEngine) heal() {
	e.before.Store(nil)
	e.after.Store(nil)
}

// refuse answers requests whose path ends so with an error of the engine.
func (e *flakyEngine) refuse(method, suffix string) {
	before := func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != method || !strings.HasSuffix(r.URL.Path, suffix) {
			return false
		}
		http.Error(w, `{"message":"injected"}`, http.StatusInternalServerError)
		return true
	}
	e.before.Store(&before)
}

// watch tells when a request whose path ends so comes, and lets it through.
func (e *flakyEngine) watch(method, suffix string, tell func()) {
	before := func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == method && strings.HasSuffix(r.URL.Path, suffix) {
			tell()
		}
		return false
	}
	e.before.Store(&before)
}

// drop cuts what is under way to paths that end so.
func (e *flakyEngine) drop(suffix string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for path, cuts := range e.cuts {
		if strings.HasSuffix(path, suffix) {
			for _, cut := range cuts {
				cut()
			}
		}
	}
}

// refuseTimes answers so many requests of a method with an error of the engine.
func (e *flakyEngine) refuseTimes(method string, times int, tell func()) {
	before := func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != method || times == 0 {
			return false
		}
		times--
		tell()
		http.Error(w, `{"message":"injected"}`, http.StatusInternalServerError)
		return true
	}
	e.before.Store(&before)
}

// hang holds requests whose path ends so until their client gives up.
func (e *flakyEngine) hang(method, suffix string) {
	before := func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != method || !strings.HasSuffix(r.URL.Path, suffix) {
			return false
		}
		<-r.Context().Done()
		return true
	}
	e.before.Store(&before)
}

// lose lets the engine do what it was asked, and cuts the connection before the answer.
func (e *flakyEngine) lose(method, suffix string) {
	after := func(resp *http.Response) error {
		if resp.Request.Method != method || !strings.HasSuffix(resp.Request.URL.Path, suffix) {
			return nil
		}
		return io.ErrUnexpectedEOF
	}
	e.after.Store(&after)
}

// replace puts another answer in place of the engine's, made from it.
func (e *flakyEngine) replace(method, suffix string, change func(string) string) {
	after := func(resp *http.Response) error {
		if resp.Request.Method != method || !strings.HasSuffix(resp.Request.URL.Path, suffix) {
			return nil
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return err
		}
		resp.Body.Close()
		text := change(string(body))
		resp.Body = io.NopCloser(strings.NewReader(text))
		resp.ContentLength = int64(len(text))
		resp.Header.Del("Content-Length")
		return nil
	}
	e.after.Store(&after)
}
