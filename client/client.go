package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// maxAnswer is the longest body of an answer that is read, in bytes. A daemon's caps keep its answers far below.
	maxAnswer = 1 << 30
	// maxProblem is how much of a refusal is read, in bytes.
	maxProblem = 1 << 20
)

// Client talks to one daemon. It is safe for concurrent use.
type Client struct {
	base    *url.URL
	key     string
	owner   string
	agent   string
	http    *http.Client
	retries int
}

// Option is a choice for New.
type Option func(*Client)

// WithAPIKey sends key with every request.
func WithAPIKey(key string) Option { return func(c *Client) { c.key = key } }

// WithOwner has an administrator's key reach what is name's as its own.
func WithOwner(name string) Option { return func(c *Client) { c.owner = name } }

// WithUserAgent names the program to the daemon.
func WithUserAgent(name string) Option { return func(c *Client) { c.agent = name } }

// WithHTTPClient sends requests with h. It should have no Timeout: executions and streams take as long as they take, and
// contexts bound them.
func WithHTTPClient(h *http.Client) Option { return func(c *Client) { c.http = h } }

// WithRetries says how often a request that may be sent again is sent again; 0 is never. The default is 4.
func WithRetries(n int) Option { return func(c *Client) { c.retries = n } }

// New makes a Client for the daemon at base, such as http://127.0.0.1:8000. It sends nothing yet.
func New(base string, opts ...Option) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil {
		return nil, fmt.Errorf("the daemon's URL: %w", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("the daemon's URL: %q is not like http://127.0.0.1:8000", base)
	}
	u.Path = strings.TrimRight(u.Path, "/")
	c := &Client{base: u, agent: "fastpyrepl-go", http: &http.Client{}, retries: 4}
	for _, opt := range opts {
		opt(c)
	}
	if strings.ContainsFunc(c.key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, errors.New("the API key has characters that none has") // and says not which: it is a secret
	}
	return c, nil
}

// With returns a Client for the same daemon with other options.
func (c *Client) With(opts ...Option) *Client {
	other := *c
	for _, opt := range opts {
		opt(&other)
	}
	return &other
}

// URL is where the daemon is.
func (c *Client) URL() string { return c.base.String() }

// Health tells whether the daemon answers. It asks for no key.
func (c *Client) Health(ctx context.Context) error {
	return c.ask(ctx, call{method: http.MethodGet, path: "/health", again: true}, nil)
}

// call is a request to the daemon.
type call struct {
	method, path string // path has its escapes
	query        url.Values
	header       http.Header
	body         any     // encoded as JSON; nil for none
	upload       *upload // in the place of body; nil for none
	again        bool    // it may be sent again: the daemon does the same, or nothing
}

// ask sends a call and decodes the answer into out; nil for one that is not looked at.
func (c *Client) ask(ctx context.Context, call call, out any) error {
	resp, err := c.send(ctx, call)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("%s %s: read the answer: %w", call.method, call.path, err)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("%s %s: the answer is not what a daemon says: %w", call.method, call.path, err)
	}
	if keeper, ok := out.(interface{ keep(json.RawMessage) }); ok {
		keeper.keep(text)
	}
	return nil
}

// send sends a call, again where it may be and that helps. It returns answers below 400; the caller closes their body.
func (c *Client) send(ctx context.Context, call call) (*http.Response, error) {
	var body []byte
	if call.body != nil {
		var err error
		if body, err = json.Marshal(call.body); err != nil {
			return nil, fmt.Errorf("%s %s: %w", call.method, call.path, err)
		}
	}
	retry := backoff{most: c.retries}
	if !call.again {
		retry.most = 0
	}
	for {
		resp, err := c.once(ctx, call, body)
		if err == nil {
			return resp, nil
		}
		if !retry.wait(ctx, err) {
			return nil, err
		}
	}
}

// once sends a call once. An answer of 400 and above is a *Problem.
func (c *Client) once(ctx context.Context, call call, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, call.method, c.address(call.path, call.query), nil)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
		req.Header.Set("Content-Type", "application/json")
	}
	if call.upload != nil {
		defer call.upload.Close()
		stop := context.AfterFunc(ctx, func() { call.upload.Close() }) // the transport would wait for a Read
		defer stop()
		call.upload.attach(req)
	}
	for name, values := range call.header {
		req.Header[name] = values
	}
	c.sign(req.Header)
	resp, err := c.http.Do(req)
	if err != nil {
		if call.upload != nil && call.upload.err() != nil && ctx.Err() == nil {
			return nil, call.upload.err()
		}
		return nil, unreachable(ctx, err)
	}
	if resp.StatusCode < 400 {
		return resp, nil
	}
	defer resp.Body.Close()
	return nil, newProblem(resp)
}

// sign adds who asks.
func (c *Client) sign(h http.Header) {
	h.Set("User-Agent", c.agent)
	if c.key != "" {
		h.Set("Authorization", "Bearer "+c.key)
	}
}

// address is the URL of a path of the daemon's, which has its escapes.
func (c *Client) address(path string, query url.Values) string {
	u := *c.base
	u.RawPath = u.EscapedPath() + path
	if plain, err := url.PathUnescape(u.RawPath); err == nil {
		u.Path = plain
	}
	if c.owner != "" {
		with := url.Values{"owner": {c.owner}}
		for name, values := range query {
			with[name] = values
		}
		query = with
	}
	u.RawQuery = query.Encode()
	return u.String()
}

// Unreachable is that no answer came from the daemon.
type Unreachable struct{ Err error }

func (u *Unreachable) Error() string { return "the daemon cannot be reached: " + u.Err.Error() }
func (u *Unreachable) Unwrap() error { return u.Err }

// unreachable says why no answer came; the end of ctx is not the daemon's fault.
func unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var u *url.Error
	if errors.As(err, &u) { // less what was asked, which the caller knows
		err = u.Err
	}
	return &Unreachable{Err: err}
}

// pause waits until a moment has passed or ctx has ended, and tells which.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
