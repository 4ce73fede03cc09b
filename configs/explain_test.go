package configs_test

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/gjyotin305/fastpyrepl/configs"
)

func TestExplain_SaysWhereEachValueComesFrom(t *testing.T) {
	hash := "sha256:" + strings.Repeat("ab", 32)
	path := write(t, "limits:\n  memory: 2GiB\nauth:\n  keys:\n    ann:\n      hash: "+hash+"\n")
	text, err := configs.Explain(configs.Source{
		Path:  path,
		Env:   []string{"FASTPYREPL_LIMITS_PIDS=100", "FASTPYREPL_DOCKER_IMAGES_MINE_REF=mine:1", "FASTPYREPL_AUTH_KEYS_BOB_HASH=" + strings.Repeat("sha256:"+strings.Repeat("0", 64), 1)},
		Flags: []configs.Flag{{Name: "--port", Key: "server.port", Text: "3"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"  port: 3 # --port\n", "  memory: 2GiB # " + path + ":2\n", "  pids: 100 # FASTPYREPL_LIMITS_PIDS\n", "  host: 127.0.0.1 # default\n",
		"    mine:\n      ref: mine:1 # FASTPYREPL_DOCKER_IMAGES_MINE_REF\n", "  allowed_hosts: [] # default\n", "  timeout: 1m0s # default\n",
		"    ann:\n      hash: ['[redacted]'] # " + path + ":6\n", "    bob:\n      hash: ['[redacted]'] # FASTPYREPL_AUTH_KEYS_BOB_HASH\n",
		"      role: \"\" # default\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no line %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "sha256") {
		t.Error("it shows a hash")
	}
}

// What is printed can be kept as a file, and means the same.
func TestExplain_IsAConfiguration(t *testing.T) {
	src := configs.Source{Env: []string{"FASTPYREPL_LIMITS_CPUS=0.5", "FASTPYREPL_SERVER_ALLOWED_HOSTS=a, b", "FASTPYREPL_DOCKER_IMAGES_MINE_REF=1",
		"FASTPYREPL_SESSIONS_TTL=90m", "FASTPYREPL_LOG_LEVEL=debug", "FASTPYREPL_POOL_PRELOAD=numpy"}}
	text, err := configs.Explain(src)
	if err != nil {
		t.Fatal(err)
	}
	want, err := configs.Load(src)
	if err != nil {
		t.Fatal(err)
	}
	got, err := configs.Load(configs.Source{Path: write(t, text)})
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	got.Server.CORSOrigins, got.Auth.Keys = want.Server.CORSOrigins, want.Auth.Keys // none, and an empty list of them
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestExplain_RefusesAsLoadDoes(t *testing.T) {
	src := configs.Source{Env: []string{"FASTPYREPL_LIMITS_MEMORY=1"}}
	_, err := configs.Explain(src)
	if _, want := configs.Load(src); err == nil || err.Error() != want.Error() {
		t.Errorf("got %v, want %v", err, want)
	}
}

func TestDefaultYAML_IsTheFile(t *testing.T) {
	want, err := os.ReadFile("fastpyrepl.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if configs.DefaultYAML() != string(want) {
		t.Error("it is not fastpyrepl.yaml")
	}
}

func TestLoadClient(t *testing.T) {
	got, err := configs.LoadClient(write(t, "url: http://x:1\napi_key_file: /k\n"))
	if want := (configs.Client{URL: "http://x:1", APIKeyFile: "/k"}); err != nil || *got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	if got, err = configs.LoadClient(write(t, "# nothing\n")); err != nil || *got != (configs.Client{}) {
		t.Errorf("got %+v, %v", got, err)
	}
	key := "fpr_" + strings.Repeat("x", 43)
	for text, want := range map[string]string{
		"ulr: x":                          "ulr: unknown key",
		"url: 7":                          ":1: url: 7 is not text",
		"api_key: " + key + "\nurl: true": ":2: url: true is not text",
		"api_key: a\napi_key_file: b":     "both set",
		key + ": x":                       "fpr_...",
		"url: [":                          "not YAML",
		"url:":                            "has no value",
	} {
		_, err := configs.LoadClient(write(t, text))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), key) {
			t.Errorf("%q: got %v, want %q in it", text, err, want)
		}
	}
}
