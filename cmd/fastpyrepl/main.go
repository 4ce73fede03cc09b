package main

import (
	"context"
	"io"
	"os"
	"slices"
	"strings"
)

func main() {
	p := &process{env: os.Environ(), stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr}
	os.Exit(p.run(context.Background(), os.Args[1:]))
}

// process is what the command may use of its process, so that tests can stand in for it.
type process struct {
	env    []string
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
}

// getenv returns the value of a variable, "" where it is not set.
func (p *process) getenv(name string) string {
	value, _ := p.lookupEnv(name)
	return value
}

// lookupEnv returns the value of a variable, the last one of several, and whether it is set.
func (p *process) lookupEnv(name string) (string, bool) {
	for _, entry := range slices.Backward(p.env) {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value, true
		}
	}
	return "", false
}
