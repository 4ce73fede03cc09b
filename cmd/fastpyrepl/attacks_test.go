package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/gjyotin305/fastpyrepl/daemon"
	"github.com/gjyotin305/fastpyrepl/daemon/auth"
	"github.com/go-json-experiment/json"
)

// Every route there is, and will be, is walked with every attack.
func TestWalk_EveryRouteRefuses(t *testing.T) {
	w := newWalk(t)
	unauthorized := func(r daemon.Route) int {
		if r.Open {
			return http.StatusOK
		}
		return http.StatusUnauthorized
	}
	always := func(status int) func(daemon.Route) int { return func(daemon.Route) int { return status } }
	unlessAnyBody := func(status int) func(daemon.Route) int { // 0 where it is no attack
		return func(r daemon.Route) int {
			if len(r.Takes) > 0 && r.Takes[0].Type == "*/*" {
				return 0
			}
			return status
		}
	}
	key := "X-API-Key: " + w.ann
	large := strings.Repeat(" ", walkBody+1)
	attacks := []struct {
		name   string
		change func(q request) request
		want   func(r daemon.Route) int
	}{
		{"no key", func(q request) request { return q }, unauthorized},
		{"a wrong key", func(q request) request { return q.add("X-API-Key: " + auth.New()) }, unauthorized},
		{"a wrong bearer", func(q request) request { return q.add("Authorization: Bearer " + auth.New()) }, unauthorized},
		{"the key's hash", func(q request) request { return q.add("X-API-Key: " + w.hash) }, unauthorized},
		{"a part of the key", func(q request) request { return q.add("X-API-Key: " + w.ann[:40]) }, unauthorized},
		{"the key as a password", func(q request) request { return q.add("Authorization: Basic " + w.ann) }, unauthorized},
		{"the key as a cookie", func(q request) request { return q.add("Cookie: api_key=" + w.ann) }, unauthorized},
		{"the key in the URL", func(q request) request { q.path += "?key=" + w.ann + "&X-API-Key=" + w.ann; return q }, unauthorized},
		{"an allowed origin, no key", func(q request) request { return q.add("Origin: "+walkOrigin, "Sec-Fetch-Site: cross-site") }, unauthorized},

		{"a foreign origin", func(q request) request { return q.add(key, "Origin: https://evil.example") }, always(403)},
		{"no origin at all", func(q request) request { return q.add(key, "Origin: null") }, always(403)},
		{"another port's origin", func(q request) request { return q.add(key, "Origin: http://localhost:1") }, always(403)},
		{"an allowed origin's neighbour", func(q request) request { return q.add(key, "Origin: "+walkOrigin+".evil.example") }, always(403)},
		{"a page of another site", func(q request) request { return q.add(key, "Sec-Fetch-Site: cross-site") }, always(403)},
		{"a foreign origin that asks", func(q request) request {
			return q.add(key, "Origin: https://evil.example", "Access-Control-Request-Method: POST")
		}, always(403)},
		{"a foreign host", func(q request) request { return q.add(key, "Host: evil.example") }, always(421)},
		{"a rebound host", func(q request) request { return q.add(key, "Host: 127.0.0.1.evil.example:8000") }, always(421)},

		{"a form", func(q request) request {
			return q.with("code=x").add(key, "Content-Type: application/x-www-form-urlencoded")
		}, unlessAnyBody(415)},
		{"plain text", func(q request) request { return q.with(`{"code":"x"}`).add(key, "Content-Type: text/plain") }, unlessAnyBody(415)},
		{"no type", func(q request) request {
			q.headers = q.headers[:1]
			q.body = `{"code":"x"}`
			return q.add(key, "Content-Length: 12")
		}, unlessAnyBody(415)},
		{"a compressed body", func(q request) request {
			return q.with("\x1f\x8b\x08\x00\x00\x00\x00\x00").add(key, "Content-Encoding: gzip")
		}, always(415)},
		{"a body said to be compressed", func(q request) request { return q.with(`{"code":"x"}`).add(key, "Content-Encoding: br") }, always(415)},
		{"an oversized body", func(q request) request { return q.with(large).add(key) }, always(413)},
		{"an oversized body, announced", func(q request) request {
			return q.with(large[:8<<10]).add(key, "Content-Length: 100000000000", "Expect: 100-continue")
		}, always(413)},
		{"an oversized header", func(q request) request { return q.add(key, "X-Long: "+strings.Repeat("x", walkHeader)) }, always(431)},
		{"an oversized path", func(q request) request { q.path += "?" + strings.Repeat("x", walkHeader); return q.add(key) }, always(431)},
		{"two lengths", func(q request) request {
			return q.with("{}").add(key, "Content-Length: 2", "Transfer-Encoding: chunked")
		}, always(400)},
	}
	for _, r := range w.routes() {
		t.Run(r.Method+" "+r.Path, func(t *testing.T) {
			for _, a := range attacks {
				if a.want(r) == 0 {
					continue
				}
				got := w.send(t, a.change(to(r, w.session, w.execution)))
				if want := a.want(r); got.status != want {
					t.Errorf("%s: %d %s, want %d", a.name, got.status, got.body, want)
				}
				if (got.header.Get("WWW-Authenticate") != "") != (got.status == 401) || got.header.Get("X-Content-Type-Options") != "nosniff" {
					t.Errorf("%s: headers %v", a.name, got.header)
				}
				if allowed := got.header.Get("Access-Control-Allow-Origin"); allowed != "" && !strings.HasPrefix(a.name, "an allowed origin, ") ||
					got.header.Get("Access-Control-Allow-Credentials") != "" {
					t.Errorf("%s: a page of %s may read this", a.name, allowed)
				}
				if strings.Contains(got.body, walkSecret) || strings.Contains(got.body, "fpr_") {
					t.Errorf("%s: tells %s", a.name, got.body)
				}
			}
			w.intact(t)
		})
	}
}

func TestWalk_EveryUpgradeRefuses(t *testing.T) {
	w := newWalk(t)
	protocol := "Sec-WebSocket-Protocol: fastpyrepl, key."
	for _, r := range w.routes() {
		if r.Open { // nothing is upgraded there
			continue
		}
		t.Run(r.Method+" "+r.Path, func(t *testing.T) {
			for _, a := range []struct {
				name    string
				headers []string
				want    int
			}{
				{"no key", nil, 401},
				{"a wrong key", []string{"X-API-Key: " + auth.New()}, 401},
				{"a wrong subprotocol", []string{protocol + auth.New()}, 401},
				{"a subprotocol without a mark", []string{"Sec-WebSocket-Protocol: " + w.ann}, 401},
				{"a foreign origin", []string{protocol + w.ann, "Origin: https://evil.example"}, 403},
				{"no origin at all", []string{protocol + w.ann, "Origin: null"}, 403},
				{"a page of another site", []string{protocol + w.ann, "Sec-Fetch-Site: cross-site"}, 403},
				{"a foreign host", []string{protocol + w.ann, "Host: evil.example"}, 421},
				{"an allowed origin without a key", []string{"Origin: " + walkOrigin}, 401},
			} {
				if got := w.send(t, to(r, w.session, w.execution).upgraded().add(a.headers...)); got.status != a.want {
					t.Errorf("%s: %d %s, want %d", a.name, got.status, got.body, a.want)
				}
			}
			w.intact(t)
		})
	}
}

var (
	anyID   = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|nonce="[A-Z2-7]{26}"`) // a nonce is another one with every answer
	anyTime = regexp.MustCompile(`"(time|execution_time|wall_time|created_at)":[^,}]*`)
)

// What another key's owner has answers as what nobody has: bob is told the same, to the byte, of ann's session and of one
// that never was, and ann's goes on.
func TestWalk_OthersAreNotThere(t *testing.T) {
	w := newWalk(t)
	const nobodys, noExecution = "nobody-is-here", "00000000-0000-4000-8000-000000000000" // as long as ann's
	for _, r := range w.routes() {
		requests := map[string]func(q request) request{"plain": func(q request) request { return q }}
		if r.Method == http.MethodGet {
			requests["as events"] = func(q request) request { return q.add("Accept: text/event-stream") }
			requests["upgraded"] = request.upgraded
		}
		if r.In != nil && r.Method == http.MethodPost {
			requests["not to be created"] = func(q request) request {
				return q.with(strings.Replace(q.body, "{", `{"create":false,`, 1))
			}
		}
		for name, change := range requests {
			t.Run(r.Method+" "+r.Path+" "+name, func(t *testing.T) {
				var told [2]string
				for i, about := range [][2]string{{w.session, w.execution}, {nobodys, noExecution}} {
					got := w.send(t, change(to(r, about[0], about[1])).add("X-API-Key: "+w.bob))
					if got.status >= 500 && got.status != http.StatusServiceUnavailable || strings.Contains(got.body, walkSecret) {
						t.Errorf("got %d %s", got.status, got.body)
					}
					if named := strings.Contains(r.Path, ":"); named && !r.Open && r.Method == http.MethodGet && name != "upgraded" &&
						got.status != 404 && got.status != 426 {
						t.Errorf("got %d %s, want 404", got.status, got.body)
					}
					told[i] = fmt.Sprint(got.status, " ", anyTime.ReplaceAllString(anyID.ReplaceAllString(got.body, "ID"), "TIME"))
					told[i] = strings.ReplaceAll(told[i], about[0], "SESSION")
					if err := w.manager.ResetAll(t.Context(), func(owner string) bool { return owner == "bob" }); err != nil {
						t.Fatal(err)
					}
					w.intact(t)
				}
				if told[0] != told[1] {
					t.Errorf("of ann's: %s\nof nobody's: %s", told[0], told[1])
				}
			})
		}
	}
}

// A client that is slow holds a connection for the read timeout, and nothing of what it began to say is done.
func TestWalk_SlowClientsAreCutOff(t *testing.T) {
	w := newWalk(t)
	type slow struct {
		name string
		r    daemon.Route
		conn net.Conn
	}
	var all []slow
	for _, r := range w.routes() {
		q := to(r, w.session, w.execution)
		head := q.method + " " + q.path + " HTTP/1.1\r\nHost: localhost\r\nX-API-Key: " + w.bob + "\r\n"
		json := head + "Content-Type: application/json\r\n"
		for name, text := range map[string]string{
			"in the line":     q.method + " /",
			"in the headers":  head + "X-Slow: ",
			"before the body": json + "Content-Length: 100\r\n\r\n",
			"in the body":     json + "Content-Length: 100\r\n\r\n" + `{"code":"x"`,
			"in a long body":  json + "Content-Length: 60000\r\n\r\n" + `{"code":"` + strings.Repeat("x", 16<<10),
			"in a chunk":      json + "Transfer-Encoding: chunked\r\n\r\n4000\r\n" + `{"code":"` + strings.Repeat("x", 9<<10),
		} {
			conn := w.dial(t)
			if _, err := io.WriteString(conn, text); err != nil {
				t.Fatal(err)
			}
			all = append(all, slow{name, r, conn})
		}
	}
	for _, s := range all {
		t.Run(s.r.Method+" "+s.r.Path+" "+s.name, func(t *testing.T) {
			got := receive(t, s.conn, s.r.Method, true)      // ends when the server closes
			served := s.r.Open || s.r.Path == "/v1/sessions" // which read no body, and tell bob what is his
			if got.status == 200 && !served || got.status >= 500 {
				t.Errorf("got %d %s", got.status, got.body)
			}
		})
	}
	w.intact(t)
	if n := len(w.manager.Sessions(func(owner string) bool { return owner == "bob" })); n != 0 {
		t.Errorf("bob has %d sessions by half a request", n)
	}
}

// The walk would be worth little if what it sends were refused for itself.
func TestWalk_WhatIsRightIsServed(t *testing.T) {
	w := newWalk(t)
	file := daemon.Route{Method: http.MethodPut, Path: "/v1/sessions/:id/files/*"}
	if got := w.send(t, to(file, w.session, "").with("1").add("X-API-Key: "+w.ann)); got.status != 201 {
		t.Fatalf("ann's file: %d %s", got.status, got.body)
	}
	for _, r := range w.server.Routes() {
		if r.Method == http.MethodDelete || strings.HasSuffix(r.Path, "/events") || strings.HasSuffix(r.Path, "/channel") || r.Path == "/reset" {
			continue // these end ann's work, or do not end while it goes on
		}
		q := to(r, w.session, w.execution)
		if r.Path == "/execute" {
			q = to(r, "another", "")
		}
		if r.Method == http.MethodPost && r.Path == "/v1/sessions" {
			q = to(r, "made", "")
		}
		switch strings.TrimPrefix(r.Path, "/v1/sessions/:id/") {
		case "interrupt", "complete", "is_complete", "inspect", "variables": // of one that is idle; it comes before them in the table
			q = to(r, "another", "")
		}
		key := w.ann
		if r.Admin {
			if got := w.send(t, q.add("X-API-Key: "+w.ann)); got.status != http.StatusForbidden {
				t.Errorf("%s for one who is no administrator: %d", r.Path, got.status)
			}
			key = w.root
		}
		got := w.send(t, q.add("X-API-Key: "+key, "Origin: "+walkOrigin))
		if got.status < 200 || got.status > 299 || got.header.Get("Access-Control-Allow-Origin") != walkOrigin || got.header.Get("Cache-Control") != "no-store" && !r.Open {
			t.Errorf("%s %s: %d %s %v", r.Method, r.Path, got.status, got.body, got.header)
		}
	}
	got := w.send(t, to(daemon.Route{Method: "GET", Path: "/v1/sessions"}, "", "").add("Authorization: Bearer "+w.ann))
	var list struct {
		Sessions []struct {
			ID string `json:"session_id"`
		} `json:"sessions"`
	}
	if err := json.Unmarshal([]byte(got.body), &list); err != nil || len(list.Sessions) != 3 || list.Sessions[0].ID != w.session {
		t.Errorf("ann's list: %d %s", got.status, got.body)
	}
	channel := w.send(t, to(daemon.Route{Method: "GET", Path: "/v1/sessions/:id/channel"}, w.session, "").upgraded().
		add("Sec-WebSocket-Protocol: fastpyrepl, key."+w.ann, "Origin: "+walkOrigin))
	if channel.status != 101 || channel.header.Get("Sec-WebSocket-Protocol") != "fastpyrepl" {
		t.Errorf("ann's channel: %d %v", channel.status, channel.header)
	}
}
