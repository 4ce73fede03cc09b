package metrics

import (
	"time"

	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

var _ sandbox.Observer = (*Metrics)(nil)

// executions, and transfers of files, are counted when they end.
type executions struct {
	outcomes  map[sandbox.Outcome]prometheus.Counter
	ooms      prometheus.Counter
	stateLost prometheus.Counter
	ran       prometheus.Histogram
	queued    prometheus.Histogram

	stdout, stderr, display prometheus.Counter // bytes
	filesIn, filesOut       prometheus.Counter // bytes
}

func newExecutions(with promauto.Factory) executions {
	outcomes := counters(with, "executions_total", "Executions that have ended, by outcome.", "outcome")
	output := counters(with, "output_bytes_total", "Bytes of output that sessions sent, within the caps.", "stream")
	files := counters(with, "file_bytes_total", "Bytes of files that went into sessions and came out of them.", "direction")
	return executions{
		outcomes:  each(outcomes, sandbox.Outcomes),
		ooms:      counter(with, "ooms_total", "Executions whose process was killed at the memory limit."),
		stateLost: counter(with, "state_lost_total", "Executions that cost their session its variables."),
		ran:       histogram(with, "execution_duration_seconds", "How long code ran.", codeBuckets),
		queued:    histogram(with, "execution_queue_duration_seconds", "How long executions waited in their session's queue.", codeBuckets),
		stdout:    output.WithLabelValues("stdout"),
		stderr:    output.WithLabelValues("stderr"),
		display:   output.WithLabelValues("display"),
		filesIn:   files.WithLabelValues("in"),
		filesOut:  files.WithLabelValues("out"),
	}
}

// ExecutionEnded counts an execution.
func (m *Metrics) ExecutionEnded(a sandbox.Account) {
	if c := m.outcomes[a.Outcome]; c != nil {
		c.Inc()
	}
	if a.Outcome == sandbox.OutcomeOOM {
		m.ooms.Inc()
	}
	if !a.StateKept {
		m.stateLost.Inc()
	}
	m.ran.Observe(a.Ran.Seconds())
	m.queued.Observe(a.Queued.Seconds())
	m.stdout.Add(float64(a.Stdout))
	m.stderr.Add(float64(a.Stderr))
	m.display.Add(float64(a.Display))
}

// FilesMoved counts a transfer of a file.
func (m *Metrics) FilesMoved(in, out int64) {
	m.filesIn.Add(float64(in))
	m.filesOut.Add(float64(out))
}

// sessions are counted when they start and when they end.
type sessions struct {
	warm, cold prometheus.Observer
	notStarted *prometheus.CounterVec
	ended      map[sandbox.EndReason]prometheus.Counter
	refused    *prometheus.CounterVec
}

func newSessions(with promauto.Factory) sessions {
	started := histograms(with, "session_start_duration_seconds",
		"How long sessions took to get their container: one that waited in the pool (warm) or another (cold).", ownBuckets, "source")
	ended := counters(with, "sessions_ended_total", "Sessions that have ended, by reason.", "reason")
	s := sessions{
		warm:       started.WithLabelValues("warm"),
		cold:       started.WithLabelValues("cold"),
		notStarted: counters(with, "session_start_failures_total", "Sessions that did not get a container, by the code of the error.", "code"),
		ended:      each(ended, sandbox.EndReasons),
		refused:    counters(with, "executions_refused_total", "Executions that were refused, by the code of the error.", "code"),
	}
	each(s.notStarted, []sandbox.Code{sandbox.CodeCapacity, sandbox.CodeEngine, sandbox.CodeImage, sandbox.CodeState})
	each(s.refused, []sandbox.Code{sandbox.CodeBusy, sandbox.CodeCapacity, sandbox.CodeEngine, sandbox.CodeLost, sandbox.CodeState})
	return s
}

// SessionStarted counts a start.
func (m *Metrics) SessionStarted(warm bool, took time.Duration, err error) {
	switch {
	case err != nil:
		m.notStarted.WithLabelValues(string(sandbox.ErrorCode(err))).Inc()
	case warm:
		m.warm.Observe(took.Seconds())
	default:
		m.cold.Observe(took.Seconds())
	}
}

// SessionEnded counts an end.
func (m *Metrics) SessionEnded(why sandbox.EndReason) { m.ended[why].Inc() }

// Refused counts an execution that did not come about.
func (m *Metrics) Refused(err error) {
	if m == nil {
		return
	}
	code := sandbox.ErrorCode(err)
	if code == "" { // a bound of the caller's key, or a caller who is gone
		code = "other"
	}
	m.refused.WithLabelValues(string(code)).Inc()
}
