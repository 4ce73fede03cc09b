package main

import (
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/gjyotin305/fastpyrepl/daemon/tracing/tracingtest"
)

// call sends a JSON body, or asks where it is "", and returns the answer.
func call(t *testing.T, method, url, body string, headers ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// series are the series of a scrape, by name and labels as they stand in it.
type series map[string]float64

func scrape(t *testing.T, url string) series {
	t.Helper()
	status, text := call(t, "GET", url+"/metrics", "")
	if status != 200 {
		t.Fatalf("metrics: %d %s", status, text)
	}
	all := series{}
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "} ")
		if name += "}"; !ok {
			name, value, _ = strings.Cut(strings.TrimSpace(line), " ")
		}
		if n, err := strconv.ParseFloat(value, 64); err == nil && !strings.HasPrefix(line, "#") {
			all[name] = n
		}
	}
	return all
}

// small are the settings of a daemon whose sessions are soon out of memory.
var small = []string{"--set", "limits.memory=160MiB", "--set", "limits.workdir=16MiB", "--set", "limits.tmp=16MiB", "--set", "limits.shm=16MiB",
	"--set", "pool.size.min=1", "--set", "pool.size.max=1", "--set", "admin.listen=127.0.0.1:0", "--log-level", "debug"}

// execute runs code in a session and returns its outcome.
func (s *served) execute(url, session, code string) (outcome string) {
	s.t.Helper()
	status, text := call(s.t, "POST", url+"/execute", fmt.Sprintf(`{"code":%q,"session_id":%q,"timeout":2}`, code, session))
	var r struct {
		Outcome string `json:"outcome"`
	}
	if err := json.Unmarshal([]byte(text), &r); err != nil || status != 200 {
		s.t.Fatalf("%s: %d %s", code, status, text)
	}
	return r.Outcome
}

func TestObserved_MetricsOfRealSessions(t *testing.T) {
	s := serve(t, append(small, "--set", "audit.file="+filepath.Join(t.TempDir(), "audit.jsonl"))...)
	admin := s.await("the admin listener", func(e entry) bool { return e.Msg == "admin listener" }).URL
	url := s.ready()
	s.await("that the pool is full", func(e entry) bool { return e.Msg == "warm container ready" })
	if status, text := call(t, "GET", url+"/readyz", ""); status != 200 ||
		text != `{"status":"ready","checks":{"engine":"answers","image":"is there","pool":"1 of 1 containers are ready","state":"can be written"}}` {
		t.Errorf("/readyz: %d %s", status, text)
	}
	if status, text := call(t, "POST", url+"/v1/sessions", `{"session_id":"warm"}`); status != 201 {
		t.Fatalf("warm: %d %s", status, text)
	}
	if status, text := call(t, "POST", url+"/v1/sessions", `{"session_id":"cold","env":{"A":"b"}}`); status != 201 {
		t.Fatalf("cold: %d %s", status, text)
	}
	for code, want := range map[string]string{
		"print('four')":    "ok",
		"1 / 0":            "error",
		"while True: pass": "timeout",
		// Shared memory is what no limit of the process counts.
		"import mmap\nm = mmap.mmap(-1, 1 << 30)\nfor i in range(0, 1 << 30, 4096): m[i] = 1": "oom",
	} {
		if got := s.execute(url, "warm", code); got != want {
			t.Errorf("%s: %s, want %s", code, got, want)
		}
	}
	s.execute(url, "cold", "1")
	line := s.await("the execution", func(e entry) bool { return e.Msg == "request" && e.SessionID == "cold" && e.Execution != "" })
	if out, err := exec.CommandContext(t.Context(), "docker", "ps", "--quiet", "--filter", "label=org.fastpyrepl.session="+line.Session).Output(); err != nil || len(out) == 0 {
		t.Fatalf("the log names a session %s: %s, %v", line.Session, out, err)
	} else if err := exec.CommandContext(t.Context(), "docker", "rm", "--force", strings.TrimSpace(string(out))).Run(); err != nil {
		t.Fatal(err)
	}
	s.await("that the session is lost", func(e entry) bool { return e.Msg == "session lost" && e.Session == line.Session })
	if status, text := call(t, "DELETE", url+"/v1/sessions/warm", ""); status != 204 {
		t.Errorf("delete: %d %s", status, text)
	}
	got := scrape(t, admin)
	for name, want := range map[string]float64{
		`fastpyrepl_executions_total{outcome="ok"}`:                                           2,
		`fastpyrepl_executions_total{outcome="error"}`:                                        1,
		`fastpyrepl_executions_total{outcome="timeout"}`:                                      1,
		`fastpyrepl_executions_total{outcome="oom"}`:                                          1,
		`fastpyrepl_executions_total{outcome="crashed"}`:                                      0,
		`fastpyrepl_ooms_total`:                                                               1,
		`fastpyrepl_state_lost_total`:                                                         1,
		`fastpyrepl_execution_duration_seconds_count`:                                         5,
		`fastpyrepl_execution_queue_duration_seconds_count`:                                   5,
		`fastpyrepl_output_bytes_total{stream="stdout"}`:                                      5,
		`fastpyrepl_session_start_duration_seconds_count{source="warm"}`:                      1,
		`fastpyrepl_session_start_duration_seconds_count{source="cold"}`:                      1,
		`fastpyrepl_sessions_ended_total{reason="lost"}`:                                      1,
		`fastpyrepl_sessions_ended_total{reason="reset"}`:                                     1,
		`fastpyrepl_sessions{state="idle"}`:                                                   0,
		`fastpyrepl_sessions_remembered`:                                                      1,
		`fastpyrepl_pool_target`:                                                              1,
		`fastpyrepl_http_requests_total{code="200",method="POST",route="/execute"}`:           5,
		`fastpyrepl_http_requests_total{code="201",method="POST",route="/v1/sessions"}`:       2,
		`fastpyrepl_http_requests_total{code="204",method="DELETE",route="/v1/sessions/:id"}`: 1,
		`fastpyrepl_engine_requests_total{operation="container_attach",result="refused"}`:     0,
		`fastpyrepl_ready{check="engine"}`:                                                    1,
		`fastpyrepl_ready{check="image"}`:                                                     1,
		`fastpyrepl_ready{check="state"}`:                                                     1,
	} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
	for _, name := range []string{ // which take as many calls as they take
		`fastpyrepl_engine_requests_total{operation="container_create",result="ok"}`,
		`fastpyrepl_engine_requests_total{operation="container_remove",result="ok"}`,
		`fastpyrepl_engine_request_duration_seconds_count{operation="container_start"}`,
		`fastpyrepl_execution_duration_seconds_sum`,
		`go_goroutines`, `process_open_fds`,
	} {
		if got[name] <= 0 {
			t.Errorf("%s is %v", name, got[name])
		}
	}
	t.Run("rules and dashboard", func(t *testing.T) { got.checkRules(t); got.checkDashboard(t) })
}

// The trees of spans of an execution that starts its session, of one that finds it there, and of the end of the session.
func TestObserved_TracesOfRealSessions(t *testing.T) {
	c := tracingtest.New(t)
	s := serve(t, "--set", "pool.size.min=0", "--set", "pool.size.max=0", "--set", "tracing.endpoint="+c.URL, "--log-level", "debug")
	url := s.ready()
	const client = "0af7651916cd43dd8448eb211c80319c"
	body := `{"code":"print('SECRET')","session_id":"SECRET","context":"SECRET"}`
	if status, text := call(t, "POST", url+"/execute", body, "Traceparent", "00-"+client+"-b7ad6b7169203331-01"); status != 200 {
		t.Fatalf("cold: %d %s", status, text)
	}
	if status, text := call(t, "POST", url+"/execute", body, "Accept", "text/event-stream"); status != 200 {
		t.Fatalf("warm: %d %s", status, text)
	}
	if status, text := call(t, "DELETE", url+"/v1/sessions/SECRET", ""); status != 204 {
		t.Fatalf("delete: %d %s", status, text)
	}
	all := c.Await(t, "spans of all three", func(all []tracingtest.Span) bool {
		n := 0
		for _, span := range all {
			if span.Server || span.Name == "execution" {
				n++
			}
		}
		return n == 5
	})
	if text := fmt.Sprintf("%+v", all); strings.Contains(text, "SECRET") {
		t.Errorf("the spans have what the client sent: %s", text)
	}
	traces := trees(all)
	var cold, warm, end map[string]tracingtest.Span
	for id, tree := range traces {
		switch _, ended := tree["DELETE /v1/sessions/:id"]; {
		case ended:
			end = tree
		case id == client:
			cold = tree
		default:
			warm = tree
		}
	}
	for _, want := range []string{
		"POST /execute > claim > engine container_list",
		"POST /execute > claim > engine container_create",
		"POST /execute > claim > engine container_attach",
		"POST /execute > claim > engine container_start",
		"POST /execute > queue",
		"POST /execute > execution",
	} {
		if _, ok := cold[want]; !ok {
			t.Errorf("cold: there is no %s", want)
		}
	}
	for _, want := range []string{"POST /execute > claim", "POST /execute > queue", "POST /execute > execution"} {
		if _, ok := warm[want]; !ok {
			t.Errorf("warm: there is no %s", want)
		}
	}
	if len(warm) != 4 || len(traces) != 3 {
		t.Errorf("warm: got %v, of %d traces", warm, len(traces))
	}
	if _, ok := end["DELETE /v1/sessions/:id > engine container_remove"]; !ok {
		t.Errorf("delete: got %v", end)
	}
	claim, run := cold["POST /execute > claim"], cold["POST /execute > execution"]
	if claim.Attributes["fastpyrepl.session.created"] != "true" || warm["POST /execute > claim"].Attributes["fastpyrepl.session.created"] != "false" {
		t.Errorf("claims: got %v and %v", claim, warm["POST /execute > claim"])
	}
	if run.Attributes["fastpyrepl.outcome"] != "ok" || run.Attributes["fastpyrepl.state_kept"] != "true" || run.Attributes["fastpyrepl.stdout_bytes"] != "7" {
		t.Errorf("execution: got %v", run)
	}
	request := cold["POST /execute"]
	if request.Parent != "b7ad6b7169203331" || request.Begin.After(claim.Begin) || run.End.Before(run.Begin) || claim.End.After(run.End) {
		t.Errorf("got %v around %v and %v", request, claim, run)
	}
	line := s.await("the request", func(e entry) bool { return e.Msg == "request" && e.Trace == client })
	if line.Session != run.Attributes["fastpyrepl.session"] || line.Execution != run.Attributes["fastpyrepl.execution"] || line.Session == "" {
		t.Errorf("the log has %+v, the span %v", line, run)
	}
}

// trees are the spans of each trace, by their names and those above them.
func trees(all []tracingtest.Span) map[string]map[string]tracingtest.Span {
	byID := map[string]tracingtest.Span{}
	for _, span := range all {
		byID[span.ID] = span
	}
	traces := map[string]map[string]tracingtest.Span{}
	for _, span := range all {
		path := span.Name
		for above, ok := byID[span.Parent]; ok; above, ok = byID[above.Parent] {
			path = above.Name + " > " + path
		}
		if traces[span.Trace] == nil {
			traces[span.Trace] = map[string]tracingtest.Span{}
		}
		traces[span.Trace][path] = span
	}
	return traces
}
