package main

import "testing"

func TestStateDir(t *testing.T) {
	tests := []struct {
		name, configured string
		env              []string
		want             string
	}{
		{"the key wins", "/a", []string{"HOME=/h", "XDG_STATE_HOME=/x"}, "/a"},
		{"then XDG_STATE_HOME", "", []string{"HOME=/h", "XDG_STATE_HOME=/x"}, "/x/fastpyrepl"},
		{"a relative one does not count", "", []string{"HOME=/h", "XDG_STATE_HOME=x"}, "/h/.local/state/fastpyrepl"},
		{"then HOME", "", []string{"HOME=/h"}, "/h/.local/state/fastpyrepl"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := (&process{env: tt.env}).stateDir(tt.configured); err != nil || got != tt.want {
				t.Errorf("got %q, %v, want %q", got, err, tt.want)
			}
		})
	}
	if got, err := (&process{}).stateDir(""); err == nil {
		t.Errorf("got %q without any place for it", got)
	}
}
