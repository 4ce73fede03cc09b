package faults_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table into docs/RELIABILITY.md")

const (
	document   = "../../docs/RELIABILITY.md"
	tableBegin = "<!-- table: go test ./test/faults -run Document -update -->\n"
	tableEnd   = "<!-- end of table -->\n"
)

// TestFaults_DocumentHasTheTable keeps the endings that people read the same as those that are tested.
func TestFaults_DocumentHasTheTable(t *testing.T) {
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), tableBegin)
	have, after, ok2 := strings.Cut(rest, tableEnd)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table", document)
	}
	want := table()
	if have == want {
		return
	}
	if !*update {
		t.Fatalf("the table in %s is not that of the tests: go test ./test/faults -run Document -update", document)
	}
	if err := os.WriteFile(document, []byte(before+tableBegin+want+tableEnd+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

func table() string {
	var b strings.Builder
	b.WriteString("\n| fault |")
	for s := range states {
		fmt.Fprintf(&b, " %s |", s)
	}
	b.WriteString("\n| --- |" + strings.Repeat(" --- |", int(states)) + "\n")
	for _, f := range faults {
		b.WriteString("| " + f.what + " |")
		for s, c := range f.cells {
			fmt.Fprintf(&b, " %s |", c.words(state(s), f))
		}
		b.WriteString("\n")
	}
	b.WriteString("\n")
	return b.String()
}

// words says how it ends.
func (c cell) words(s state, f fault) string {
	var ends []string
	for ending := range strings.FieldsSeq(c.ends) {
		switch {
		case ending != "ok":
			ends = append(ends, ending)
		case s == creating:
			ends = append(ends, "made")
		case s == resetting:
			ends = append(ends, "reset")
		default:
			ends = append(ends, "goes on")
		}
	}
	text := strings.Join(ends, " or ")
	if f.away && s != resetting {
		text += " when asked again"
	}
	if c.says != "" && s != resetting { // where it is always the same
		text += ": *" + strings.TrimSpace(strings.TrimSuffix(c.says, ": ")) + "*"
	}
	return fmt.Sprintf("%s, %g s", text, c.within.Seconds())
}
