package main

import (
	"strings"
	"testing"

	"github.com/gjyotin305/fastpyrepl/configs"
)

func TestConnections_LeaveSessionsTheirFiles(t *testing.T) {
	cfg := configs.Default() // 1024 connections, 64 sessions and 8 in the pool
	for _, tc := range []struct {
		limit uint64
		want  int
	}{
		{1 << 63, 1024}, {1024 + 64 + 3*72, 1024}, {1024, 1024 - 64 - 3*72}, {300, 20}, {100, 16},
	} {
		got, err := connections(cfg, tc.limit)
		if got != tc.want || (err != nil) != (got < 1024) {
			t.Errorf("of %d files: %d connections, want %d; %v", tc.limit, got, tc.want, err)
		}
		if err != nil && !strings.Contains(err.Error(), "ulimit -n") {
			t.Errorf("it does not say what to do: %v", err)
		}
	}
}
