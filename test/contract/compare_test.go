package contract_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// measured tells whether the value of a member is never the same twice.
func measured(where, name string) bool {
	return name == "execution_time" || name == "seq" || name == "etag" || strings.HasSuffix(where, ".usage")
}

var uuid = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

// names are UUIDs of the daemon by those that stand for them in examples.
type names map[string]string

// real puts the daemon's UUIDs in the place of those of examples.
func (n names) real(text string) string {
	return uuid.ReplaceAllStringFunc(text, func(shown string) string {
		if id, ok := n[shown]; ok {
			return id
		}
		return shown
	})
}

// compare tells how JSON that came differs from what an example shows, and learns which UUIDs stand for which.
func (n names) compare(where string, shown, got any) error {
	switch shown := shown.(type) {
	case map[string]any:
		got, ok := got.(map[string]any)
		if _, owned := shown["owner"]; !owned { // examples know of no keys
			delete(got, "owner")
		}
		if !ok || !slices.Equal(slices.Sorted(maps.Keys(shown)), slices.Sorted(maps.Keys(got))) {
			return fmt.Errorf("%s: got %v, want %v", where, got, shown)
		}
		for _, name := range slices.Sorted(maps.Keys(shown)) {
			if measured(where, name) && fmt.Sprintf("%T", shown[name]) == fmt.Sprintf("%T", got[name]) {
				continue
			}
			if err := n.compare(where+"."+name, shown[name], got[name]); err != nil {
				return err
			}
		}
		return nil
	case []any:
		got, ok := got.([]any)
		if !ok || len(got) != len(shown) {
			return fmt.Errorf("%s: got %v, want %v", where, got, shown)
		}
		for i := range shown {
			if err := n.compare(fmt.Sprintf("%s[%d]", where, i), shown[i], got[i]); err != nil {
				return err
			}
		}
		return nil
	case string:
		if got, ok := got.(string); ok && n.same(shown, got) {
			return nil
		}
	default:
		if shown == got {
			return nil
		}
	}
	return fmt.Errorf("%s: got %v, want %v", where, got, shown)
}

func (n names) same(shown, got string) bool {
	if _, err := time.Parse(time.RFC3339Nano, shown); err == nil {
		_, err := time.Parse(time.RFC3339Nano, got)
		return err == nil
	}
	ids := uuid.FindAllString(got, -1)
	for i, id := range uuid.FindAllString(shown, -1) {
		if _, known := n[id]; !known && i < len(ids) {
			n[id] = ids[i]
		}
	}
	return strings.TrimSpace(n.real(shown)) == strings.TrimSpace(got)
}
