// Package process runs the daemon of this source tree in a process of its own, for tests that look at it from outside.
package process
