package faults_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gjyotin305/fastpyrepl/test/document"
)

// TestFaults_DocumentHasTheTable keeps the endings that people read the same as those that are tested.
func TestFaults_DocumentHasTheTable(t *testing.T) {
	document.HasTable(t, "../../docs/RELIABILITY.md", "go test ./test/faults -run Document", table())
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
