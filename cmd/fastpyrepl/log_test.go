package main

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/gjyotin305/fastpyrepl/configs"
)

func TestNewLog_WritesJSONWhereThereIsNoTerminal(t *testing.T) {
	var out bytes.Buffer
	log, level, progress := newLog(&out, configs.Log{Level: "warn", Format: "auto"})
	log.Info("quiet")
	level.Set(slog.LevelInfo)
	log.Info("loud", "n", 1)
	fmt.Fprint(progress, "pulling\r\n", "layer 1", " done\n\n", strings.Repeat("x", maxLine+1), "\n")

	var got []string
	for line := range strings.Lines(out.String()) {
		var entry struct {
			Level string
			Msg   string `json:"msg"`
			Line  string `json:"line"`
		}
		if err := json.Unmarshal([]byte(line), &entry, json.MatchCaseInsensitiveNames(true)); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		got = append(got, fmt.Sprintf("%s %d %.8s", entry.Msg, len(entry.Line), entry.Line))
	}
	want := []string{"loud 0 ", "image 7 pulling", "image 12 layer 1 ", "image 4096 xxxxxxxx", "image 1 x"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestNewLog_TextIsForPeople(t *testing.T) {
	var out bytes.Buffer
	log, _, progress := newLog(&out, configs.Log{Level: "info", Format: "text"})
	log.Info("ready")
	fmt.Fprint(progress, "as it is\r")
	if got := out.String(); !strings.Contains(got, "level=INFO msg=ready\n") || !strings.HasSuffix(got, "as it is\r") {
		t.Errorf("got %q", got)
	}
}
