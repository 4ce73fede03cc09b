package ops

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/netutil"

	"github.com/gjyotin305/fastpyrepl/daemon"
	"github.com/gjyotin305/fastpyrepl/daemon/metrics"
)

const (
	maxAdminConns  = 32
	maxAdminHeader = 16 << 10 // bytes
	adminReadTime  = 10 * time.Second
	// adminWriteTime bounds an answer, and with it how long a profile may be taken.
	adminWriteTime = 2 * time.Minute
	adminIdleTime  = 2 * time.Minute
)

// Admin serves operators on a listener of their own, without keys. Make it with NewAdmin.
type Admin struct {
	server *http.Server
	health *Health
	counts *metrics.Metrics
	log    *slog.Logger
	hosts  atomic.Pointer[daemon.Hosts]
	pprof  atomic.Bool
	bound  string // immutable while serving

	handlers sync.WaitGroup
}

// NewAdmin makes a server. It does not listen yet.
func NewAdmin(h *Health, m *metrics.Metrics, log *slog.Logger) *Admin {
	a := &Admin{health: h, counts: m, log: log}
	a.SetAllowedHosts(nil)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, alive) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		r := a.health.Report()
		writeJSON(w, r.status(), r)
	})
	mux.HandleFunc("GET /metrics", a.metrics)
	for path, handler := range map[string]http.HandlerFunc{
		"/": pprof.Index, "/cmdline": pprof.Cmdline, "/profile": pprof.Profile, "/symbol": pprof.Symbol, "/trace": pprof.Trace,
	} {
		mux.HandleFunc("GET /debug/pprof"+path, a.profiling(handler))
	}
	a.server = &http.Server{
		Handler:           a.guard(mux),
		ReadHeaderTimeout: adminReadTime,
		ReadTimeout:       adminReadTime,
		WriteTimeout:      adminWriteTime,
		IdleTimeout:       adminIdleTime,
		MaxHeaderBytes:    maxAdminHeader,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	return a
}

// SetAllowedHosts says which names a Host header may have besides loopback's and the address listened on. It may be called
// while the server runs.
func (a *Admin) SetAllowedHosts(names []string) { a.hosts.Store(daemon.NewHosts(names)) }

// SetPprof says whether /debug/pprof/ is served. It may be called while the server runs.
func (a *Admin) SetPprof(on bool) { a.pprof.Store(on) }

// Serve answers requests from ln, which it closes, until Shutdown. It is called once.
func (a *Admin) Serve(ln net.Listener) error {
	a.bound = daemon.Bound(ln)
	if err := a.server.Serve(netutil.LimitListener(ln, maxAdminConns)); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the admin listener: %w", err)
	}
	return nil
}

// Shutdown stops listening, waits for the requests under way until ctx ends, and then cuts them off. It returns when
// every handler has returned.
func (a *Admin) Shutdown(ctx context.Context) error {
	err := a.server.Shutdown(ctx)
	if ctx.Err() != nil { // a profile is being taken, say
		err = a.server.Close()
	}
	a.handlers.Wait()
	if err != nil {
		return fmt.Errorf("close the admin listener: %w", err)
	}
	return nil
}

// guard refuses what a web page could have a browser send, as the server does, and answers with its headers.
func (a *Admin) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.handlers.Add(1)
		defer a.handlers.Done()
		daemon.SecurePage(w.Header().Set, "style-src 'unsafe-inline'") // the list of profiles has a stylesheet in it
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		if !a.hosts.Load().Serves(r.Host, a.bound) {
			http.Error(w, "this Host is not served; server.allowed_hosts adds names to loopback's", http.StatusMisdirectedRequest)
			return
		}
		if err := daemon.CheckSite(r.Header.Get("Sec-Fetch-Site"), r.Header.Get("Origin"), r.Host, r.TLS != nil); err != nil {
			status, _, detail := daemon.Refusal(err)
			http.Error(w, fmt.Sprint(detail), status)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// profiling is a handler of pprof's, where it is on.
func (a *Admin) profiling(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !a.pprof.Load() {
			http.Error(w, "profiling is off: admin.pprof turns it on", http.StatusNotFound)
			return
		}
		next(w, r)
	}
}

func (a *Admin) metrics(w http.ResponseWriter, _ *http.Request) {
	text, contentType, err := a.counts.Scrape()
	if err != nil {
		a.log.Error("metrics", "err", err)
		http.Error(w, "the metrics could not be gathered; the log says why", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", contentType)
	_, _ = w.Write(text)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	text, err := daemon.JSON(v)
	if err != nil {
		panic("ops: " + err.Error()) // strings alone
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(text)
}
