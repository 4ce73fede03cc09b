package metrics

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// requests are counted when they are answered. A route is its pattern, "" where a request was for none, or was refused
// before it was routed; its method is then "".
type requests struct {
	answered *prometheus.CounterVec
	took     *prometheus.HistogramVec
}

func newRequests(with promauto.Factory) requests {
	return requests{
		answered: counters(with, "http_requests_total",
			"Requests that were answered; route is empty for those that were for none, or were refused before they were routed.",
			"route", "method", "code"),
		took: histograms(with, "http_request_duration_seconds",
			"How long requests took, streams to their end; WebSockets are left out.", codeBuckets, "route"),
	}
}

// Request counts a request. route and method are those of the table of routes.
func (m *Metrics) Request(route, method string, status int) {
	if m != nil {
		m.answered.WithLabelValues(route, method, strconv.Itoa(status)).Inc()
	}
}

// Answered notes how long a request took, to the end of its answer.
func (m *Metrics) Answered(route string, took time.Duration) {
	if m != nil {
		m.took.WithLabelValues(route).Observe(took.Seconds())
	}
}
