package tracingtest

import (
	"compress/gzip"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// patience is how long Await waits.
const patience = 30 * time.Second

// Span is one that was delivered.
type Span struct {
	Name              string
	Trace, ID, Parent string // hexadecimal; Parent is "" for none
	Server            bool   // it is of a request that came
	Failed            bool
	Message           string // of the failure
	Begin, End        time.Time
	Attributes        map[string]string
	Resource          map[string]string
}

// Collector takes spans.
type Collector struct {
	URL string

	mu      sync.Mutex
	spans   []Span        // guarded by mu
	refuse  int           // guarded by mu; status to answer with, 0 for none
	asked   int           // guarded by mu; deliveries, those refused included
	changed chan struct{} // guarded by mu; closed at the next delivery
}

// New starts a Collector, which ends with the test.
func New(t testing.TB) *Collector {
	t.Helper()
	c := &Collector{changed: make(chan struct{})}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	c.URL = server.URL
	return c
}

// Refuse makes it answer with a status from now on; 0 ends that.
func (c *Collector) Refuse(status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refuse = status
}

// Asked counts the deliveries that were tried.
func (c *Collector) Asked() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.asked
}

// Await returns the spans that came, once there are as is says.
func (c *Collector) Await(t testing.TB, what string, is func([]Span) bool) []Span {
	t.Helper()
	late := time.After(patience)
	for {
		c.mu.Lock()
		spans, changed := c.spans[:len(c.spans):len(c.spans)], c.changed
		c.mu.Unlock()
		if is(spans) {
			return spans
		}
		select {
		case <-changed:
		case <-late:
			t.Fatalf("no %s came; there are %+v", what, spans)
		}
	}
}

// ServeHTTP takes a delivery.
func (c *Collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	if c.refuse != 0 {
		w.WriteHeader(c.refuse)
		return
	}
	var request collector.ExportTraceServiceRequest
	body, err := io.Reader(r.Body), error(nil)
	if r.Header.Get("Content-Encoding") == "gzip" {
		body, err = gzip.NewReader(r.Body)
	}
	var text []byte
	if err == nil {
		text, err = io.ReadAll(body)
	}
	if err == nil {
		err = proto.Unmarshal(text, &request)
	}
	if err != nil || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" {
		http.Error(w, "no traces", http.StatusBadRequest)
		return
	}
	for _, of := range request.ResourceSpans {
		for _, in := range of.ScopeSpans {
			for _, s := range in.Spans {
				c.spans = append(c.spans, span(s, attributes(of.Resource.GetAttributes())))
			}
		}
	}
	close(c.changed)
	c.changed = make(chan struct{})
	w.Header().Set("Content-Type", "application/x-protobuf")
}

func span(s *otlp.Span, resource map[string]string) Span {
	return Span{
		Name:       s.Name,
		Trace:      hex.EncodeToString(s.TraceId),
		ID:         hex.EncodeToString(s.SpanId),
		Parent:     hex.EncodeToString(s.ParentSpanId),
		Server:     s.Kind == otlp.Span_SPAN_KIND_SERVER,
		Failed:     s.Status.GetCode() == otlp.Status_STATUS_CODE_ERROR,
		Message:    s.Status.GetMessage(),
		Begin:      time.Unix(0, int64(s.StartTimeUnixNano)),
		End:        time.Unix(0, int64(s.EndTimeUnixNano)),
		Attributes: attributes(s.Attributes),
		Resource:   resource,
	}
}

func attributes(list []*common.KeyValue) map[string]string {
	all := map[string]string{}
	for _, a := range list {
		switch v := a.Value.GetValue().(type) {
		case *common.AnyValue_StringValue:
			all[a.Key] = v.StringValue
		case *common.AnyValue_BoolValue:
			all[a.Key] = strconv.FormatBool(v.BoolValue)
		case *common.AnyValue_IntValue:
			all[a.Key] = strconv.FormatInt(v.IntValue, 10)
		}
	}
	return all
}
