// Package audit writes down who ran what: one line of JSON for every execution that has ended, however it did, and for
// sessions that began, were reset, and people who were not let in.
//
// A line has sizes and a hash of the code, but code and output themselves only where the operator asked for it, and never
// a key. Writing never blocks or fails an execution: lines wait in a bounded queue for the one goroutine that writes, and
// what does not fit or cannot be written is counted, and told in the log and in the file itself.
package audit
