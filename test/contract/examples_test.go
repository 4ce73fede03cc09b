package contract_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fasthttp/websocket"

	"github.com/gjyotin305/fastpyrepl/daemon"
)

// player sends examples to a daemon.
type player struct {
	at     *running
	key    string // "" for none
	d      *description
	routes []daemon.Route
	names  names
}

func newPlayer(t *testing.T, at *running) *player {
	t.Helper()
	return &player{at: at, d: describe(t), routes: tables(t), names: names{}}
}

func TestExamples(t *testing.T) {
	p := newPlayer(t, instance)
	for i := range p.routes {
		for _, e := range p.routes[i].Examples {
			t.Run(e.Name, func(t *testing.T) {
				p.begin(t, e)
				if err := p.play(t.Context(), &p.routes[i], e); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// begin brings about what happens before an example, in a daemon without sessions.
func (p *player) begin(t *testing.T, e daemon.Example) {
	t.Helper()
	p.names = names{}
	if err := p.reset(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, step := range e.After {
		if err := p.bringAbout(t.Context(), step); err != nil {
			t.Fatalf("%s: %v", step, err)
		}
	}
}

// bringAbout sends the example of that name, or does what no example can.
func (p *player) bringAbout(ctx context.Context, step string) error {
	if r, e := p.example(step); r != nil {
		return p.play(ctx, r, e)
	}
	switch step {
	case "the execution ends":
		_, err := p.status(ctx, "GET", p.names.real("/v1/executions/de7ac4ed-0000-4000-8000-000000000001/events"), "")
		return err
	case "the container ends":
		events, err := p.send(ctx, "GET", "/v1/sessions/demo/events", "", nil)
		if err != nil {
			return err
		}
		defer events.Body.Close()
		if err := p.poolIsWhole(ctx); err != nil { // one that is ended while it starts would be a pool that is not well
			return err
		}
		if err := p.at.endContainers(ctx); err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, events.Body) // which ends with the session
		return err
	case "its time is over":
		_, err := p.status(ctx, "GET", "/v1/sessions/demo/events", "") // which ends with the session
		return err
	case "the queue is full":
		return p.until(ctx, http.StatusTooManyRequests, func(int) string { return `{"code":"1","session_id":"demo","detach":true}` })
	case "there is no room":
		return p.until(ctx, http.StatusServiceUnavailable, func(i int) string { return fmt.Sprintf(`{"code":"1","session_id":"s%d"}`, i) })
	case "the disk is full":
		return p.execute(ctx, "import os\nopen('fill', 'wb').write(bytes(os.statvfs('.').f_bavail * os.statvfs('.').f_frsize))")
	case "a link is made":
		return p.execute(ctx, "import os\nos.symlink('/etc/passwd', 'link')")
	case "a thread writes behind its cell":
		begin := `{"session_id":"demo","code":"import threading\ngo = threading.Event()\ndef late():\n    go.wait()\n    print('later', flush=True)\nthreading.Thread(target=late).start()"}`
		for _, body := range []string{begin, `{"session_id":"demo","code":"go.set()"}`} {
			if status, err := p.status(ctx, "POST", "/execute", body); status != http.StatusOK {
				return fmt.Errorf("%d, %w", status, err)
			}
		}
		return nil
	}
	return fmt.Errorf("there is no such example, and no way to bring it about")
}

// execute runs code that must end well.
func (p *player) execute(ctx context.Context, code string) error {
	body, err := json.Marshal(map[string]string{"session_id": "demo", "code": code})
	if err != nil {
		return err
	}
	resp, err := p.send(ctx, "POST", "/execute", string(body), nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if !strings.Contains(string(text), `"outcome":"ok"`) {
		return fmt.Errorf("%s %s, %w", resp.Status, text, err)
	}
	return nil
}

// example finds the one of that name, and its route; nil for none.
func (p *player) example(name string) (*daemon.Route, daemon.Example) {
	for i := range p.routes {
		for _, e := range p.routes[i].Examples {
			if e.Name == name {
				return &p.routes[i], e
			}
		}
	}
	return nil, daemon.Example{}
}

func (p *player) reset(ctx context.Context) error {
	status, err := p.status(ctx, "POST", "/reset", "{}")
	if status != http.StatusOK {
		return fmt.Errorf("reset: %d, %w", status, err)
	}
	return nil
}

// until executes until it is answered with a status.
func (p *player) until(ctx context.Context, want int, body func(int) string) error {
	for i := range 100 {
		if status, err := p.status(ctx, "POST", "/execute", body(i)); status == want || err != nil {
			return err
		}
	}
	return fmt.Errorf("never answered with %d", want)
}

// status sends a request and reads the answer to its end.
// poolIsWhole waits until nothing is started for the pool any more.
func (p *player) poolIsWhole(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for ctx.Err() == nil {
		resp, err := p.send(ctx, "GET", "/readyz", "", nil)
		if err != nil {
			return err
		}
		var well struct{ Checks struct{ Pool string } }
		err = json.NewDecoder(resp.Body).Decode(&well)
		if err = errors.Join(err, resp.Body.Close()); err != nil {
			return err
		}
		var ready, target int
		if n, _ := fmt.Sscanf(well.Checks.Pool, "%d of %d containers are ready", &ready, &target); n == 2 && ready == target {
			return nil
		}
		time.Sleep(50 * time.Millisecond) // nothing tells when
	}
	return context.Cause(ctx)
}

func (p *player) status(ctx context.Context, method, path, body string) (int, error) {
	resp, err := p.send(ctx, method, path, body, nil)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

func (p *player) send(ctx context.Context, method, path, body string, header http.Header) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, p.at.URL+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	for name, values := range header {
		req.Header[name] = values
	}
	if body != "" && req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if p.key != "" {
		req.Header.Set("Authorization", "Bearer "+p.key)
	}
	return p.at.http.Do(req)
}

// play sends an example, checks the answer against the document, and compares it with what the example shows.
func (p *player) play(ctx context.Context, r *daemon.Route, e daemon.Example) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if e.Body != "" && e.Type == "" && e.Status < http.StatusBadRequest {
		if err := p.d.check(e.Body, "paths", r.Template(), strings.ToLower(r.Method), "requestBody", "content", "application/json", "schema"); err != nil {
			return fmt.Errorf("the request: %w", err)
		}
	}
	path, header := p.fill(r, e)
	if e.Status == http.StatusSwitchingProtocols {
		return p.converse(ctx, r, e, path)
	}
	resp, err := p.send(ctx, r.Method, path, p.names.real(e.Body), header)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != e.Status {
		text, _ := io.ReadAll(resp.Body)
		return fmt.Errorf("%s, want %d: %s", resp.Status, e.Status, text)
	}
	mediaType, err := p.d.checkHead(r, resp)
	if err != nil {
		return err
	}
	if resp.StatusCode == http.StatusOK && r.Events != nil && mediaType != "application/json" {
		return p.stream(r, e, mediaType, resp.Body)
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if err := p.d.checkBody(r, resp.StatusCode, mediaType, string(text)); err != nil {
		return err
	}
	if e.Answer == "" {
		return nil
	}
	shown, err := parse(e.Answer)
	if err != nil {
		return err
	}
	got, err := parse(string(text))
	if err != nil {
		return err
	}
	return p.names.compare("the answer", shown, got)
}

// fill puts the example's parameters where they belong.
func (p *player) fill(r *daemon.Route, e daemon.Example) (path string, header http.Header) {
	path, header = r.Template(), http.Header{}
	query := url.Values{}
	for _, param := range r.Params {
		value, ok := e.Params[param.Name]
		value = p.names.real(value)
		switch {
		case !ok:
		case param.In == "path":
			value = url.PathEscape(value)
			if param.Name == "path" {
				value = strings.ReplaceAll(value, "%2F", "/")
			}
			path = strings.Replace(path, "{"+param.Name+"}", value, 1)
		case param.In == "query":
			query.Set(param.Name, value)
		case param.In == "header":
			header.Set(param.Name, value)
		}
	}
	if e.Accept != "" {
		header.Set("Accept", e.Accept)
	}
	if e.Type != "" {
		header.Set("Content-Type", e.Type)
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return path, header
}

// checkHead checks what comes before the body, and returns the media type.
func (d *description) checkHead(r *daemon.Route, resp *http.Response) (string, error) {
	status := strconv.Itoa(resp.StatusCode)
	described := d.doc.Paths.Find(r.Template()).GetOperation(r.Method).Responses.Value(status)
	if described == nil {
		return "", fmt.Errorf("%s %s is not said to answer %s", r.Method, r.Path, status)
	}
	for name, h := range described.Value.Headers {
		value := resp.Header.Get(name)
		if value == "" && !h.Value.Required {
			continue
		}
		if value == "" {
			return "", fmt.Errorf("%s has no %s", resp.Status, name)
		}
		if h.Value.Schema.Value.Type.Is("string") {
			value = quoted(value)
		}
		where := []string{"paths", r.Template(), strings.ToLower(r.Method), "responses", status, "headers", name}
		if h.Ref != "" {
			where = strings.Split(strings.TrimPrefix(h.Ref, "#/"), "/")
		}
		if err := d.check(value, append(where, "schema")...); err != nil {
			return "", fmt.Errorf("%s: %w", name, err)
		}
	}
	if resp.Header.Get("Content-Type") == "" {
		return "", nil
	}
	mediaType, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	return mediaType, err
}

// checkBody checks a body that is no stream.
func (d *description) checkBody(r *daemon.Route, status int, mediaType, text string) error {
	content := d.doc.Paths.Find(r.Template()).GetOperation(r.Method).Responses.Status(status).Value.Content
	if len(content) == 0 {
		if text != "" {
			return fmt.Errorf("%d has a body, which is not described: %s", status, text)
		}
		return nil
	}
	if content[mediaType] == nil && content["*/*"] != nil {
		return nil
	}
	if content[mediaType] == nil {
		return fmt.Errorf("%d comes as %q, which is not described", status, mediaType)
	}
	if !strings.HasSuffix(mediaType, "json") {
		text = quoted(text)
	}
	return d.check(text, "paths", r.Template(), strings.ToLower(r.Method), "responses", strconv.Itoa(status), "content", mediaType, "schema")
}

// stream checks the events of an answer, and compares them.
func (p *player) stream(r *daemon.Route, e daemon.Example, mediaType string, body io.Reader) error {
	if e.Accept != "" && mediaType != e.Accept {
		return fmt.Errorf("it comes as %s", mediaType)
	}
	next, shown := events(mediaType, body), []string{}
	for all := events(mediaType, strings.NewReader(e.Answer)); ; {
		m, err := all()
		if err == io.EOF {
			break
		} else if err != nil {
			return err
		}
		shown = append(shown, m.data)
	}
	err := p.names.follow(shown, next, func(m message) error {
		return p.d.check(m.item, "paths", r.Template(), strings.ToLower(r.Method), "responses", "200", "content", mediaType, "x-itemSchema")
	})
	if err != nil || len(shown) > 0 && !strings.Contains(shown[len(shown)-1], `"type":"done"`) {
		return err
	}
	return ended(next)
}

// converse has a conversation over a WebSocket.
func (p *player) converse(ctx context.Context, r *daemon.Route, e daemon.Example, path string) error {
	dialer := websocket.Dialer{}
	if p.key != "" { // as a browser does
		dialer.Subprotocols = []string{"fastpyrepl", "key." + p.key}
	}
	ws, resp, err := dialer.DialContext(ctx, "ws"+strings.TrimPrefix(p.at.URL, "http")+path, nil)
	if err != nil {
		return err
	}
	defer ws.Close()
	if _, err := p.d.checkHead(r, resp); err != nil {
		return err
	}
	next := func() (message, error) {
		_, text, err := ws.ReadMessage()
		return message{string(text), string(text)}, err
	}
	for line := range strings.Lines(e.Answer) {
		text := line[2:]
		if line[0] == '>' {
			if err := p.d.check(text, "paths", r.Template(), "get", "x-websocket", "client"); err != nil {
				return err
			}
			if err := ws.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
				return err
			}
			continue
		}
		if err := p.names.follow([]string{text}, next, func(m message) error {
			return p.d.check(m.item, "paths", r.Template(), "get", "x-websocket", "server")
		}); err != nil {
			return err
		}
	}
	return nil
}
