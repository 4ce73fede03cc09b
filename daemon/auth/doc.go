// Package auth knows the API keys: how one is made and recognised, which are in force, and what each of them may use.
//
// It keeps hashes, never keys. A Ring may be given other keys at any time: an Identity whose key is withdrawn ends, and
// with it whatever its context bounds. It knows nothing of HTTP: package daemon takes keys out of requests and turns
// what is said here into answers.
package auth
