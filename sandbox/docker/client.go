package docker

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/docker/docker/client"
)

// connect makes a client for the engine at host and tells where that is. Nothing is dialled yet.
func connect(host string) (*client.Client, string, error) {
	if host == "" {
		host = os.Getenv(client.EnvOverrideHost)
	}
	if host == "" {
		host = client.DefaultDockerHost
	}
	proto, _, _ := strings.Cut(host, "://")
	if proto != "unix" && proto != "tcp" {
		return nil, host, fmt.Errorf("engine host %q: allowed are unix:///path and tcp://address:port", host)
	}
	if os.Getenv(client.EnvTLSVerify) != "" {
		return nil, host, fmt.Errorf("%s is set, but engines are not reached by TLS: use a unix socket, or one forwarded by ssh -L", client.EnvTLSVerify)
	}
	cli, err := client.NewClientWithOpts(client.WithHost(host), withHandshakeDeadline(), client.WithAPIVersionNegotiation())
	if err != nil {
		return nil, host, fmt.Errorf("engine host %q: %w", host, err)
	}
	return cli, host, nil
}

// handshakeDeadline marks a context whose deadline also bounds what is written to and read from a connection dialled
// with it. The client's hijack of a connection heeds its context only until the connection is there; an engine that
// accepts and then says nothing would hold it for ever.
type handshakeDeadline struct{}

// withHandshakeDeadline lets the client's own dialer heed that mark.
func withHandshakeDeadline() client.Opt {
	return func(c *client.Client) error {
		transport, ok := c.HTTPClient().Transport.(*http.Transport)
		if !ok {
			return fmt.Errorf("transport is a %T", c.HTTPClient().Transport)
		}
		dial := transport.DialContext
		return client.WithDialContext(func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := dial(ctx, network, addr)
			if err != nil || ctx.Value(handshakeDeadline{}) == nil {
				return conn, err
			}
			if deadline, ok := ctx.Deadline(); ok {
				if err := conn.SetDeadline(deadline); err != nil {
					conn.Close()
					return nil, err
				}
			}
			return conn, nil
		})(c)
	}
}

// attach opens stdin, stdout and stderr of a container.
func (r *Runtime) attach(ctx context.Context, id string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, handshakeDeadline{}, true), r.config.RequestTimeout)
	defer cancel()
	resp, err := r.client.ContainerAttach(ctx, id, attachOptions)
	if err != nil {
		return nil, err
	}
	if err := resp.Conn.SetDeadline(time.Time{}); err != nil {
		resp.Conn.Close()
		return nil, err
	}
	return resp.Conn, nil
}
