package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// event is what `go test -json` prints on each line (go doc test2json), and `go build -json` when a package does not compile.
type event struct {
	Action, Package, Test, ImportPath, Output string
}

// unittest is a line of `python3 -m unittest --verbose`: "test_a (tests.test_x.Case.test_a) ... ok". What a test prints may come before its result.
var (
	unittestBegin = regexp.MustCompile(`^\w+ \([\w.]+\)`)
	unittestEnd   = regexp.MustCompile(`(?:^|\.\.\. )(ok|FAIL|ERROR|expected failure|unexpected success|skipped .*)$`)
)

// count reads a suite's output to its end, and shows of it what tells of failures, and the packages as they are done.
func count(suite io.Reader, show io.Writer) counts {
	var c counts
	output := map[string]*strings.Builder{} // by package and test, until its end is known
	parents := map[string]bool{}
	lines := bufio.NewReader(suite)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			var e event
			if line[0] == '{' && json.Unmarshal([]byte(line), &e) == nil && e.Action != "" {
				c.add(countGo(e, output, parents, show))
			} else {
				c.add(countUnittest(strings.TrimRight(line, "\r\n"), show))
			}
		}
		if err != nil {
			return c
		}
	}
}

func (c *counts) add(d counts) {
	c.passed += d.passed
	c.failed += d.failed
}

func countGo(e event, output map[string]*strings.Builder, parents map[string]bool, show io.Writer) (c counts) {
	key := e.Package + e.ImportPath + " " + e.Test
	switch e.Action {
	case "run":
		if i := strings.LastIndexByte(e.Test, '/'); i > 0 {
			parents[e.Package+" "+e.Test[:i]] = true
		}
	case "output", "build-output":
		if output[key] == nil {
			output[key] = new(strings.Builder)
		}
		output[key].WriteString(e.Output)
	case "fail", "skip", "build-fail":
		if text := output[key]; text != nil && (e.Test != "" || e.Action != "skip") {
			fmt.Fprint(show, text)
		}
		if e.Test != "" && !parents[key] || e.Action == "build-fail" {
			c.failed++
		}
	case "pass":
		if e.Test == "" {
			fmt.Fprint(show, lastLine(output[key]))
		} else if !parents[key] {
			c.passed++
		}
	}
	if e.Action == "pass" || e.Action == "fail" || e.Action == "skip" || e.Action == "build-fail" {
		delete(output, key)
	}
	return c
}

// lastLine is a package's "ok  path  1.2s".
func lastLine(text *strings.Builder) string {
	if text == nil {
		return ""
	}
	lines := strings.SplitAfter(text.String(), "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		if strings.HasPrefix(lines[i], "ok") {
			return lines[i]
		}
	}
	return ""
}

func countUnittest(line string, show io.Writer) (c counts) {
	if end := unittestEnd.FindStringSubmatch(line); end != nil {
		if end[1] == "ok" {
			return counts{passed: 1}
		}
		fmt.Fprintln(show, line)
		return counts{failed: 1}
	}
	if !unittestBegin.MatchString(line) {
		fmt.Fprintln(show, line)
	}
	return c
}
