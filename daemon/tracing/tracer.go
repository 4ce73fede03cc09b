package tracing

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Config says where spans go, and how many.
type Config struct {
	Endpoint string  // URL that takes OTLP over HTTP, with its path
	Ratio    float64 // of the traces that begin here; one that a client begins is as the client says
	Version  string  // of the daemon
}

// exportTimeout bounds one delivery to the collector, attempts included.
const exportTimeout = 10 * time.Second

// scope names what makes the spans.
const scope = "github.com/gjyotin305/fastpyrepl"

// Tracer makes the spans of requests. It is safe for concurrent use.
type Tracer struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
	client   *http.Client // of the exporter
}

// Open makes a Tracer. The collector need not be there. What is a secret, such as a header that lets in, and what describes
// this deployment come from the exporter's own variables, OTEL_EXPORTER_OTLP_HEADERS and OTEL_RESOURCE_ATTRIBUTES.
// Close it.
func Open(ctx context.Context, cfg Config, log *slog.Logger) (*Tracer, error) {
	// The exporter's own client is shared, and never closes its connections.
	client := &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone(), Timeout: exportTimeout}
	deliver, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(cfg.Endpoint), otlptracehttp.WithHTTPClient(client))
	if err != nil {
		return nil, fmt.Errorf("trace exporter: %w", err)
	}
	about, err := resource.New(ctx,
		resource.WithTelemetrySDK(),
		resource.WithHost(),
		resource.WithAttributes(attribute.String("service.name", "fastpyrepl"), attribute.String("service.version", cfg.Version)),
		resource.WithFromEnv(), // the last one wins
	)
	if err != nil {
		return nil, fmt.Errorf("trace resource: %w", err)
	}
	provider := sdk.NewTracerProvider(
		sdk.WithResource(about),
		sdk.WithSampler(sdk.ParentBased(sdk.TraceIDRatioBased(cfg.Ratio))),
		sdk.WithBatcher(&exporter{SpanExporter: deliver, log: log}, sdk.WithExportTimeout(exportTimeout)),
	)
	return &Tracer{provider: provider, tracer: provider.Tracer(scope), client: client}, nil
}

// Close delivers what waits, until ctx ends, and makes no spans any more.
func (t *Tracer) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	defer t.client.CloseIdleConnections()
	if err := t.provider.Shutdown(ctx); err != nil {
		return fmt.Errorf("deliver the last spans: %w", err)
	}
	return nil
}

// exporter logs what went wrong, the first of several failures, where the library would print it.
type exporter struct {
	sdk.SpanExporter
	log     *slog.Logger
	failing atomic.Bool
}

func (e *exporter) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	err := e.SpanExporter.ExportSpans(ctx, spans)
	switch failing := e.failing.Swap(err != nil); {
	case err != nil && !failing:
		e.log.Warn("spans not delivered; nothing else depends on it", "err", err)
	case err == nil && failing:
		e.log.Info("spans are delivered again")
	}
	return nil
}

// Span is that of a request.
type Span struct{ span trace.Span }

// Request begins the span of a request, and puts it into the context. Headers of W3C Trace Context, where the client sent
// them, name its parent.
func (t *Tracer) Request(ctx context.Context, method, traceparent, tracestate string) (context.Context, *Span) {
	if t == nil {
		return ctx, nil
	}
	if traceparent != "" {
		ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": traceparent, "tracestate": tracestate})
	}
	ctx, span := t.tracer.Start(ctx, method, trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(attribute.String("http.request.method", method)))
	return ctx, &Span{span}
}

// In puts the span into another context.
func (s *Span) In(ctx context.Context) context.Context {
	if s == nil {
		return ctx
	}
	return trace.ContextWithSpan(ctx, s.span)
}

// TraceID is that of a span that is kept, else "".
func (s *Span) TraceID() string {
	if s == nil || !s.span.SpanContext().IsSampled() {
		return ""
	}
	return s.span.SpanContext().TraceID().String()
}

// End ends the span. route is the pattern of the request's path, "" where it had none.
func (s *Span) End(method, route string, status int) {
	if s == nil {
		return
	}
	if route != "" {
		s.span.SetName(method + " " + route)
		s.span.SetAttributes(attribute.String("http.route", route))
	}
	s.span.SetAttributes(attribute.Int("http.response.status_code", status))
	if status >= http.StatusInternalServerError {
		s.span.SetStatus(codes.Error, "")
	}
	s.span.End()
}
