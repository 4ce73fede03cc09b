// Command bench measures the daemon against the raw container engine, side by side in one run, and prints a table.
//
// The raw side speaks the engine's HTTP API over its socket with nothing between, and creates its containers with the
// very options that the daemon's sessions have: they are read from a session's container. Rounds of the two sides
// alternate, so that a machine whose speed drifts does not favour one.
package main
