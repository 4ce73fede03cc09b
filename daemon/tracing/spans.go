package tracing

import (
	"context"
	"time"

	"github.com/gjyotin305/fastpyrepl/sandbox"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// kept tells whether ctx has a span that is kept. It may have ended.
func kept(ctx context.Context) bool { return trace.SpanContextFromContext(ctx).IsSampled() }

// begin begins a span below the one that ctx has.
func begin(ctx context.Context, name string, options ...trace.SpanStartOption) (context.Context, trace.Span) {
	return trace.SpanFromContext(ctx).TracerProvider().Tracer(scope).Start(ctx, name, options...)
}

// Claim begins the wait for a session, and for room in its queue. The calls to the engine that this takes belong to the
// context it returns.
func Claim(ctx context.Context) (_ context.Context, ended func(created bool, err error)) {
	if !kept(ctx) {
		return ctx, func(bool, error) {}
	}
	ctx, span := begin(ctx, "claim")
	return ctx, func(created bool, err error) {
		span.SetAttributes(attribute.Bool("fastpyrepl.session.created", created))
		if err != nil {
			span.SetStatus(codes.Error, string(sandbox.ErrorCode(err))) // its text may have what the client sent
		}
		span.End()
	}
}

// Execution makes the spans of an execution, when it has ended.
func Execution(ctx context.Context, x *sandbox.Execution) {
	if !kept(ctx) {
		return
	}
	x.OnEnd(func() {
		ended, result := time.Now(), x.Result()
		queued, began := x.Times()
		if began.IsZero() { // it never ran
			began = ended
		}
		_, wait := begin(ctx, "queue", trace.WithTimestamp(queued))
		wait.End(trace.WithTimestamp(began))
		_, span := begin(ctx, "execution", trace.WithTimestamp(began), trace.WithAttributes(
			attribute.String("fastpyrepl.session", x.Container()),
			attribute.String("fastpyrepl.execution", x.ID()),
			attribute.String("fastpyrepl.outcome", string(result.Outcome)),
			attribute.Bool("fastpyrepl.state_kept", result.StateKept),
			attribute.Int("fastpyrepl.stdout_bytes", len(result.Stdout)),
			attribute.Int("fastpyrepl.stderr_bytes", len(result.Stderr)),
		))
		switch result.Outcome {
		case sandbox.OutcomeTimeout, sandbox.OutcomeOOM, sandbox.OutcomeCrashed: // of others the code is the cause, or a client
			span.SetStatus(codes.Error, string(result.Outcome))
		}
		span.End(trace.WithTimestamp(ended))
	})
}

// Engine begins a call to the container engine, if it is made for a request.
func Engine(ctx context.Context, operation string) (ended func(result string, failed bool)) {
	if !kept(ctx) {
		return func(string, bool) {}
	}
	_, span := begin(ctx, "engine "+operation, trace.WithSpanKind(trace.SpanKindClient))
	return func(result string, failed bool) {
		span.SetAttributes(attribute.String("fastpyrepl.engine.result", result))
		if failed {
			span.SetStatus(codes.Error, result)
		}
		span.End()
	}
}
