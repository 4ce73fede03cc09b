package configs_test

import (
	"reflect"
	"testing"

	"github.com/gjyotin305/fastpyrepl/configs"
)

func TestReload_TakesOverWhatIsLiveAndNamesTheRest(t *testing.T) {
	old, next := configs.Default(), configs.Default()
	next.Limits.Memory = 2 * configs.GiB
	next.Log.Level = "debug"
	next.Server.Port = 1
	next.Server.AllowedHosts = []string{"a.test"}
	next.Docker.Images = map[string]configs.Image{"default": {Ref: "x:1"}}

	got, live, restart, err := configs.Reload(old, next)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"server.allowed_hosts", "limits.memory", "log.level"}; !reflect.DeepEqual(live, want) {
		t.Errorf("live: got %v, want %v", live, want)
	}
	if want := []string{"server.port", "docker.images"}; !reflect.DeepEqual(restart, want) {
		t.Errorf("restart: got %v, want %v", restart, want)
	}
	want := configs.Default()
	want.Limits.Memory, want.Log.Level, want.Server.AllowedHosts = 2*configs.GiB, "debug", []string{"a.test"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if !reflect.DeepEqual(old, configs.Default()) {
		t.Error("the old configuration was changed")
	}
}

// The file may be right by itself and still not fit what runs: here the body limit that the context needs comes only
// with a restart.
func TestReload_RefusesAMixtureThatCannotBe(t *testing.T) {
	old, next := configs.Default(), configs.Default()
	next.Execution.MaxContext = 128 * configs.MiB
	next.Server.MaxBody = 1 * configs.GiB
	if err := next.Validate(); err != nil {
		t.Fatal(err)
	}
	_, _, restart, err := configs.Reload(old, next)
	want := "server.max_body: 448MiB is less than 780MiB, which execution.max_context and max_code need: a byte of text can be 6 in JSON"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if want := []string{"server.max_body"}; !reflect.DeepEqual(restart, want) {
		t.Errorf("restart: got %v, want %v", restart, want)
	}
}
