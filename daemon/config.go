package daemon

import (
	"log/slog"
	"time"
)

// Config bounds the server.
type Config struct {
	// AllowedHosts are names or addresses, without port, that a Host header may have besides loopback's and the address
	// that the server listens on. "*" allows all, and with it DNS rebinding.
	AllowedHosts []string

	MaxBody         int64 // bytes of one body
	MaxInflightBody int64 // bytes of all bodies, and what was decoded from them, at once; at least MaxBody
	MaxHeader       int   // bytes of request line and headers
	MaxJSONDepth    int   // objects and arrays in each other
	MaxJSONKeys     int   // members and elements of one body
	MaxConnections  int   // connections at once; 0 leaves it to the operating system's limit of open files

	ReadTimeout  time.Duration // for a whole request; its headers must be there in maxHeaderTime
	WriteTimeout time.Duration // for a whole response
	IdleTimeout  time.Duration // between two requests of a connection
}

// maxHeaderTime bounds how long a connection may hold a reader before anything is known of its request.
const maxHeaderTime = 10 * time.Second

// Deps is what the server is made from.
type Deps struct {
	Log    *slog.Logger
	Routes []Route // of every dialect
}
