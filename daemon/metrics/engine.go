package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// engine is the calls to the container engine.
type engine struct {
	calls *prometheus.CounterVec
	slow  *prometheus.HistogramVec
}

func newEngine(with promauto.Factory) engine {
	return engine{
		calls: counters(with, "engine_requests_total", "Calls to the container engine, by how they ended.", "operation", "result"),
		slow: histograms(with, "engine_request_duration_seconds",
			"How long calls to the container engine took; what an answer streams is left out.", ownBuckets, "operation"),
	}
}

// EngineCall counts a call.
func (m *Metrics) EngineCall(operation, result string, took time.Duration) {
	m.calls.WithLabelValues(operation, result).Inc()
	m.slow.WithLabelValues(operation).Observe(took.Seconds())
}
