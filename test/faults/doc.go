// Package faults breaks what the daemon stands on, while it works: the engine, the way to it, containers, the disk, open files, the daemon
// itself. It owns the table of faults and of how each ends for a session in each state, which docs/RELIABILITY.md repeats; a test keeps the
// two the same.
//
// It runs the daemon's own binary, built with the race detector, as nobody, against an engine of its own: dockerd in a network namespace of
// its own, with its data on a small disk made from a file. No other engine of the machine is touched but to copy the image from. Between the
// two stands a proxy, which can hold back, cut, corrupt and refuse what they say to each other.
//
// Only root can do all that. FASTPYREPL_TEST_IMAGE names another image.
package faults
