package configs

import (
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

func (a *Admin) validate(v *checks) {
	if a.Listen == "" {
		return
	}
	host, port, err := net.SplitHostPort(a.Listen)
	if n, portErr := strconv.Atoi(port); err != nil || portErr != nil || n < 0 || n > 65535 ||
		!hostName.MatchString(host) && !isAddress(host) {
		v.failf("admin.listen", "%q is not an address with a port: want 127.0.0.1:9090, [::1]:9090 or such, or nothing for none", a.Listen)
		return
	}
	if !isLoopback(host) && !a.Insecure {
		v.failf("admin.listen", "%s can be reached from other machines, and asks for no key: keep to 127.0.0.1, or allow it with admin.insecure: true", host)
	}
}

func (t *Tracing) validate(v *checks) {
	u, err := url.Parse(t.Endpoint)
	switch {
	case t.Endpoint == "":
	case strings.Contains(t.Endpoint, "@"): // it is not shown
		v.failf("tracing.endpoint", "it names a user, or a password: what lets in belongs in OTEL_EXPORTER_OTLP_HEADERS")
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.RawQuery != "" || u.Fragment != "":
		v.failf("tracing.endpoint", "%q is not where OTLP over HTTP goes: want http:// or https://, a host, and perhaps a port and a path, "+
			"such as http://127.0.0.1:4318", t.Endpoint)
	}
	between(v, "tracing.ratio", t.Ratio, 0, 1)
}

// isLoopback tells whether only this machine can reach an address.
func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}
