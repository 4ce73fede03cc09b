package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func TestHealth(t *testing.T) {
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/health" {
			t.Errorf("asked for %s", r.URL.Path)
		}
		w.WriteHeader(status)
		w.Write([]byte(`{"status":"PYTHON REPL ACTIVE"}`))
	}))
	defer server.Close()
	address, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]struct{ env, args []string }{
		"by flag":             {nil, []string{"health", "--url", server.URL + "/"}},
		"by variable":         {[]string{"FASTPYREPL_URL=" + server.URL}, []string{"health"}},
		"by the daemon's own": {[]string{"FASTPYREPL_SERVER_HOST=0.0.0.0", "FASTPYREPL_SERVER_INSECURE=true", "FASTPYREPL_SERVER_PORT=" + address.Port()}, []string{"health"}},
		"past a proxy":        {[]string{"http_proxy=http://127.0.0.1:1"}, []string{"health", "--url", server.URL}},
	} {
		if code, stdout, stderr := command(t, call.env, call.args...); code != 0 || stdout != `{"status":"PYTHON REPL ACTIVE"}`+"\n" {
			t.Errorf("%s: exit code %d, stdout %q, stderr %q", name, code, stdout, stderr)
		}
	}
	status = http.StatusServiceUnavailable
	code, _, stderr := command(t, nil, "health", "--url", server.URL)
	if want := "fastpyrepl: " + server.URL + " does not serve: it answers 503 Service Unavailable\n"; code != exitFailure || stderr != want {
		t.Errorf("exit code %d, stderr %q, want %q", code, stderr, want)
	}
}

func TestHealth_NobodyListens(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + ln.Addr().String()
	ln.Close()
	code, _, stderr := command(t, nil, "health", "--url", url)
	if code != exitFailure || !strings.HasPrefix(stderr, "fastpyrepl: "+url+" does not serve: ") || strings.Count(stderr, "\n") != 1 {
		t.Errorf("exit code %d, stderr %q", code, stderr)
	}
}

func TestBaseURL(t *testing.T) {
	for host, want := range map[string]string{"0.0.0.0": "http://127.0.0.1:1", "::": "http://[::1]:1", "192.0.2.1": "http://192.0.2.1:1", "localhost": "http://localhost:1"} {
		if got := baseURL(host, 1); got != want {
			t.Errorf("%s: got %s, want %s", host, got, want)
		}
	}
}
