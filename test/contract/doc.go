// Package contract checks what the daemon says of its API against what it does: it runs the real one on a real engine, takes
// its OpenAPI document, and sends every example, every bound and every refusal that the document has.
//
// It does so with a daemon that has no keys, as the examples are written, and then with one that asks for them: there the
// first example of each route once more, and what a key is refused for.
//
// The examples and the order in which they make sense are in the tables of routes (daemon.Route); the document must have
// the same routes. Schemas are closed for the check: an answer may hold nothing that they do not describe.
package contract
