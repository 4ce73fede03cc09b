// Package tracingtest is a collector of spans for tests: it takes OTLP over HTTP, as a real one does.
package tracingtest
