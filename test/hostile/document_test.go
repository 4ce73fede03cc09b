package hostile_test

import (
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table into docs/SECURITY.md")

const (
	document   = "../../docs/SECURITY.md"
	tableBegin = "<!-- table: go test ./test/hostile -run Document -update -->\n"
	tableEnd   = "<!-- end of table -->\n"
)

// TestHostile_DocumentHasTheTable keeps the allowed endings that people read the same as those that are tested.
func TestHostile_DocumentHasTheTable(t *testing.T) {
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
		t.Fatalf("the table in %s is not that of the tests: go test ./test/hostile -run Document -update", document)
	}
	if err := os.WriteFile(document, []byte(before+tableBegin+want+tableEnd+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

func table() string {
	var b strings.Builder
	for _, o := range all {
		b.WriteString("\n### " + o.topic + "\n\n| attack | runc | runsc, where it differs |\n| --- | --- | --- |\n")
		for _, a := range o.attacks {
			var runc, runsc []string
			differs := false
			for _, c := range a.cells {
				under := c.runc
				if c.runsc != "" {
					under, differs = c.runsc, differs || c.runsc != c.runc
				}
				runc, runsc = append(runc, alternatives(c.runc)), append(runsc, alternatives(under))
			}
			b.WriteString("| " + a.name + " | " + strings.Join(runc, "; ") + " | ")
			if differs {
				b.WriteString(strings.Join(runsc, "; ") + " ")
			}
			b.WriteString("|\n")
		}
	}
	b.WriteString("\n### Clients\n\n| attack | ending, under both |\n| --- | --- |\n")
	for _, c := range clients {
		b.WriteString("| " + c.name + " | " + c.ending + " |\n")
	}
	b.WriteString("\n")
	return b.String()
}

func alternatives(endings string) string { return strings.Join(strings.Fields(endings), ", ") }

var all = []onslaught{resources, floods, frames, supervisor, descriptors, sabotage, stubborn, deaths, recursion, objects}
