package metrics

import (
	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/prometheus/client_golang/prometheus"
)

// Server is what an HTTP server has open.
type Server struct {
	Connections int // WebSockets included
	WebSockets  int
	Bodies      int64 // bytes of requests that are held
}

// Now is where a scrape asks for what there is.
type Now struct {
	Sandbox func() sandbox.Stats
	Server  func() Server
	Ready   func() map[string]bool // by the name of a check, whether it is well
	Audit   func() int64           // lines that were lost so far; nil without an audit log
}

// Watch makes scrapes tell what there is. It is called once.
func (m *Metrics) Watch(now Now) { m.registry.MustRegister(&collector{now}) }

// collector asks when it is scraped.
type collector struct{ Now }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil)
}

var (
	sessionsDesc      = desc("sessions", "Sessions, by state; ending ones are over, and their containers not gone yet.", "state")
	maxSessionsDesc   = desc("sessions_max", "Sessions that may be at once.")
	queuedDesc        = desc("executions_queued", "Executions that wait for the one before them in their session.")
	startsWaitingDesc = desc("starts_waiting", "Sessions that wait for their turn to start a container.")
	poolDesc          = desc("pool_containers", "Containers of the warm pool, by state.", "state")
	poolTargetDesc    = desc("pool_target", "Containers that the warm pool is to have.")
	poolFailuresDesc  = desc("pool_start_failures", "Starts for the pool that failed, since the last that did not.")
	goneDesc          = desc("sessions_remembered", "Sessions of which it is remembered why they are gone.")
	connectionsDesc   = desc("http_connections", "Connections of clients, by kind.", "kind")
	bodiesDesc        = desc("http_body_bytes", "Bytes of requests that are held.")
	readyDesc         = desc("ready", "Whether a check of /readyz is well.", "check")
	auditDesc         = desc("audit_lines_lost_total", "Lines that the audit log could not be given.")
)

// Describe tells of all but what there may not be.
func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		sessionsDesc, maxSessionsDesc, queuedDesc, startsWaitingDesc, poolDesc, poolTargetDesc, poolFailuresDesc, goneDesc,
		connectionsDesc, bodiesDesc, readyDesc, auditDesc,
	} {
		out <- d
	}
}

// Collect asks.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v int, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(v), labels...)
	}
	s := c.Sandbox()
	gauge(sessionsDesc, s.Starting, "starting")
	gauge(sessionsDesc, s.Idle, "idle")
	gauge(sessionsDesc, s.Busy, "busy")
	gauge(sessionsDesc, s.Ending, "ending")
	gauge(maxSessionsDesc, s.MaxSessions)
	gauge(queuedDesc, s.Queued)
	gauge(startsWaitingDesc, s.WaitingStarts)
	gauge(poolDesc, s.Warm, "ready")
	gauge(poolDesc, s.WarmStarting, "starting")
	gauge(poolTargetDesc, s.WarmTarget)
	gauge(poolFailuresDesc, s.WarmFailures)
	gauge(goneDesc, s.Gone)
	h := c.Server()
	gauge(connectionsDesc, h.Connections-h.WebSockets, "http")
	gauge(connectionsDesc, h.WebSockets, "websocket")
	gauge(bodiesDesc, int(h.Bodies))
	for check, well := range c.Ready() {
		gauge(readyDesc, map[bool]int{true: 1}[well], check)
	}
	if c.Audit != nil {
		out <- prometheus.MustNewConstMetric(auditDesc, prometheus.CounterValue, float64(c.Audit()))
	}
}
