package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCount_ReadsGoAndUnittest(t *testing.T) {
	for _, tt := range []struct {
		name, suite string
		want        counts
		shown       string
	}{
		{"Go: leaves only", `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"run","Package":"p","Test":"TestA/x"}
{"Action":"output","Package":"p","Test":"TestA/x","Output":"quiet\n"}
{"Action":"pass","Package":"p","Test":"TestA/x"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Output":"ok  \tp\t1.2s\n"}
{"Action":"pass","Package":"p"}
`, counts{passed: 1}, "ok  \tp\t1.2s\n"},
		{"Go: a failure is shown and counted once", `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"run","Package":"p","Test":"TestA/x"}
{"Action":"output","Package":"p","Test":"TestA/x","Output":"want 1\n"}
{"Action":"fail","Package":"p","Test":"TestA/x"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"fail","Package":"p"}
`, counts{failed: 1}, "want 1\n"},
		{"Go: a skip is a failure", `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"skip","Package":"p","Test":"TestA"}
`, counts{failed: 1}, ""},
		{"Go: a package without tests is none", `{"Action":"output","Package":"p","Output":"?   \tp\t[no test files]\n"}
{"Action":"skip","Package":"p"}
`, counts{}, ""},
		{"Go: what does not compile", `{"ImportPath":"p","Action":"build-output","Output":"p.go:1: undefined\n"}
{"ImportPath":"p","Action":"build-fail"}
{"Action":"fail","Package":"p","FailedBuild":"p"}
`, counts{failed: 1}, "p.go:1: undefined\n"},
		{"unittest", `test_a (test_x.Case.test_a)
Says what it does. ... ok
test_b (test_x.Case.test_b) ... FAIL
test_c (test_x.Case.test_c) ... skipped 'no reason'
test_d (test_x.Case.test_d) ... ok
`, counts{passed: 2, failed: 2}, "test_b (test_x.Case.test_b) ... FAIL\ntest_c (test_x.Case.test_c) ... skipped 'no reason'\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var shown strings.Builder
			if got := count(strings.NewReader(tt.suite), &shown); got != tt.want {
				t.Errorf("counts %+v, want %+v", got, tt.want)
			}
			if got := shown.String(); got != tt.shown {
				t.Errorf("shown %q, want %q", got, tt.shown)
			}
		})
	}
}

func TestRun_SumsSuitesAndFailsWhenOneDoes(t *testing.T) {
	for _, tt := range []struct {
		name   string
		suites []string // shell
		want   string
		fails  bool
	}{
		{"all pass", []string{"echo 'test_a (x.y) ... ok'", "echo 'test_b (x.y) ... ok' >&2"}, "2 passed, 0 failed\n", false},
		{"one fails", []string{"echo 'test_a (x.y) ... ok'", "echo 'test_b (x.y) ... ERROR'; exit 1"}, "1 passed, 1 failed\n", true},
		{"a suite fails outside its tests", []string{"echo 'test_a (x.y) ... ok'; exit 3"}, "1 passed, 1 failed\n", true},
		{"a suite runs nothing", []string{"true"}, "0 passed, 1 failed\n", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sum := filepath.Join(t.TempDir(), "sum")
			var out strings.Builder
			for _, suite := range tt.suites {
				err := run([]string{"-sum", sum, "--", "sh", "-c", suite}, &out, &out)
				if failed := strings.Contains(suite, "exit") || suite == "true"; (err != nil) != failed {
					t.Errorf("suite %q: error %v", suite, err)
				}
			}
			out.Reset()
			if err := run([]string{"-report", sum}, &out, &out); (err != nil) != tt.fails {
				t.Errorf("report: error %v", err)
			}
			if got := out.String(); got != tt.want {
				t.Errorf("report %q, want %q", got, tt.want)
			}
		})
	}
}

func TestRun_CountsASuiteThatCannotStart(t *testing.T) {
	sum := filepath.Join(t.TempDir(), "sum")
	var out strings.Builder
	if err := run([]string{"-sum", sum, "--", filepath.Join(t.TempDir(), "missing")}, &out, &out); err == nil {
		t.Error("no error")
	}
	text, err := os.ReadFile(sum)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(text), fmt.Sprintln(0, 1); got != want {
		t.Errorf("sum file %q, want %q", got, want)
	}
}
