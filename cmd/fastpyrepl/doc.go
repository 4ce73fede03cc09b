// Command fastpyrepl is the daemon and the small commands around it.
//
// It wires: configs say what, sandbox/docker starts containers, sandbox runs sessions in them, daemon serves them. What
// is its own is the process: signals, the state directory, the log, and reloading the configuration.
package main
