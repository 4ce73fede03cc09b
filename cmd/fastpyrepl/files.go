package main

import (
	"fmt"
	"log/slog"
	"syscall"

	"github.com/gjyotin305/fastpyrepl/configs"
)

const (
	// ownFiles is what the daemon may have open besides: its state and logs, calls to the engine.
	ownFiles = 64
	// filesOfSession is what a container takes: its streams, the wait for its end, and one call that is under way.
	filesOfSession = 3
	// leastConnections are left to clients however few files may be open.
	leastConnections = 16
)

// connections is how many clients' connections there may be, so that they leave sessions the files that those need: beyond
// it, clients are refused; without files, nobody would even be told so.
func connections(c *configs.Config, limit uint64) (int, error) {
	kept := ownFiles + filesOfSession*(c.Sessions.Max+c.Pool.Size.Max)
	room := int64(min(limit, 1<<30)) - int64(kept)
	if room >= int64(c.Server.MaxConnections) {
		return c.Server.MaxConnections, nil
	}
	room = max(room, leastConnections)
	return int(room), fmt.Errorf("only %d files may be open: with sessions.max of %d and pool.size.max of %d that leaves %d connections, not server.max_connections of %d; "+
		"raise the limit (ulimit -n, LimitNOFILE=)", limit, c.Sessions.Max, c.Pool.Size.Max, room, c.Server.MaxConnections)
}

// fitConnections makes room for sessions among the files that this process may open.
func fitConnections(c *configs.Config, log *slog.Logger) int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		log.Error("the limit of open files", "err", err)
		return c.Server.MaxConnections
	}
	n, err := connections(c, limit.Cur)
	if err != nil {
		log.Warn("open files", "err", err)
	}
	return n
}
