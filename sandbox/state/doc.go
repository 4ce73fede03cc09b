// Package state keeps what must outlive the daemon in one file of its state directory: whose each container is, and what
// became of sessions that are gone. It is a sandbox.Store.
//
// What it writes is safe from the death of the daemon, not from that of the machine: containers do not outlive a machine
// either, so nothing waits for the disk. A file that is broken, as after a power failure, is set aside and begun anew; the
// containers of which it knew are then leftovers, and are removed.
package state
