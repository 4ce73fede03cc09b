// Tally runs one test suite, shows what failed, and adds its counts to a file, so that a run of several suites can end with one line.
//
//	tally -sum FILE -- COMMAND...   runs a suite: `go test -json` or Python's `unittest --verbose`
//	tally -report FILE              prints "N passed, N failed" and fails unless everything passed
//
// A skipped test counts as failed: what cannot run has to say so. So does a suite that fails without naming a test, or that ran none.
package main
