// Package tracing tells an OpenTelemetry collector what a request was spent on; the only package that imports
// OpenTelemetry.
//
// A span of its own has the request, to the end of a streamed answer, and below it the wait for a session (claim) with the
// calls to the engine that this took, the wait in the session's queue (queue), and the code (execution). Attributes name
// routes, outcomes, sizes, and ids that the log has too; never code, output, keys, or what a client calls its session.
//
// It is off without an endpoint, and then costs nothing: a Tracer and a Span may be nil. A collector that is slow or gone
// costs spans, never a request.
package tracing
