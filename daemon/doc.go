// Package daemon is the HTTP face: it assembles the routes of the dialects into one server, and guards them.
//
// Before a request reaches a route, its framing, Host, Origin, API key, content type and size are checked, so that no web
// page can make a browser run code, nobody without a key learns what there is, and no body is read that would be refused.
// Bodies are bounded each and all together. Errors leave through one function, under /v1 as problem details (RFC 9457) and
// elsewhere in the shape that the fastpyrepl contract has; what a client must not see goes to the log. The log never holds
// code, output, keys or request content. A request is counted, traced and logged in one place (observe).
//
// Every dialect has a package of its own below it, and gives it a table of routes. It gets a Caller with each request, which
// names the sessions that are the caller's, and begins and ends them within the bounds of its key.
package daemon
