package metrics_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/gjyotin305/fastpyrepl/daemon/metrics"
	"github.com/gjyotin305/fastpyrepl/sandbox"
)

// watched is Metrics of a daemon that has a few of everything.
func watched(t *testing.T) *metrics.Metrics {
	t.Helper()
	m := metrics.New("1.2")
	m.Watch(metrics.Now{
		Sandbox: func() sandbox.Stats {
			return sandbox.Stats{Starting: 1, Idle: 2, Busy: 3, Ending: 4, Queued: 5, Warm: 6, WarmStarting: 7, WarmTarget: 8, WarmFailures: 9,
				WaitingStarts: 10, Gone: 11, MaxSessions: 12}
		},
		Server: func() metrics.Server { return metrics.Server{Connections: 15, WebSockets: 2, Bodies: 16} },
		Ready:  func() map[string]bool { return map[string]bool{"engine": true, "pool": false} },
		Audit:  func() int64 { return 17 },
	})
	return m
}

// scrape returns the series of fastpyrepl's own, one a line.
func scrape(t *testing.T, m *metrics.Metrics) []string {
	t.Helper()
	text, contentType, err := m.Scrape()
	if err != nil || !strings.HasPrefix(contentType, "text/plain") {
		t.Fatalf("%s, %v", contentType, err)
	}
	var lines []string
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "fastpyrepl_") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

func TestScrape_TellsWhatWasCountedAndWhatIs(t *testing.T) {
	m := watched(t)
	m.ExecutionEnded(sandbox.Account{Outcome: sandbox.OutcomeOK, StateKept: true, Queued: time.Millisecond, Ran: time.Second, Stdout: 10, Stderr: 20, Display: 30})
	m.ExecutionEnded(sandbox.Account{Outcome: sandbox.OutcomeOOM, Ran: time.Hour})
	m.FilesMoved(40, 0)
	m.FilesMoved(0, 50)
	m.SessionStarted(true, time.Millisecond, nil)
	m.SessionStarted(false, time.Second, nil)
	m.SessionStarted(false, time.Second, &sandbox.Error{Code: sandbox.CodeImage})
	m.SessionEnded(sandbox.EndLost)
	m.Refused(&sandbox.Error{Code: sandbox.CodeBusy})
	m.Refused(errors.New("a bound of the key"))
	m.Request("/execute", "POST", 200)
	m.Request("", "", 404)
	m.Answered("/execute", 2*time.Second)
	m.EngineCall("container_start", "timeout", 3*time.Second)
	got := scrape(t, m)
	for _, want := range []string{
		`fastpyrepl_build_info{version="1.2"} 1`,
		`fastpyrepl_executions_total{outcome="ok"} 1`,
		`fastpyrepl_executions_total{outcome="oom"} 1`,
		`fastpyrepl_executions_total{outcome="timeout"} 0`,
		`fastpyrepl_ooms_total 1`,
		`fastpyrepl_state_lost_total 1`,
		`fastpyrepl_execution_duration_seconds_bucket{le="0.5"} 0`,
		`fastpyrepl_execution_duration_seconds_bucket{le="1"} 1`,
		`fastpyrepl_execution_duration_seconds_bucket{le="600"} 1`,
		`fastpyrepl_execution_duration_seconds_sum 3601`,
		`fastpyrepl_execution_queue_duration_seconds_count 2`,
		`fastpyrepl_output_bytes_total{stream="stdout"} 10`,
		`fastpyrepl_output_bytes_total{stream="stderr"} 20`,
		`fastpyrepl_output_bytes_total{stream="display"} 30`,
		`fastpyrepl_file_bytes_total{direction="in"} 40`,
		`fastpyrepl_file_bytes_total{direction="out"} 50`,
		`fastpyrepl_session_start_duration_seconds_sum{source="warm"} 0.001`,
		`fastpyrepl_session_start_duration_seconds_count{source="cold"} 1`,
		`fastpyrepl_session_start_failures_total{code="image"} 1`,
		`fastpyrepl_session_start_failures_total{code="engine"} 0`,
		`fastpyrepl_sessions_ended_total{reason="lost"} 1`,
		`fastpyrepl_sessions_ended_total{reason="expired"} 0`,
		`fastpyrepl_executions_refused_total{code="busy"} 1`,
		`fastpyrepl_executions_refused_total{code="other"} 1`,
		`fastpyrepl_http_requests_total{code="200",method="POST",route="/execute"} 1`,
		`fastpyrepl_http_requests_total{code="404",method="",route=""} 1`,
		`fastpyrepl_http_request_duration_seconds_sum{route="/execute"} 2`,
		`fastpyrepl_engine_requests_total{operation="container_start",result="timeout"} 1`,
		`fastpyrepl_engine_request_duration_seconds_sum{operation="container_start"} 3`,
		`fastpyrepl_sessions{state="starting"} 1`,
		`fastpyrepl_sessions{state="idle"} 2`,
		`fastpyrepl_sessions{state="busy"} 3`,
		`fastpyrepl_sessions{state="ending"} 4`,
		`fastpyrepl_executions_queued 5`,
		`fastpyrepl_pool_containers{state="ready"} 6`,
		`fastpyrepl_pool_containers{state="starting"} 7`,
		`fastpyrepl_pool_target 8`,
		`fastpyrepl_pool_start_failures 9`,
		`fastpyrepl_starts_waiting 10`,
		`fastpyrepl_sessions_remembered 11`,
		`fastpyrepl_sessions_max 12`,
		`fastpyrepl_http_connections{kind="http"} 13`,
		`fastpyrepl_http_connections{kind="websocket"} 2`,
		`fastpyrepl_http_body_bytes 16`,
		`fastpyrepl_audit_lines_lost_total 17`,
		`fastpyrepl_ready{check="engine"} 1`,
		`fastpyrepl_ready{check="pool"} 0`,
	} {
		if !slices.Contains(got, want) {
			t.Errorf("there is no %s", want)
		}
	}
	if t.Failed() {
		t.Log(strings.Join(got, "\n"))
	}
}

// Every value of a label that an alert may ask for is there before it first happens: else its first increase is none.
func TestScrape_CountersBeginAtZero(t *testing.T) {
	got := scrape(t, watched(t))
	for _, want := range []string{
		`fastpyrepl_file_bytes_total{direction="in"} 0`, `fastpyrepl_file_bytes_total{direction="out"} 0`,
		`fastpyrepl_executions_total{outcome="crashed"} 0`, `fastpyrepl_sessions_ended_total{reason="lost"} 0`, `fastpyrepl_ooms_total 0`,
		`fastpyrepl_session_start_failures_total{code="capacity"} 0`, `fastpyrepl_executions_refused_total{code="capacity"} 0`,
	} {
		if !slices.Contains(got, want) {
			t.Errorf("there is no %s", want)
		}
	}
}

func TestScrape_NamesAreAsPrometheusWantsThem(t *testing.T) {
	m := watched(t)
	m.Request("/execute", "POST", 200)
	m.Answered("/execute", time.Second)
	m.EngineCall("ping", "ok", time.Second)
	text, _, err := m.Scrape()
	if err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.New(strings.NewReader(string(text))).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "fastpyrepl_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	if _, err := parser.TextToMetricFamilies(strings.NewReader(string(text))); err != nil {
		t.Error(err)
	}
}

// A server without Metrics has a nil one.
func TestMetrics_NilDoesNothing(t *testing.T) {
	var m *metrics.Metrics
	m.Request("/", "GET", 200)
	m.Answered("/", time.Second)
	m.Refused(errors.New("no"))
}

// What an execution pays for being counted, its request included.
func BenchmarkCount(b *testing.B) {
	m := metrics.New("1")
	b.ReportAllocs()
	for b.Loop() {
		m.ExecutionEnded(sandbox.Account{Outcome: sandbox.OutcomeOK, StateKept: true, Queued: time.Microsecond, Ran: time.Millisecond, Stdout: 10})
		m.Request("/execute", "POST", 200)
		m.Answered("/execute", time.Millisecond)
	}
}
