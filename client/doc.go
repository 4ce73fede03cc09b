// Package client talks to a fastpyrepl daemon over HTTP. It imports the standard library and a WebSocket library, and
// nothing of the daemon's.
//
// A [Client] runs code ([Client.Execute]), follows it while it runs ([Client.Stream], and [Client.Interact] where input()
// is to be answered), keeps sessions, asks what is in them, and reads and writes their files ([Client.GetFile], [Client.PutFile]). What the daemon refuses is a [*Problem], a daemon that is
// not there an [*Unreachable]; code that fails is a [Result] like any other.
//
// Contexts bound every call. Requests that may be sent twice are sent again when the daemon is busy or restarting, as it
// asks for in Retry-After, as long as the context allows: all but those that run code, which need an IdempotencyKey for
// it, and those that make or interrupt.
package client
