package daemon

import (
	"log/slog"
	"time"

	"github.com/gjyotin305/fastpyrepl/daemon/audit"
	"github.com/gjyotin305/fastpyrepl/daemon/auth"
	"github.com/gjyotin305/fastpyrepl/daemon/metrics"
	"github.com/gjyotin305/fastpyrepl/daemon/tracing"
)

// Config bounds the server.
type Config struct {
	// AllowedHosts are names or addresses, without port, that a Host header may have besides loopback's and the address
	// that the server listens on. "*" allows all, and with it DNS rebinding.
	AllowedHosts []string
	// CORSOrigins are the origins of web pages that may use the API besides the server's own, as browsers write them.
	CORSOrigins []string
	// Auth is the keys; without any that are required, everybody is let in.
	Auth auth.Config

	MaxBody         int64 // bytes of one body
	MaxInflightBody int64 // bytes of all bodies, and what was decoded from them, at once; at least MaxBody
	MaxUpload       int64 // bytes of one body that is passed on as it comes
	MaxHeader       int   // bytes of request line and headers
	MaxJSONDepth    int   // objects and arrays in each other
	MaxJSONKeys     int   // members and elements of one body
	MaxConnections  int   // connections at once, and as many WebSockets; 0 leaves it to the limit of open files

	ReadTimeout  time.Duration // for a whole request; its headers must be there in maxHeaderTime
	WriteTimeout time.Duration // for a whole response
	IdleTimeout  time.Duration // between two requests of a connection
}

// defaultHeartbeat is what Deps.Heartbeat is when it is 0.
const defaultHeartbeat = 15 * time.Second

// maxHeaderTime bounds how long a connection may hold a reader before anything is known of its request.
const maxHeaderTime = 10 * time.Second

// Deps is what the server is made from.
type Deps struct {
	Log    *slog.Logger
	Routes []Route    // of every dialect
	Audit  *audit.Log // nil for none; the caller closes it, after the Manager and the server

	Metrics *metrics.Metrics // nil for none
	Tracer  *tracing.Tracer  // nil for none; the caller closes it, like Audit

	// Starting, where it is not nil, says what the daemon still does before its routes may be used, in words for anybody;
	// "" once they may. Until then they are answered with 503, but for those that are Early.
	Starting func() string

	// Heartbeat is how long a stream or a WebSocket may say nothing, for the sake of proxies that give up on silent
	// connections and to notice clients that are gone; 0 is 15 s. A WebSocket's client has twice as long to answer.
	Heartbeat time.Duration
}
