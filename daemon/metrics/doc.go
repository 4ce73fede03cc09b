// Package metrics is what the daemon counts and measures, as Prometheus reads it; the only package that imports the
// Prometheus client.
//
// Its labels come from small fixed sets: states, outcomes, reasons, operations of the engine, routes as they stand in the
// table. What a client sends never becomes one, so the number of series does not grow with traffic, and no label tells
// whose session something was about.
//
// What happens is counted where it happens, by a Metrics that is a sandbox.Observer; what is, a scrape asks for. The
// methods of a nil Metrics do nothing.
package metrics
