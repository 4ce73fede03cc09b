package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestHistory_IsBoundedAndPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "below", "history")
	h, err := openHistory(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2*maxHistory + 5 {
		if _, err := h.Write(fmt.Sprintf("line %d\nmore", i)); err != nil {
			t.Fatal(err)
		}
	}
	last := fmt.Sprintf("line %d\nmore", 2*maxHistory+4)
	for _, text := range []string{last, last + "\n", "", " \n", strings.Repeat("x", maxHistoryLine+1)} { // none of these is kept
		if n, err := h.Write(text); n != maxHistory || err != nil {
			t.Errorf("%.10q: %d entries, %v", text, n, err)
		}
	}
	if got, err := h.GetLine(maxHistory - 1); err != nil || got != last {
		t.Errorf("got %q, %v", got, err)
	}
	for _, i := range []int{-1, maxHistory} {
		if _, err := h.GetLine(i); err == nil {
			t.Errorf("there is an entry %d", i)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, path, string(text)+"broken\n\"half")
	if h, err = openHistory(path); err != nil || h.Len() != maxHistory {
		t.Errorf("%d entries, %v", h.Len(), err)
	}
	if got, err := h.GetLine(maxHistory - 1); err != nil || got != last {
		t.Errorf("after it was read again: %q, %v", got, err)
	}
	text, err = os.ReadFile(path)
	if err != nil || strings.Count(string(text), "\n") != maxHistory {
		t.Errorf("the file has %d lines, %v", strings.Count(string(text), "\n"), err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if left, err := filepath.Glob(path + "-*"); err != nil || len(left) > 0 {
		t.Errorf("left are %v", left)
	}
}

func TestTracebackStyler(t *testing.T) {
	var s tracebackStyler
	got := s.style("plain\nValueError\nTraceback (most recent call last):\n  File \"Cell [1]\", line 1, in <module>\n    1/0\n    ~^~\nZeroDivisionError: no\nafter: this\n")
	want := "plain\nValueError\n" + styleNote + "Traceback (most recent call last):" + styleEnd + "\n" + styleFrame + "  File \"Cell [1]\", line 1, in <module>" + styleEnd +
		"\n    1/0\n" + styleMarks + "    ~^~" + styleEnd + "\n" + styleError + "ZeroDivisionError: no" + styleEnd + "\nafter: this\n"
	if got != want {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

func TestCommonPrefixAndSummary(t *testing.T) {
	for want, texts := range map[string][]string{"": {"a", "b"}, "größe_": {"größe_a", "größe_b"}, "gr": {"grö", "grü"}, "one": {"one"}} {
		if got := commonPrefix(texts); got != want {
			t.Errorf("%v: got %q", texts, got)
		}
	}
	if got := commonPrefix(nil); got != "" {
		t.Errorf("of nothing: %q", got)
	}
	if got := summary(make([]string, maxSummary+2)); !strings.HasSuffix(got, "  and 2 more") {
		t.Errorf("got %q", got)
	}
}
