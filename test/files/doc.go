// Package files is empty but for tests of the files of sessions that need the daemon as a process of its own: what it holds while
// large ones pass through it, and what becomes of a transfer whose daemon ends.
package files
