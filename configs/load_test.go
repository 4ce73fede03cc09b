package configs_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gjyotin305/fastpyrepl/configs"
)

// write puts a YAML file into a directory of its own.
func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoad_NothingIsTheDefault(t *testing.T) {
	got, err := configs.Load(configs.Source{})
	if err != nil {
		t.Fatal(err)
	}
	if want := configs.Default(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestLoad_LaterSourcesWin(t *testing.T) {
	path := write(t, "server:\n  port: 1\nlimits:\n  memory: 2GiB\n  pids: 200\n  cpus: 2\nlog:\nexecution:\n  timeout: 1m30s\n")
	got, err := configs.Load(configs.Source{
		Path: path,
		Env: []string{"HOME=/root", "FASTPYREPL_SERVER_PORT=2", "FASTPYREPL_LIMITS_PIDS=300", "FASTPYREPL_LIMITS_CPUS=0.5",
			"FASTPYREPL_SERVER_ALLOWED_HOSTS=a.test, b.test", "FASTPYREPL_LOG_LEVEL=", "FASTPYREPL_CONFIG=x", "FASTPYREPL_TEST_IMAGE=y", "FASTPYREPL_DEBIAN_MIRROR=z"},
		Flags: []configs.Flag{{Name: "--port", Key: "server.port", Text: "3"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := configs.Default()
	want.Server.Port = 3
	want.Server.AllowedHosts = []string{"a.test", "b.test"}
	want.Limits.Memory, want.Limits.Pids, want.Limits.CPUs = 2*configs.GiB, 300, 0.5
	want.Execution.Timeout = 90 * time.Second
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestLoad_EveryKeyIsAnEnvironmentVariable(t *testing.T) {
	values := map[string]string{ // one that is allowed and not the default, for each
		"SERVER_HOST": "::1", "SERVER_PORT": "1", "SERVER_INSECURE": "true", "SERVER_ALLOWED_HOSTS": "a", "SERVER_CORS_ORIGINS": "https://a", "SERVER_PLAYGROUND": "false",
		"SERVER_MAX_CONNECTIONS": "9", "SERVER_MAX_BODY": "500MiB", "SERVER_MAX_INFLIGHT_BODY": "2GiB", "SERVER_MAX_HEADER": "8KiB", "SERVER_MAX_JSON_DEPTH": "32",
		"SERVER_MAX_JSON_KEYS": "99", "SERVER_READ_TIMEOUT": "1s", "SERVER_WRITE_TIMEOUT": "1s", "SERVER_IDLE_TIMEOUT": "1s",
		"SERVER_SHUTDOWN_TIMEOUT": "1s", "DOCKER_HOST": "unix:///x", "DOCKER_RUNTIME": "runc", "DOCKER_SECCOMP": "/x",
		"DOCKER_UID_FIRST": "1000", "DOCKER_UID_COUNT": "70", "DOCKER_REQUEST_TIMEOUT": "1s", "DOCKER_DEFAULT_IMAGE": "mine",
		"DOCKER_IMAGES_MINE_REF": "mine:1", "LIMITS_MEMORY": "2GiB", "LIMITS_CPUS": "2", "LIMITS_PIDS": "64", "LIMITS_WORKDIR": "1MiB",
		"LIMITS_TMP": "1MiB", "LIMITS_SHM": "1MiB", "LIMITS_INODES": "2000", "LIMITS_NOFILE": "64", "EXECUTION_TIMEOUT": "1s",
		"EXECUTION_MAX_TIMEOUT": "2s", "EXECUTION_INTERRUPT_GRACE": "1s", "EXECUTION_QUEUE": "1", "EXECUTION_MAX_CONTEXT": "1MiB",
		"EXECUTION_MAX_CODE": "2MiB", "EXECUTION_MAX_STDOUT": "2MiB", "EXECUTION_MAX_STDERR": "2MiB", "EXECUTION_MAX_DISPLAY": "2MiB",
		"EXECUTION_MAX_LOCALS": "2MiB", "EXECUTION_MAX_LOCALS_VALUE": "2MiB", "EXECUTION_MAX_EVENTS": "99", "EXECUTION_RESULTS_KEPT": "1m", "EXECUTION_MAX_RESULTS": "1MiB",
		"FILES_MAX_UPLOAD": "1MiB", "FILES_TRANSFERS": "1", "FILES_MAX_LIST": "1", "SESSIONS_MAX": "1", "SESSIONS_MAX_PER_KEY": "1", "SESSIONS_MAX_STARTING": "1",
		"SESSIONS_START_QUEUE": "1", "SESSIONS_TTL": "1h", "SESSIONS_IDLE_TTL": "1m", "SESSIONS_MAX_TTL": "2h", "SESSIONS_MAX_IDLE_TTL": "2m",
		"MAX_LIMITS_MEMORY": "3GiB", "MAX_LIMITS_CPUS": "3", "MAX_LIMITS_PIDS": "300", "MAX_LIMITS_WORKDIR": "1GiB",
		"POOL_SIZE_MIN": "0", "POOL_SIZE_MAX": "1", "POOL_MAX_STARTING": "1", "POOL_PRELOAD": "numpy,pandas", "POOL_SHRINK_AFTER": "1s",
		"SESSIONS_START_TIMEOUT": "1s", "SESSIONS_STOP_TIMEOUT": "1s", "SESSIONS_RECONNECT_TIMEOUT": "1s", "SESSIONS_LOST_KEPT": "25h", "SESSIONS_ORPHAN_GRACE": "1m",
		"AUTH_KEYS_ANN_HASH": "sha256:" + strings.Repeat("0", 64), "AUTH_KEYS_FILE": "/x", "AUDIT_FILE": "/x", "AUDIT_MAX_SIZE": "2MiB", "AUDIT_KEEP": "1",
		"AUDIT_INCLUDE_CODE": "true", "AUDIT_INCLUDE_OUTPUT": "true",
		"ADMIN_LISTEN": "127.0.0.1:1", "ADMIN_INSECURE": "true", "ADMIN_PPROF": "true", "TRACING_ENDPOINT": "http://a", "TRACING_RATIO": "0.5",
		"SESSIONS_ON_SHUTDOWN": "remove", "STATE_DIR": "/x", "LOG_LEVEL": "debug", "LOG_FORMAT": "json",
	}
	var env []string
	for name, value := range values {
		env = append(env, "FASTPYREPL_"+name+"="+value)
	}
	got, err := configs.Load(configs.Source{Env: env})
	if err != nil {
		t.Fatal(err)
	}
	same(t, reflect.ValueOf(*got), reflect.ValueOf(*configs.Default()), "")
}

// same fails for each field that got has from the defaults; on_shutdown has no second value.
func same(t *testing.T, got, defaults reflect.Value, path string) {
	t.Helper()
	for i := range got.NumField() {
		name := path + got.Type().Field(i).Name
		switch g, d := got.Field(i), defaults.Field(i); {
		case g.Kind() == reflect.Struct:
			same(t, g, d, name+".")
		case name != "Sessions.OnShutdown" && reflect.DeepEqual(g.Interface(), d.Interface()):
			t.Errorf("%s still has its default, %v", name, d)
		}
	}
}

func TestLoad_Images(t *testing.T) {
	tests := []struct {
		name, yaml string
		env        []string
		want       map[string]configs.Image
	}{
		{"the environment changes one", "", []string{"FASTPYREPL_DOCKER_IMAGES_DEFAULT_REF=x:1"},
			map[string]configs.Image{"default": {Ref: "x:1"}}},
		{"the environment adds one", "", []string{"FASTPYREPL_DOCKER_IMAGES_SLIM_REF=x:1"},
			map[string]configs.Image{"default": {Ref: "fastpyrepl/runner:default"}, "slim": {Ref: "x:1"}}},
		{"a file replaces them", "docker: {default_image: py3.12, images: {py3.12: {ref: 'python:3.12'}}}", nil,
			map[string]configs.Image{"py3.12": {Ref: "python:3.12"}}},
		{"a variable finds a name with a dot", "docker: {default_image: py3.12, images: {py3.12: {ref: 'python:3.12'}}}",
			[]string{"FASTPYREPL_DOCKER_IMAGES_PY3_12_REF=x:1"}, map[string]configs.Image{"py3.12": {Ref: "x:1"}}},
		{"an empty section is none", "docker:\n  images:\n    # slim:\n", nil,
			map[string]configs.Image{"default": {Ref: "fastpyrepl/runner:default"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := configs.Load(configs.Source{Path: write(t, tt.yaml), Env: tt.env})
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got.Docker.Images, tt.want) {
				t.Errorf("got %v, want %v", got.Docker.Images, tt.want)
			}
		})
	}
}

func TestLoad_RefusesInOneLineThatNamesTheKey(t *testing.T) {
	tests := []struct {
		name, yaml string
		env        string
		want       string // after the file's path, which stands for F
	}{
		{"a slip of the hand", "limits:\n  memroy: 1GiB", "", "F:2: limits.memroy: unknown key; did you mean limits.memory?"},
		{"another section", "memory: 1GiB", "", "F:1: memory: unknown key; did you mean limits.memory?"},
		{"nothing near", "limits: {zzzzzzzz: 1}", "", "F:1: limits.zzzzzzzz: unknown key; allowed in limits: cpus, inodes, memory, nofile, pids, shm, tmp, workdir"},
		{"an unknown section", "quantum: {x: 1}", "", "F:1: quantum: unknown key; allowed in the file: admin, audit, auth, docker, execution, files, limits, log, max_limits, pool, server, sessions, state_dir, tracing"},
		{"a wrong case", "server: {Port: 1}", "", "F:1: server.Port: unknown key; did you mean server.port?"},
		{"a key twice", "server: {port: 1}\nlimits: {pids: 99, pids: 98}", "", "F:2: limits.pids: set twice, first in line 2"},
		{"a section twice", "log: {level: info}\nlog: {level: debug}", "", "F:2: log: set twice, first in line 1"},
		{"no value", "server:\n  port:", "", "F:2: server.port: has no value"},
		{"no section", "limits: 5", "", "F:1: limits: want keys below it (cpus, inodes, memory, nofile, pids, shm, tmp, workdir)"},
		{"a list for a file", "- 1", "", "F:1: the file: want keys below it (admin, audit, auth, docker, execution, files, limits, log, max_limits, pool, server, sessions, state_dir, tracing)"},
		{"not YAML", "a: [", "", "F: not YAML: line 1: did not find expected node content"},
		{"two documents", "log: {level: info}\n---\nlog: {level: debug}", "", "F: more than one YAML document; one is allowed"},
		{"a merge key", "<<: {port: 1}", "", "F:1: <<: unknown key; allowed in the file: admin, audit, auth, docker, execution, files, limits, log, max_limits, pool, server, sessions, state_dir, tracing"},

		{"a size without unit", "limits: {memory: 1073741824}", "", "F:1: limits.memory: 1073741824 is not a size: want a number with B, KiB, MiB, GiB or TiB, such as 512MiB"},
		{"a size with another unit", "limits: {memory: 1GB}", "", `F:1: limits.memory: "1GB" is not a size: want a number with B, KiB, MiB, GiB or TiB, such as 512MiB`},
		{"a negative size", "limits: {memory: -1GiB}", "", `F:1: limits.memory: "-1GiB" is not a size: want a number with B, KiB, MiB, GiB or TiB, such as 512MiB`},
		{"an endless size", "limits: {memory: 9e18GiB}", "", `F:1: limits.memory: "9e18GiB" is too large a size`},
		{"a duration without unit", "execution: {timeout: 60}", "", "F:1: execution.timeout: 60 is not a duration: want a number with ms, s, m or h, such as 60s or 1h30m"},
		{"a negative duration", "execution: {timeout: -1s}", "", `F:1: execution.timeout: "-1s" is not a duration: want a number with ms, s, m or h, such as 60s or 1h30m`},
		{"a fraction of a process", "limits: {pids: 64.5}", "", "F:1: limits.pids: 64.5 is not a whole number"},
		{"a word for a number", "", "FASTPYREPL_LIMITS_PIDS=many", `FASTPYREPL_LIMITS_PIDS: limits.pids: "many" is not a whole number`},
		{"a truth for a number", "limits: {cpus: true}", "", "F:1: limits.cpus: true is not a number"},
		{"no number", "limits: {cpus: .nan}", "", "F:1: limits.cpus: NaN is not a number"},
		{"a number for a truth", "server: {insecure: 1}", "", "F:1: server.insecure: 1 is neither true nor false"},
		{"a number for text", "log: {level: 1}", "", "F:1: log.level: 1 is not text: put it in quotes"},
		{"a number in a list", "server: {allowed_hosts: [1]}", "", "F:1: server.allowed_hosts: 1 in the list is not text: put it in quotes"},
		{"a map for a list", "server: {allowed_hosts: {a: b}}", "", "F:1: server.allowed_hosts: map[a:b] is not a list: want [a, b]"},

		{"an unknown variable", "", "FASTPYREPL_PORT=1", "FASTPYREPL_PORT: no such setting; did you mean FASTPYREPL_SERVER_PORT?"},
		{"a variable near nothing", "", "FASTPYREPL_QUANTUM=1", "FASTPYREPL_QUANTUM: no such setting; one is named after its key in the YAML file: server.port is FASTPYREPL_SERVER_PORT"},
		{"images in one variable", "", "FASTPYREPL_DOCKER_IMAGES=x", "FASTPYREPL_DOCKER_IMAGES: no such setting; one is named after its key in the YAML file: server.port is FASTPYREPL_SERVER_PORT"},
		{"an image without reference", "docker: {images: {a: }}", "", `docker.images.a.ref: "" is not an image's reference: want name:tag or name@sha256:digest`},
		{"an image with another key", "docker: {images: {a: {name: x}}}", "", "F:1: docker.images.a.name: unknown key; allowed in docker.images.a: ref"},
		{"an image's bad name", "docker: {images: {A B: {ref: x}}}", "", `F:1: docker.images: "A B" is not a name: want lower-case letters, digits, '.', '_' and '-', at most 63, beginning with a letter or digit`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			src := configs.Source{Env: []string{tt.env}}
			if tt.yaml != "" {
				src.Path = write(t, tt.yaml)
			}
			_, err := configs.Load(src)
			if err == nil {
				t.Fatal("accepted")
			}
			if got := strings.ReplaceAll(err.Error(), src.Path, "F"); src.Path != "" && got != tt.want || src.Path == "" && err.Error() != tt.want {
				t.Errorf("got  %s\nwant %s", err, tt.want)
			}
		})
	}
}

func TestLoad_NamesTheFlag(t *testing.T) {
	for _, tt := range []struct {
		flag configs.Flag
		want string
	}{
		{configs.Flag{Name: "--port", Key: "server.port", Text: "x"}, `--port: server.port: "x" is not a whole number`},
		{configs.Flag{Name: "--set", Key: "memory", Text: "1GiB"}, "--set: memory: unknown key; did you mean limits.memory?"},
		{configs.Flag{Name: "--set", Key: "docker.images", Text: "x"}, "--set: docker.images: set these in the file, or with variables that begin with FASTPYREPL_DOCKER_IMAGES_<NAME>_"},
	} {
		_, err := configs.Load(configs.Source{Flags: []configs.Flag{tt.flag}})
		if err == nil || err.Error() != tt.want {
			t.Errorf("got  %v\nwant %s", err, tt.want)
		}
	}
}

func TestLoad_TellsAllThatIsWrong(t *testing.T) {
	_, err := configs.Load(configs.Source{Path: write(t, "limits:\n  memroy: 1GiB\n  pid: 1\nlog: {lvl: 1}")})
	if err == nil {
		t.Fatal("accepted")
	}
	if got, want := len(strings.Split(err.Error(), "\n")), 3; got != want {
		t.Errorf("got %d lines, want %d: %v", got, want, err)
	}
}

func TestLoad_FileThatIsNoneOfOurs(t *testing.T) {
	if _, err := configs.Load(configs.Source{Path: filepath.Join(t.TempDir(), "none.yaml")}); !os.IsNotExist(unwrap(err)) {
		t.Errorf("got %v, want one that says the file does not exist", err)
	}
	_, err := configs.Load(configs.Source{Path: "/dev/zero"})
	if want := "/dev/zero: larger than 1MiB, which no configuration is"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func unwrap(err error) error {
	if u, ok := err.(interface{ Unwrap() error }); ok {
		return u.Unwrap()
	}
	return err
}

func TestYAML_EqualsTheDefaults(t *testing.T) {
	got, err := configs.Load(configs.Source{Path: "fastpyrepl.yaml"})
	if err != nil {
		t.Fatal(err)
	}
	want := configs.Default()
	want.Server.AllowedHosts, want.Server.CORSOrigins = got.Server.AllowedHosts, got.Server.CORSOrigins // an empty list is none
	if len(got.Server.AllowedHosts)+len(got.Server.CORSOrigins) != 0 || !reflect.DeepEqual(got, want) {
		t.Errorf("fastpyrepl.yaml says %+v, the defaults are %+v", got, want)
	}
}
