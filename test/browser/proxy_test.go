package browser_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// vendors are the domains that Chromium asks for by itself, with whatever flags it is started. A page that did so would be seen by its tab.
var vendors = regexp.MustCompile(`(^|\.)(google\.com|googleapis\.com|gvt1\.com|gstatic\.com)(:\d+)?$`)

// proxy carries what the browser sends to daemons, and notes and refuses everything else. Names are never looked up.
type proxy struct {
	url    string
	server *http.Server

	mu    sync.Mutex
	known map[string]bool // hosts of daemons
	asked []string        // hosts that were asked for and are none
}

func newProxy() (*proxy, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{url: "http://" + ln.Addr().String(), known: map[string]bool{}}
	p.server = &http.Server{Handler: p}
	go func() { _ = p.server.Serve(ln) }() // until close
	return p, nil
}

func (p *proxy) close() { _ = p.server.Close() }

// allow lets requests to a daemon pass.
func (p *proxy) allow(url string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known[strings.TrimPrefix(url, "http://")] = true
}

// strangers are the hosts that were asked for since the last call and are no daemon's.
func (p *proxy) strangers() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	asked := p.asked
	p.asked = nil
	return asked
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	known := p.known[r.Host]
	if !known && !vendors.MatchString(r.Host) && !slices.Contains(p.asked, r.Host) {
		p.asked = append(p.asked, r.Host)
	}
	p.mu.Unlock()
	switch {
	case !known:
		http.Error(w, "no daemon", http.StatusForbidden)
	case r.Method == http.MethodConnect:
		tunnel(w, r.Host)
	default:
		forward := httputil.ReverseProxy{
			Rewrite: func(*httputil.ProxyRequest) {}, FlushInterval: -1,
			ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
				http.Error(w, err.Error(), http.StatusBadGateway)
			},
		}
		forward.ServeHTTP(w, r)
	}
}

// tunnel is how a WebSocket goes through a proxy.
func tunnel(w http.ResponseWriter, host string) {
	there, err := net.Dial("tcp", host)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer there.Close()
	here, buffered, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer here.Close()
	if _, err := io.WriteString(here, "HTTP/1.1 200 OK\r\n\r\n"); err != nil {
		return
	}
	go func() {
		_, _ = io.Copy(there, buffered)
		_ = there.(*net.TCPConn).CloseWrite()
	}()
	_, _ = io.Copy(here, there)
}
