// Package wire is the protocol between the daemon and the driver inside a container: frames, their bounds, the JSON
// messages in them, and the handshake of an attachment. PROTOCOL.md is its authority, the vectors in testdata are shared
// with the driver's Python.
//
// It promises that nothing read from a container is allocated before its length was checked, and that no input makes it
// panic. It keeps no state of executions: that is sandbox's.
package wire
