package configs_test

import (
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"strings"
	"testing"

	"github.com/gjyotin305/fastpyrepl/configs"
)

// hash is one that could be a key's.
func hash(digit string) string { return "sha256:" + strings.Repeat(digit, 64) }

// hashes are several, as a variable has them.
func hashes(digits string) string {
	var all []string
	for digit := range strings.SplitSeq(digits, "") {
		all = append(all, hash(digit))
	}
	return strings.Join(all, ",")
}

const pasted = "fpr_cGFzdGVkIGJ5IG1pc3Rha2UsIHdoaWNoIGhhcHBlbnM" // as `fastpyrepl keys new` prints one

func TestLoad_Keys(t *testing.T) {
	tests := []struct {
		name, yaml string
		env        []string
		want       map[string]configs.Key
	}{
		{"none", "", nil, nil},
		{"a hash, and defaults", "auth: {keys: {ann: {hash: '" + hash("a") + "'}}}", nil,
			map[string]configs.Key{"ann": {Hash: []string{hash("a")}}}},
		{"an unquoted hash", "auth:\n  keys:\n    ann:\n      hash: " + hash("1"), nil,
			map[string]configs.Key{"ann": {Hash: []string{hash("1")}}}},
		{"everything", "auth: {keys: {root.2: {hash: [" + hash("a") + ", " + hash("b") +
			"], role: admin, max_sessions: 1, max_executions: 2, rate: 0.5, burst: 4}}}", nil,
			map[string]configs.Key{"root.2": {Hash: []string{hash("a"), hash("b")}, Role: "admin", MaxSessions: 1, MaxExecutions: 2, Rate: 0.5, Burst: 4}}},
		{"the environment adds one", "auth: {keys: {ann: {hash: '" + hash("a") + "'}}}",
			[]string{"FASTPYREPL_AUTH_KEYS_BOB_HASH=" + hash("b") + "," + hash("c"), "FASTPYREPL_AUTH_KEYS_BOB_MAX_SESSIONS=3"},
			map[string]configs.Key{"ann": {Hash: []string{hash("a")}}, "bob": {Hash: []string{hash("b"), hash("c")}, MaxSessions: 3}}},
		{"the environment changes one", "auth: {keys: {a-b.c: {hash: '" + hash("a") + "', rate: 2}}}",
			[]string{"FASTPYREPL_AUTH_KEYS_A_B_C_RATE=3.5", "FASTPYREPL_AUTH_KEYS_A_B_C_ROLE=admin"},
			map[string]configs.Key{"a-b.c": {Hash: []string{hash("a")}, Role: "admin", Rate: 3.5}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := configs.Load(configs.Source{Path: write(t, tt.yaml), Env: tt.env})
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(c.Auth.Keys, tt.want) {
				t.Errorf("got %v, want %v", c.Auth.Keys, tt.want)
			}
			if got, want := c.Auth.Required(), tt.want != nil; got != want {
				t.Errorf("required: %t, want %t", got, want)
			}
		})
	}
}

func TestLoad_RefusesKeysThatCannotBe(t *testing.T) {
	keys := func(text string) string { return "auth: {keys: " + text + "}" }
	for _, tt := range []struct{ name, yaml, env, want string }{
		{"no hash", keys("{ann: {role: admin}}"), "", "auth.keys.ann.hash: missing: want what `fastpyrepl keys new` prints"},
		{"nothing", keys("{ann: }"), "", "auth.keys.ann.hash: missing: want what `fastpyrepl keys new` prints"},
		{"the key itself", keys("{ann: {hash: " + pasted + "}}"), "", "auth.keys.ann.hash: this is the key itself: put its hash here, which `fastpyrepl keys hash` prints"},
		{"the key as a name", keys("{" + pasted + ": {hash: x}}"), "", `F:1: auth.keys: "fpr_..." is not a name: want lower-case letters, digits, '.', '_' and '-', at most 63, beginning with a letter or digit`},
		{"the key as a key", keys("{ann: {" + pasted + ": x}}"), "", "F:1: auth.keys.ann.fpr_...: unknown key; allowed in auth.keys.ann: burst, hash, max_executions, max_sessions, rate, role"},
		{"the key in place of keys", "auth: {keys: " + pasted + "}", "", "F:1: auth.keys: want keys below it (a name for each)"},
		{"the key as a number", keys("{ann: {hash: '" + hash("a") + "', rate: " + pasted + "}}"), "", `F:1: auth.keys.ann.rate: "fpr_..." is not a number`},
		{"the key as a variable", "", "FASTPYREPL_AUTH_KEYS_ANN_HASH=" + pasted, "auth.keys.ann.hash: this is the key itself: put its hash here, which `fastpyrepl keys hash` prints"},
		{"half a hash", keys("{ann: {hash: 'sha256:0123'}}"), "", "auth.keys.ann.hash: not the hash of a key: want sha256: and 64 lower-case hexadecimal digits, as `fastpyrepl keys hash` prints it"},
		{"a number", keys("{ann: {hash: 7}}"), "", "F:1: auth.keys.ann.hash: 7 is not a list: want [a, b]"},
		{"nine hashes", keys("{ann: {hash: '" + hashes("012345678") + "'}}"), "", "auth.keys.ann.hash: 9 hashes are too many: at most 8"},
		{"a hash twice", keys("{ann: {hash: '" + hash("a") + "'}, bob: {hash: '" + hash("a") + "'}}"), "", "auth.keys.bob.hash: is the hash of ann's key, too"},
		{"a role", keys("{ann: {hash: '" + hash("a") + "', role: root}}"), "", `auth.keys.ann.role: "root" is not one of user, admin`},
		{"a rate", keys("{ann: {hash: '" + hash("a") + "', rate: -1}}"), "", "auth.keys.ann.rate: -1 is out of range: allowed are 0 to 1e+06"},
		{"a tiny rate", keys("{ann: {hash: '" + hash("a") + "', rate: 1e-9}}"), "", "auth.keys.ann.rate: 1e-09 requests a second are too few: at least 0.001, or 0 for no bound"},
		{"sessions", keys("{ann: {hash: '" + hash("a") + "', max_sessions: 1.5}}"), "", "F:1: auth.keys.ann.max_sessions: 1.5 is not a whole number"},
		{"a bad name in a variable", "", "FASTPYREPL_AUTH_KEYS___HASH=" + hash("a"), `auth.keys: "_" is not a name: want lower-case letters, digits, '.', '_' and '-', at most 63, beginning with a letter or digit`},
		{"a bad value in a variable", "", "FASTPYREPL_AUTH_KEYS_ANN_BURST=x", `FASTPYREPL_AUTH_KEYS_ANN_BURST: auth.keys.ann.burst: "x" is not a whole number`},
		{"a file that is not absolute", "auth: {keys_file: keys.yaml}", "", `auth.keys_file: "keys.yaml" is not an absolute path; nothing means no file`},
		{"an origin of all", "server: {cors_origins: ['*']}", "", `server.cors_origins: "*" would let every web page in: name the origins that may, such as https://app.example`},
		{"sessions of a key", "sessions: {max_per_key: -1}", "", "sessions.max_per_key: -1 is out of range: allowed are 0 to 100000"},
		{"an audit log that is not absolute", "audit: {file: audit.jsonl}", "", `audit.file: "audit.jsonl" is not an absolute path; nothing means no audit log`},
		{"small files", "audit: {max_size: 1MiB}", "", "audit.max_size: 1MiB is out of range: allowed are 2MiB to 1TiB"},
		{"no files", "audit: {keep: 0}", "", "audit.keep: 0 is out of range: allowed are 1 to 10000"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			src := configs.Source{Env: []string{tt.env}}
			if tt.yaml != "" {
				src.Path = write(t, tt.yaml)
			}
			_, err := configs.Load(src)
			if err == nil {
				t.Fatal("accepted")
			}
			got := err.Error()
			if src.Path != "" {
				got = strings.ReplaceAll(got, src.Path, "F")
			}
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestValidate_Origins(t *testing.T) {
	for origin, want := range map[string]bool{
		"https://app.example": true, "http://localhost:3000": true, "https://xn--bcher-kva.example:8443": true, "http://[::1]:3000": true,
		"null": false, "app.example": false, "https://app.example/": false, "https://App.example": false, "https://app.example:443": false,
		"http://app.example:80": false, "https://user@app.example": false, "https://*.example": false, "file://": false, "": false,
		"https://app.example:0": false, "https://app.example https://b.example": false, "ftp://app.example": false,
	} {
		c := configs.Default()
		c.Server.CORSOrigins = []string{origin}
		if err := c.Validate(); (err == nil) != want {
			t.Errorf("%q: %v", origin, err)
		}
	}
}

func TestValidate_KeysOpenTheAddress(t *testing.T) {
	key := map[string]configs.Key{"ann": {Hash: []string{hash("a")}}}
	for _, tt := range []struct {
		name string
		auth configs.Auth
		want bool
	}{
		{"none", configs.Auth{}, false},
		{"keys", configs.Auth{Keys: key}, true},
		{"a file", configs.Auth{KeysFile: "/x"}, true},
	} {
		c := configs.Default()
		c.Server.Host, c.Auth = "0.0.0.0", tt.auth
		if err := c.Validate(); (err == nil) != tt.want {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestAuth_AllKeysAreThoseOfTheFileToo(t *testing.T) {
	a := configs.Auth{Keys: map[string]configs.Key{"ann": {Hash: []string{hash("a")}}}}
	a.KeysFile = write(t, "bob:\n  hash: "+hash("b")+"\n  role: admin\n# more\n")
	got, err := a.AllKeys()
	want := map[string]configs.Key{"ann": {Hash: []string{hash("a")}}, "bob": {Hash: []string{hash("b")}, Role: "admin"}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	if len(a.Keys) != 1 {
		t.Errorf("the configuration was changed: %v", a.Keys)
	}
	a.KeysFile = write(t, "# none yet\n")
	if got, err := a.AllKeys(); err != nil || len(got) != 1 || !a.Required() {
		t.Errorf("an empty file: %v, %v", got, err)
	}
	a = configs.Auth{KeysFile: write(t, "")}
	if got, err := a.AllKeys(); err != nil || len(got) != 0 || !a.Required() {
		t.Errorf("an empty file alone: %v, %v", got, err)
	}
}

func TestAuth_RefusesABadFile(t *testing.T) {
	var many strings.Builder
	for i := range 1001 {
		fmt.Fprintf(&many, "k%d: {hash: 'sha256:%064x'}\n", i, i)
	}
	for _, tt := range []struct{ name, text, want string }{
		{"a section too many", "keys:\n  bob: {hash: '" + hash("b") + "'}", "F:2: keys.bob: unknown key; allowed in keys: burst, hash, max_executions, max_sessions, rate, role"},
		{"a name twice", "bob: {hash: '" + hash("b") + "'}\nbob: {hash: '" + hash("c") + "'}", "F:2: bob: set twice, first in line 1"},
		{"a name of the configuration", "ann: {hash: '" + hash("b") + "'}", "F: ann: is in auth.keys, too"},
		{"a hash of the configuration", "bob: {hash: '" + hash("a") + "'}", "F: bob.hash: is the hash of ann's key, too"},
		{"the key itself", "bob: {hash: " + pasted + "}", "F: bob.hash: this is the key itself: put its hash here, which `fastpyrepl keys hash` prints"},
		{"the key alone", pasted, "F:1: the file: want keys below it (a name for each)"},
		{"the key as a name", pasted + ": {hash: x}", `F:1: the file: "fpr_..." is not a name: want lower-case letters, digits, '.', '_' and '-', at most 63, beginning with a letter or digit`},
		{"no hash", "bob: {role: user}", "F: bob.hash: missing: want what `fastpyrepl keys new` prints"},
		{"a bad value", "bob:\n  hash: '" + hash("b") + "'\n  burst: many", `F:3: bob.burst: "many" is not a whole number`},
		{"a slip of the hand", "bob: {hsh: x}", "F:1: bob.hsh: unknown key; allowed in bob: burst, hash, max_executions, max_sessions, rate, role"},
		{"not YAML", "bob: [", "F: not YAML: line 1: did not find expected node content"},
		{"too many", many.String(), "F: the file: 1002 keys are too many: at most 1000"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := configs.Auth{Keys: map[string]configs.Key{"ann": {Hash: []string{hash("a")}}}, KeysFile: write(t, tt.text)}
			_, err := a.AllKeys()
			if err == nil {
				t.Fatal("accepted")
			}
			if got := strings.ReplaceAll(err.Error(), a.KeysFile, "F"); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
	a := configs.Auth{KeysFile: "/none/keys.yaml"}
	if _, err := a.AllKeys(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}

func TestReload_KeysAreLiveButNotWhetherTheyAreAskedFor(t *testing.T) {
	key := func(digit string) map[string]configs.Key {
		return map[string]configs.Key{"ann": {Hash: []string{hash(digit)}}}
	}
	old, next := configs.Default(), configs.Default()
	next.Auth.Keys = key("a")
	merged, live, restart, err := configs.Reload(old, next)
	if err != nil || !reflect.DeepEqual(live, []string{"auth.keys"}) || len(restart) > 0 || !merged.Auth.Required() {
		t.Errorf("the first key: %v, %v, %v", live, restart, err)
	}
	old, next.Auth.Keys = merged, key("b")
	if merged, live, _, err = configs.Reload(old, next); err != nil || len(live) != 1 || merged.Auth.Keys["ann"].Hash[0] != hash("b") {
		t.Errorf("another key: %v, %v", live, err)
	}
	_, _, _, err = configs.Reload(old, configs.Default())
	want := "auth.keys: none is left, and a daemon that asks for keys goes on to do so: restart it to let everybody in"
	if err == nil || err.Error() != want {
		t.Errorf("the last key gone: got %v, want %s", err, want)
	}
	next.Auth.KeysFile = "/x"
	if _, _, restart, err := configs.Reload(old, next); err != nil || !reflect.DeepEqual(restart, []string{"auth.keys_file"}) {
		t.Errorf("another file: %v, %v", restart, err)
	}
}
