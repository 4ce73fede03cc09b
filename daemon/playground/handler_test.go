package playground_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gjyotin305/fastpyrepl/daemon"
	"github.com/gjyotin305/fastpyrepl/daemon/playground"
)

// serve serves the page and returns where.
func serve(t *testing.T) string {
	t.Helper()
	h, err := playground.New()
	if err != nil {
		t.Fatal(err)
	}
	s := daemon.New(daemon.Config{
		MaxBody: 1 << 10, MaxInflightBody: 1 << 20, MaxHeader: 16 << 10, MaxConnections: 16,
		ReadTimeout: time.Second, WriteTimeout: 5 * time.Second, IdleTimeout: time.Second,
	}, daemon.Deps{Log: slog.New(slog.DiscardHandler), Routes: h.Routes()})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	t.Cleanup(func() {
		if err := s.Shutdown(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return "http://" + ln.Addr().String()
}

func get(t *testing.T, url string) (string, http.Header) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s: %s", url, resp.Status, body)
	}
	return string(body), resp.Header
}

// policy is a Content-Security-Policy by its directives.
func policy(h http.Header) map[string]string {
	all := map[string]string{}
	for directive := range strings.SplitSeq(h.Get("Content-Security-Policy"), "; ") {
		name, value, _ := strings.Cut(directive, " ")
		all[name] = value
	}
	return all
}

var nonce = regexp.MustCompile(` nonce="([A-Z2-7]{26})"`)

func TestPage_PolicyAllowsItsOwnScriptsAndNoHTMLOfText(t *testing.T) {
	url := serve(t)
	body, header := get(t, url+"/")
	found := nonce.FindStringSubmatch(body)
	if len(found) != 2 {
		t.Fatalf("the page has no nonce: %s", body)
	}
	for name, want := range map[string]string{
		"default-src": "'none'", "base-uri": "'none'", "form-action": "'none'", "frame-ancestors": "'none'",
		"script-src": "'self'", "style-src": fmt.Sprintf("'self' 'nonce-%s'", found[1]), "connect-src": "'self'", "frame-src": "'self'",
		"require-trusted-types-for": "'script'", "trusted-types": "'none'",
	} {
		if got := policy(header)[name]; got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if again, _ := get(t, url+"/"); strings.Contains(again, found[1]) {
		t.Error("two pages have the same nonce")
	}
	if inline := regexp.MustCompile(`<script[^>]*>[^<]|<style| on[a-z]+=| style=`).FindString(body); inline != "" {
		t.Errorf("the page has %q, which its policy forbids", inline)
	}
}

func TestPage_LoadsWhatIsServed(t *testing.T) {
	url := serve(t)
	body, _ := get(t, url+"/")
	references := regexp.MustCompile(`(?:src|href)="(playground/[^"]+)"`)
	imports := regexp.MustCompile(`(?:from|import) '\./([^']+)'`)
	seen := map[string]bool{}
	var follow func(path string)
	follow = func(path string) {
		if seen[path] {
			return
		}
		seen[path] = true
		text, _ := get(t, url+"/"+path)
		for _, found := range imports.FindAllStringSubmatch(text, -1) {
			follow("playground/" + found[1])
		}
	}
	for _, found := range references.FindAllStringSubmatch(body, -1) {
		follow(found[1])
	}
	for _, path := range []string{"playground/main.js", "playground/workbench.js", "playground/codemirror.js", "playground/page.css"} {
		if !seen[path] {
			t.Errorf("the page does not load %s", path)
		}
	}
	get(t, url+"/playground/LICENSES.txt")
}

func TestOutput_HasNoOriginAndLoadsNothing(t *testing.T) {
	url := serve(t)
	for query, scripts := range map[string]string{"": "'nonce-%s'", "?scripts=false": "'nonce-%s'", "?scripts=true": "'unsafe-inline' 'unsafe-eval'"} {
		body, header := get(t, url+"/playground/output"+query)
		if found := nonce.FindStringSubmatch(body); len(found) == 2 && strings.Contains(scripts, "%s") {
			scripts = fmt.Sprintf(scripts, found[1])
		}
		got := policy(header)
		for name, want := range map[string]string{
			"sandbox": "allow-scripts", "default-src": "'none'", "base-uri": "'none'", "form-action": "'none'", "frame-ancestors": "'self'",
			"script-src": scripts, "img-src": "data:", "connect-src": "", "frame-src": "",
		} {
			if got[name] != want {
				t.Errorf("%q: %s is %q, want %q", query, name, got[name], want)
			}
		}
		if got, want := header.Get("Connection-Allowlist"), "()"; got != want {
			t.Errorf("Connection-Allowlist is %q, want %q", got, want)
		}
	}
}
