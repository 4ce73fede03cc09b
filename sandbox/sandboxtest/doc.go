// Package sandboxtest helps to test what stands on sandbox: an in-memory Runtime whose drivers play scripts, and the
// conformance suite that every Runtime passes.
package sandboxtest
