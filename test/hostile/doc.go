// Package hostile attacks the whole daemon from inside its sessions, and over HTTP, on a real engine and the real image. It owns the table of
// attacks and of the endings that each may have under runc and under gVisor, which docs/SECURITY.md repeats; a test keeps the two the same.
//
// Every attack runs against one daemon and beside one session of somebody else. During it and after it, that session must answer promptly and
// keep its variables, and in the end the daemon must hold what it held before: containers, goroutines, open files. Half-way, the daemon is
// restarted.
//
// FASTPYREPL_TEST_RUNTIME=runsc runs the attacks under gVisor; FASTPYREPL_TEST_IMAGE names another image.
package hostile
