package metrics

import (
	"bytes"
	"fmt"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/common/expfmt"
)

const namespace = "fastpyrepl"

// Buckets in seconds: of what lasts as long as somebody's code, and of what the daemon and the engine do themselves.
var (
	codeBuckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600}
	ownBuckets  = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}
)

// Metrics counts. It is safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	scraping sync.Mutex
	executions
	sessions
	requests
	engine
}

// New makes Metrics that have counted nothing. version is the daemon's.
func New(version string) *Metrics {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	with := promauto.With(registry)
	with.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: namespace, Name: "build_info", Help: "The daemon's version; the value is 1.",
	}, []string{"version"}).WithLabelValues(version).Set(1)
	return &Metrics{
		registry:   registry,
		executions: newExecutions(with),
		sessions:   newSessions(with),
		requests:   newRequests(with),
		engine:     newEngine(with),
	}
}

// format is the text format, which every Prometheus takes.
var format = expfmt.NewFormat(expfmt.TypeTextPlain)

// Scrape returns all there is. One is made at a time.
func (m *Metrics) Scrape() (text []byte, contentType string, err error) {
	m.scraping.Lock()
	defer m.scraping.Unlock()
	families, err := m.registry.Gather()
	if err != nil {
		return nil, "", fmt.Errorf("gather metrics: %w", err)
	}
	var out bytes.Buffer
	enc := expfmt.NewEncoder(&out, format)
	for _, family := range families {
		if err := enc.Encode(family); err != nil {
			return nil, "", fmt.Errorf("encode %s: %w", family.GetName(), err)
		}
	}
	return out.Bytes(), string(format), nil
}

func counter(with promauto.Factory, name, help string) prometheus.Counter {
	return with.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help})
}

func counters(with promauto.Factory, name, help string, labels ...string) *prometheus.CounterVec {
	return with.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

func histogram(with promauto.Factory, name, help string, buckets []float64) prometheus.Histogram {
	return with.NewHistogram(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets})
}

func histograms(with promauto.Factory, name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return with.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets}, labels)
}

// each makes the counter of every value of a label beforehand: one that is there from the start, at 0, has a first increase.
func each[T ~string](vec *prometheus.CounterVec, values []T) map[T]prometheus.Counter {
	all := make(map[T]prometheus.Counter, len(values))
	for _, v := range values {
		all[v] = vec.WithLabelValues(string(v))
	}
	return all
}
