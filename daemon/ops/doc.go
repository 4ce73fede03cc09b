// Package ops is what operators ask the daemon, and machines for them: whether it lives (/livez), whether it can run code
// (/readyz), what it counts (/metrics), and what it is busy with (/debug/pprof/).
//
// The first three are routes of the server: /livez and /readyz ask for no key and answer already while the daemon starts,
// /metrics is for administrators. All four are on the admin listener, which has no keys, and is for this machine alone if
// the operator does not say otherwise.
package ops
