package daemon

import (
	"io"
	"log/slog"
	"testing"

	"github.com/gofiber/fiber/v2"
)

// What documents the API is generated from the table, so nothing may answer that is not in it.
func TestRoutes_EveryRouteComesFromTheTable(t *testing.T) {
	ok := func(c *fiber.Ctx) error { return nil }
	table := []Route{
		{Method: "GET", Path: "/a", Handler: ok},
		{Method: "POST", Path: "/a", Handler: ok},
		{Method: "DELETE", Path: "/v1/things/:id", Handler: ok},
	}
	s := New(Config{}, Deps{Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Routes: table})
	want := map[string]bool{}
	for _, r := range s.Routes() {
		want[r.Method+" "+r.Path] = true
	}
	if len(want) != len(table) {
		t.Fatalf("Routes has %d entries, want %d", len(want), len(table))
	}
	got := map[string]bool{}
	for _, r := range s.app.GetRoutes(true) { // without middleware
		got[r.Method+" "+r.Path] = true
	}
	for r := range got {
		if !want[r] {
			t.Errorf("%s answers and is not in the table", r)
		}
	}
	for r := range want {
		if !got[r] {
			t.Errorf("%s is in the table and does not answer", r)
		}
	}
}
