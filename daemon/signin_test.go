package daemon_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fasthttp/websocket"
	"github.com/gjyotin305/fastpyrepl/daemon"
	"github.com/gjyotin305/fastpyrepl/daemon/auth"
	"github.com/gofiber/fiber/v2"
)

// tenant makes a key of a name.
func tenant(t *testing.T, name string, change func(*auth.Key)) (string, auth.Key) {
	t.Helper()
	secret := auth.New()
	hash, err := auth.HashOf(secret)
	if err != nil {
		t.Fatal(err)
	}
	k := auth.Key{Name: name, Hashes: []auth.Hash{hash}, Role: auth.User}
	if change != nil {
		change(&k)
	}
	return secret, k
}

func admin(k *auth.Key) { k.Role = auth.Admin }

func locked(keys ...auth.Key) daemon.Config {
	cfg := testConfig()
	cfg.Auth = auth.Config{Required: true, Keys: keys}
	return cfg
}

const upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="

func TestSignIn_TakesTheKeyFromItsPlaces(t *testing.T) {
	ann, key := tenant(t, "ann", nil)
	s := serve(t, locked(key))
	wrong := auth.New()
	for _, tc := range []struct {
		name, headers string
		want          int
	}{
		{"bearer", "Authorization: Bearer " + ann, 200},
		{"bearer in another case", "authorization: bEARER   " + ann + " ", 200},
		{"X-API-Key", "x-api-key: " + ann, 200},
		{"X-API-Key beside a proxy's own", "X-API-Key: " + ann + "\r\nAuthorization: Basic eDp5", 200},
		{"none", "X-Nothing: x", 401},
		{"basic", "Authorization: Basic " + ann, 401},
		{"no scheme", "Authorization: " + ann, 401},
		{"no key", "Authorization: Bearer", 401},
		{"an empty key", "Authorization: Bearer \r\nX-API-Key: ", 401},
		{"another key", "Authorization: Bearer " + wrong, 401},
		{"another key in the first place", "X-API-Key: " + wrong + "\r\nAuthorization: Bearer " + ann, 401},
		{"its hash", "Authorization: Bearer " + key.Hashes[0].String(), 401},
		{"a part", "X-API-Key: " + ann[:20], 401},
		{"more than it", "X-API-Key: " + ann + "x", 401},
		{"two in one", "X-API-Key: " + ann + ", " + ann, 401},
		{"a cookie", "Cookie: key=" + ann, 401},
		{"a subprotocol without an upgrade", "Sec-WebSocket-Protocol: fastpyrepl, key." + ann, 401},
		{"a subprotocol", upgrade + "\r\nSec-WebSocket-Protocol: fastpyrepl,  key." + ann, 200},
		{"a subprotocol that is another key", upgrade + "\r\nSec-WebSocket-Protocol: fastpyrepl, key." + wrong, 401},
		{"a subprotocol without its mark", upgrade + "\r\nSec-WebSocket-Protocol: fastpyrepl, " + ann, 401},
	} {
		t.Run(tc.name, func(t *testing.T) {
			status, body, header := s.one(t, "GET", "/who", []string{"Host: localhost", tc.headers}, "")
			if status != tc.want || tc.want == 200 && body != `"ann"` {
				t.Errorf("got %d %s, want %d", status, body, tc.want)
			}
			if got := header.Get("WWW-Authenticate"); (got == "Bearer") != (tc.want == 401) {
				t.Errorf("WWW-Authenticate: %q", got)
			}
		})
	}
	if status, _, _ := s.one(t, "GET", "/who?key="+ann+"&api_key="+ann+"&X-API-Key="+ann, []string{"Host: localhost"}, ""); status != 401 {
		t.Errorf("a key in the URL: %d", status)
	}
	if log := s.log.String(); strings.Contains(log, "fpr_") || strings.Contains(log, key.Hashes[0].String()) || !strings.Contains(log, "key=ann") {
		t.Errorf("the log has a key, or not its name:\n%s", log)
	}
}

// Nobody without a key learns what there is, and no body is read for them.
func TestSignIn_ComesBeforeTheRestIsLookedAt(t *testing.T) {
	ann, key := tenant(t, "ann", nil)
	s := serve(t, locked(key))
	json := []string{"Host: localhost", "Content-Type: application/json"}
	for _, tc := range []struct {
		method, path string
		headers      []string
		with         int // with a key
	}{
		{"GET", "/hello", nil, 200},
		{"GET", "/nowhere", nil, 404},
		{"GET", "/", nil, 404},
		{"DELETE", "/hello", nil, 405},
		{"BREW", "/hello", nil, 405},
		{"OPTIONS", "/hello", nil, 405},
		{"GET", "/free/../hello", nil, 404},
		{"GET", "/free/", nil, 404},
		{"POST", "/free", nil, 405},
		{"POST", "/echo", []string{"Content-Type: text/plain", "Content-Length: 100000"}, 415},
		{"POST", "/echo", []string{"Content-Encoding: gzip", "Content-Length: 100000"}, 415},
		{"POST", "/echo", []string{"Content-Length: 100000000"}, 413},
		{"POST", "/echo", []string{"Content-Length: 100000000", "Expect: 100-continue"}, 413},
	} {
		headers := append(append([]string{}, json...), tc.headers...)
		body := "" // what fasthttp reads ahead; no more of it is sent
		if len(tc.headers) > 0 {
			body = strings.Repeat(" ", 8<<10)
		}
		if len(tc.headers) > 0 && strings.HasPrefix(tc.headers[0], "Content-Type") {
			headers = append([]string{json[0]}, tc.headers...)
		}
		if status, text, _ := s.one(t, tc.method, tc.path, headers, body); status != 401 {
			t.Errorf("%s %s %q without a key: %d %s", tc.method, tc.path, tc.headers, status, text)
		}
		headers = append(headers, "X-API-Key: "+ann)
		if status, text, _ := s.one(t, tc.method, tc.path, headers, body); status != tc.with {
			t.Errorf("%s %s %q with one: %d %s, want %d", tc.method, tc.path, tc.headers, status, text, tc.with)
		}
	}
	// Host and Origin come first: a page is not to learn whether its user's key is right.
	for _, header := range []string{"Host: evil.example", "Host: localhost\r\nOrigin: null", "Host: localhost\r\nSec-Fetch-Site: cross-site"} {
		if status, _, _ := s.one(t, "GET", "/hello", []string{header}, ""); status != 421 && status != 403 {
			t.Errorf("%q without a key: %d", header, status)
		}
	}
}

func TestSignIn_AsksBeforeABodyIsSent(t *testing.T) {
	ann, key := tenant(t, "ann", nil)
	s := serve(t, locked(key))
	body := `{"text":"x"}`
	for header, want := range map[string]string{"X-API-Key: " + auth.New(): "401", "X-API-Key: " + ann: "100"} {
		conn := s.dial(t)
		fmt.Fprintf(conn, "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n%s\r\n"+
			"Expect: 100-continue\r\nConnection: close\r\nContent-Length: %d\r\n\r\n", header, len(body))
		line, err := bufio.NewReader(conn).ReadString('\n')
		if err != nil || !strings.HasPrefix(line, "HTTP/1.1 "+want) {
			t.Errorf("got %q, %v, want %s", line, err, want)
		}
	}
}

func TestSignIn_OpenRoutes(t *testing.T) {
	_, key := tenant(t, "ann", nil)
	s := serve(t, locked(key))
	for _, tc := range []struct {
		path string
		want int
	}{{"/free", 200}, {"/pages/a/b.js", 200}, {"/pages/", 200}, {"/pages", 200}, {"/pagesx", 401}, {"/x/pages/", 401}, {"/Free", 401}, {"/free?owner=bob", 200}} {
		for _, header := range []string{"X-Nothing: x", "X-API-Key: " + auth.New()} {
			if status, body, _ := s.one(t, "GET", tc.path, []string{"Host: localhost", header}, ""); status != tc.want {
				t.Errorf("%s: %d %s, want %d", tc.path, status, body, tc.want)
			}
		}
	}
}

func TestSignIn_AdministratorsNameOwners(t *testing.T) {
	ann, annKey := tenant(t, "ann", nil)
	root, rootKey := tenant(t, "root", admin)
	s := serve(t, locked(annKey, rootKey))
	for _, tc := range []struct {
		key, query string
		status     int
		want       string // owner, and whether bob's is in reach
	}{
		{ann, "", 200, "ann false"},
		{ann, "?owner=bob", 403, ""},
		{ann, "?owner=ann", 403, ""},
		{ann, "?owner=", 403, ""},
		{ann, "?x=1&owner", 403, ""},
		{ann, "?%6fwner=bob", 403, ""},
		{root, "", 200, "root true"},
		{root, "?owner=bob", 200, "bob true"},
		{root, "?owner=root", 200, "root false"},
		{root, "?owner=", 200, " false"},
		{root, "?owner=a%2Fb", 422, ""},
		{root, "?owner=" + strings.Repeat("a", 129), 422, ""},
	} {
		status, body, _ := s.one(t, "GET", "/reach"+tc.query, []string{"Host: localhost", "X-API-Key: " + tc.key}, "")
		if status != tc.status || status == 200 && body != `"`+tc.want+`"` {
			t.Errorf("%s with %.8s: %d %s, want %d %s", tc.query, tc.key, status, body, tc.status, tc.want)
		}
	}
	open := serve(t, testConfig())
	if status, body, _ := open.one(t, "GET", "/reach?owner=bob", []string{"Host: localhost"}, ""); status != 403 {
		t.Errorf("without keys there are no administrators: %d %s", status, body)
	}
	if status, body, _ := open.one(t, "GET", "/reach", []string{"Host: localhost", "X-API-Key: " + ann}, ""); status != 200 || body != `" false"` {
		t.Errorf("without keys a key means nothing: %d %s", status, body)
	}
}

func TestSignIn_RateOfAKey(t *testing.T) {
	ann, annKey := tenant(t, "ann", func(k *auth.Key) { k.Limits = auth.Limits{Rate: 0.001, Burst: 3} })
	bob, bobKey := tenant(t, "bob", nil)
	s := serve(t, locked(annKey, bobKey))
	get := func(key, path string) (int, http.Header) {
		status, _, header := s.one(t, "GET", path, []string{"Host: localhost", "X-API-Key: " + key}, "")
		return status, header
	}
	for i, want := range []struct {
		status           int
		remaining, reset string
	}{{200, "2", "1000"}, {404, "1", "2000"}, {200, "0", "3000"}, {429, "0", "3000"}, {429, "0", "3000"}} {
		path := "/hello"
		if want.status == 404 {
			path = "/nowhere"
		}
		status, header := get(ann, path)
		if status != want.status || header.Get("RateLimit-Limit") != "3" || header.Get("RateLimit-Remaining") != want.remaining ||
			header.Get("RateLimit-Reset") != want.reset || (header.Get("Retry-After") == "1000") != (status == 429) {
			t.Errorf("request %d: %d %v, want %+v", i, status, header, want)
		}
	}
	if status, header := get(bob, "/hello"); status != 200 || header.Get("RateLimit-Limit") != "" {
		t.Errorf("a key without a rate: %d %v", status, header)
	}
	if status, header := get(ann, "/free"); status != 200 || header.Get("RateLimit-Limit") != "" {
		t.Errorf("an open route: %d %v", status, header)
	}
}

func TestSignIn_KeysChangeLive(t *testing.T) {
	ann, key := tenant(t, "ann", nil)
	s := serve(t, testConfig())
	get := func() int {
		status, _, _ := s.one(t, "GET", "/hello", []string{"Host: localhost", "X-API-Key: " + ann}, "")
		return status
	}
	for i, step := range []struct {
		keys auth.Config
		want int
	}{{auth.Config{}, 200}, {auth.Config{Required: true}, 401}, {auth.Config{Required: true, Keys: []auth.Key{key}}, 200}, {auth.Config{Required: true}, 401}} {
		s.SetAuth(step.keys)
		if got := get(); got != step.want {
			t.Errorf("step %d: %d, want %d", i, got, step.want)
		}
	}
}

// What was begun with a key ends with it, whatever it waits for.
func TestSignIn_AWithdrawnKeyEndsWhatItBegan(t *testing.T) {
	ann, annKey := tenant(t, "ann", nil)
	bob, bobKey := tenant(t, "bob", nil)
	begun, causes := make(chan string), make(chan error, 8)
	addr, _, server := streaming(t, func(c *fiber.Ctx) error {
		wait := func(ctx context.Context) {
			begun <- "begun"
			<-ctx.Done()
			causes <- context.Cause(ctx)
		}
		switch c.Query("as") {
		case "stream":
			daemon.Stream(c, "text/plain", func(ctx context.Context, s *daemon.StreamWriter) { wait(ctx) })
			return nil
		case "socket":
			return daemon.UpgradeSocket(c, func(ctx context.Context, s *daemon.Socket) { wait(ctx) })
		}
		wait(daemon.Context(c))
		return context.Cause(daemon.Context(c))
	})
	server.SetAuth(auth.Config{Required: true, Keys: []auth.Key{annKey, bobKey}})
	ask := func(as, key string) <-chan int {
		status := make(chan int, 1)
		go func() {
			req, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+addr+"/stream?as="+as, nil)
			if err != nil {
				t.Error(err)
			}
			req.Header.Set("X-API-Key", key)
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				status <- 0
				return
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			status <- resp.StatusCode
		}()
		<-begun
		return status
	}
	dialer := websocket.Dialer{Subprotocols: []string{"fastpyrepl", "key." + ann}}
	ws, resp, err := dialer.DialContext(t.Context(), "ws://"+addr+"/stream?as=socket", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	<-begun
	if got := resp.Header.Values("Sec-WebSocket-Protocol"); len(got) != 1 || got[0] != "fastpyrepl" {
		t.Errorf("subprotocol: %q", got)
	}
	plain, stream, others := ask("plain", ann), ask("stream", ann), ask("plain", bob)
	server.SetAuth(auth.Config{Required: true, Keys: []auth.Key{bobKey}})
	if status := <-plain; status != 401 {
		t.Errorf("a request under way: %d", status)
	}
	<-stream
	var closed *websocket.CloseError
	if _, _, err := ws.ReadMessage(); !errors.As(err, &closed) || closed.Code != websocket.ClosePolicyViolation {
		t.Errorf("a socket: %v", err)
	}
	for range 3 {
		if cause := <-causes; cause.Error() != "Unauthorized" {
			t.Errorf("got %v", cause)
		}
	}
	select {
	case status := <-others:
		t.Errorf("another key's request ended with %d", status)
	default:
	}
	server.SetAuth(auth.Config{Required: true})
	<-others
	<-causes
}

func TestSocket_WithoutASubprotocolThereIsNone(t *testing.T) {
	s := serve(t, testConfig())
	for offered, want := range map[string]string{"": "", "fastpyrepl": "fastpyrepl", "other": "", "other, fastpyrepl": "fastpyrepl"} {
		conn, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		header := upgrade
		if offered != "" {
			header += "\r\nSec-WebSocket-Protocol: " + offered
		}
		fmt.Fprintf(conn, "GET /socket HTTP/1.1\r\nHost: localhost\r\n%s\r\n\r\n", header)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || resp.StatusCode != 101 || resp.Header.Get("Sec-WebSocket-Protocol") != want {
			t.Errorf("%q: %v, %v", offered, resp, err)
		}
		conn.Close()
	}
}
