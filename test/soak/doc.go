// Soak runs a daemon for minutes under load and checks that nothing crosses, hangs, leaks or grows:
//
//   - tagged executes interleaved over 16 sessions, blocking and streamed: not a byte of one in another's answer, no
//     hang, and afterwards as many goroutines and open files as a daemon that has done nothing;
//   - 10 sessions that write as fast as they can: the daemon's memory stays within 64 MiB and the caps of the sessions.
//
// It needs bin/fastpyrepl, a Docker Engine and the runner image, and prints a table of figures. It is no part of
// make test.
package main
