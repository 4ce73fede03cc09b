package document

import (
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the tables into the documents")

const tableEnd = "<!-- end of table -->\n"

// HasTable demands that the file has this table, between a comment that names command and one that ends it. With -update, it
// has it afterwards.
func HasTable(t *testing.T, path, command, table string) {
	t.Helper()
	tableBegin := "<!-- table: " + command + " -update -->\n"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begins := strings.Cut(string(text), tableBegin)
	have, after, ends := strings.Cut(rest, tableEnd)
	if !begins || !ends {
		t.Fatalf("%s has no place for the table", path)
	}
	if have == table {
		return
	}
	if !*update {
		t.Fatalf("the table in %s is not that of the tests: %s -update", path, command)
	}
	if err := os.WriteFile(path, []byte(before+tableBegin+table+tableEnd+after), 0o644); err != nil {
		t.Fatal(err)
	}
}
