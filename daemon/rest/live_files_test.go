package rest_test

import (
	"archive/tar"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/gjyotin305/fastpyrepl/daemon/rest"
	"github.com/go-json-experiment/json"
)

// A directory of 100,000 entries is listed in parts, in order, each of them in bounded time and beside code that runs.
func TestLive_ADirectoryOf100000Entries(t *testing.T) {
	const many = 100_000
	a := live(t)
	a.execute(t, body("import os\nos.mkdir('many')\nopen('f', 'w').close()\nfor i in range(100_000): os.link('f', f'many/{i:06}')", `,"timeout":50`))
	running := a.detached(t, `{"session_id":"s","code":"import time\nwhile True: time.sleep(0.01)","timeout":50,"detach":true}`)
	seen, next := 0, ""
	for {
		began := time.Now()
		status, text := a.ask(t, "GET", filesPath+"/many?after="+next, "")
		var l rest.FileListing
		if err := json.Unmarshal([]byte(text), &l); err != nil || status != 200 {
			t.Fatalf("%d %.300s, %v", status, text, err)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("a part took %s", took)
		}
		for _, e := range l.Entries {
			if want := fmt.Sprintf("%06d", seen); e.Name != want {
				t.Fatalf("got %s, want %s", e.Name, want)
			}
			seen++
		}
		if next = l.Next; next == "" {
			break
		}
		if len(l.Entries) != maxTestList {
			t.Fatalf("a part of %d entries", len(l.Entries))
		}
		if seen == 10*maxTestList { // from here on by leaps, or it would take all day
			seen, next = 99_900, fmt.Sprintf("%x", "099899")
		}
	}
	if seen != many {
		t.Errorf("%d entries, want %d", seen, many)
	}
	if status, text := a.ask(t, "DELETE", filesPath+"/many?recursive=true", ""); status != 204 {
		t.Errorf("%d %s", status, text)
	}
	if status, text := a.ask(t, "POST", "/v1/sessions/s/interrupt", ""); status != 204 {
		t.Errorf("%d %s", status, text)
	}
	if r := a.result(t, running.ExecutionID); r.Outcome != "interrupted" || !r.StateKept {
		t.Errorf("got %+v", r)
	}
}

func TestLive_WhatACellWritesIsThereAndTheOtherWayRound(t *testing.T) {
	a := live(t)
	a.execute(t, body("1", ""))
	a.put(t, "in/d%20ata.csv", "a,b\n1,2\n")
	r := a.execute(t, body("rows = open('in/d ata.csv').read().split()\nimport os\nos.mkdir('out')\nopen('out/ü.txt', 'w').write(rows[1])\nos.remove('in/d ata.csv')", ""))
	if string(r.Files.Created) != `["out/ü.txt"]` || string(r.Files.Modified) != `[]` || string(r.Files.Deleted) != `["in/d ata.csv"]` || r.Files.Truncated {
		t.Errorf("got %+v", r.Files)
	}
	if status, text := a.ask(t, "GET", filesPath+"/out/%C3%BC.txt", ""); status != 200 || text != "1,2" {
		t.Errorf("got %d %s", status, text)
	}
	a.execute(t, body("for i in range(2000): open(f'out/{i}', 'w').write(str(i))", ""))
	resp := a.do(t, t.Context(), "GET", filesPath+"/out", "", "Accept", "application/x-tar")
	got := 0
	for in := tar.NewReader(resp.Body); ; got++ {
		h, err := in.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if data, err := io.ReadAll(in); err != nil || h.Name != "ü.txt" && string(data) != h.Name {
			t.Errorf("%s holds %q, %v", h.Name, data, err)
		}
	}
	if got != 2001 {
		t.Errorf("the archive has %d files, want 2001", got)
	}
}
