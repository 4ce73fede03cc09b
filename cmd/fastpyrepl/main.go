package main

import (
	"context"
	"io"
	"os"
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
	for _, entry := range p.env {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}
