package configs_test

import (
	"testing"

	"github.com/gjyotin305/fastpyrepl/configs"
)

func TestParseSize(t *testing.T) {
	for text, want := range map[string]configs.Size{"0B": 0, "1B": 1, "1KiB": 1024, "512MiB": 512 << 20, "1.5GiB": 3 << 29, "1 TiB": 1 << 40} {
		if got, err := configs.ParseSize(text); err != nil || got != want {
			t.Errorf("%s: got %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "B", "1", "1G", "1GB", "1gib", "-1B", "infB", "nanMiB", "1e30B", "MiB1", "1MiBB"} {
		if got, err := configs.ParseSize(text); err == nil {
			t.Errorf("%s: accepted as %d", text, got)
		}
	}
}

func TestSize_String(t *testing.T) {
	for size, want := range map[configs.Size]string{0: "0B", 1: "1B", 1023: "1023B", 1024: "1KiB", 1536 << 20: "1536MiB", 1 << 40: "1TiB"} {
		if got := size.String(); got != want {
			t.Errorf("%d: got %s, want %s", int64(size), got, want)
		}
	}
}
