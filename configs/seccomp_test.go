package configs_test

import (
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/gjyotin305/fastpyrepl/configs"
)

func TestSeccomp_RefusesWhatItDoesNotName(t *testing.T) {
	var profile struct {
		DefaultAction string `json:"defaultAction"`
		Syscalls      []struct {
			Names []string `json:"names"`
		} `json:"syscalls"`
	}
	if err := json.Unmarshal(configs.Seccomp(), &profile); err != nil {
		t.Fatal(err)
	}
	if got, want := profile.DefaultAction, "SCMP_ACT_ERRNO"; got != want {
		t.Errorf("default action: got %s, want %s", got, want)
	}
	if len(profile.Syscalls) == 0 {
		t.Error("no system call is allowed")
	}
}
