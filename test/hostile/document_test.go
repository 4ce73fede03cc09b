package hostile_test

import (
	"strings"
	"testing"

	"github.com/gjyotin305/fastpyrepl/test/document"
)

// TestHostile_DocumentHasTheTable keeps the allowed endings that people read the same as those that are tested.
func TestHostile_DocumentHasTheTable(t *testing.T) {
	document.HasTable(t, "../../docs/SECURITY.md", "go test ./test/hostile -run Document", table())
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
	b.WriteString("\n### Files\n\n| attack | ending, under both |\n| --- | --- |\n")
	for _, a := range fileAttacks {
		b.WriteString("| " + a.name + " | " + a.ending + " |\n")
	}
	b.WriteString("\n")
	return b.String()
}

func alternatives(endings string) string { return strings.Join(strings.Fields(endings), ", ") }

var all = []onslaught{isolation, resources, floods, frames, supervisor, descriptors, sabotage, stubborn, deaths, recursion, objects}
