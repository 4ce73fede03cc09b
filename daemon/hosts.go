package daemon

import (
	"net/netip"
	"strings"
)

// Hosts are names that a Host header may have besides loopback's. It is immutable.
type Hosts struct {
	any   bool
	names map[string]bool // lower case, without port
}

// NewHosts makes Hosts of names or addresses without port; "*" allows all.
func NewHosts(allowed []string) *Hosts {
	h := &Hosts{names: map[string]bool{}}
	for _, name := range allowed {
		name = strings.ToLower(strings.Trim(name, "[]"))
		h.names[name] = true
		h.any = h.any || name == "*"
	}
	return h
}

// Serves tells whether a request for host, a Host header, is meant for a server that listens on the address bound, "" for
// all. The browser of somebody whom a rebinding attack led here still sends the attacker's name.
func (h *Hosts) Serves(host, bound string) bool {
	name, ok := hostname(host)
	if !ok {
		return false
	}
	if name == "localhost" || name == bound || h.any || h.names[name] {
		return true
	}
	addr, err := netip.ParseAddr(name)
	return err == nil && addr.Zone() == "" && addr.IsLoopback()
}

// hostname returns the name in a Host header, in lower case and without port and brackets.
func hostname(host string) (string, bool) {
	name, port := host, ""
	if rest, ok := strings.CutPrefix(host, "["); ok {
		if name, port, ok = strings.Cut(rest, "]"); !ok {
			return "", false
		}
	} else if i := strings.IndexByte(host, ':'); i >= 0 {
		name, port = host[:i], host[i:]
	}
	if name == "" || !validPort(port) {
		return "", false
	}
	return strings.ToLower(name), true
}

// validPort takes nothing, or a colon and a number.
func validPort(s string) bool {
	if s == "" {
		return true
	}
	if s[0] != ':' || len(s) < 2 || len(s) > 6 {
		return false
	}
	for _, r := range s[1:] {
		if r < '0' || r > '9' {
			return false
		}
	}
	return true
}
