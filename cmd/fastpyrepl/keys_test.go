package main

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/gjyotin305/fastpyrepl/configs"
	"github.com/gjyotin305/fastpyrepl/daemon/auth"
)

func TestKeys_NewPrintsAKeyAndTheConfigurationThatLetsItIn(t *testing.T) {
	for _, tt := range []struct {
		args []string
		name string
		role auth.Role
	}{
		{nil, "default", auth.User},
		{[]string{"--name", "ann.2"}, "ann.2", auth.User},
		{[]string{"--name", "root", "--role", "admin"}, "root", auth.Admin},
	} {
		code, stdout, stderr := command(t, nil, append([]string{"keys", "new"}, tt.args...)...)
		if code != 0 || stderr != "" {
			t.Fatalf("%v: exit code %d, stderr %q", tt.args, code, stderr)
		}
		secret, yaml, _ := strings.Cut(stdout, "\n")
		if strings.Contains(yaml, secret) || !regexp.MustCompile(`^fpr_[A-Za-z0-9_-]{43}$`).MatchString(secret) {
			t.Errorf("%v: got\n%s", tt.args, stdout)
		}
		path := filepath.Join(t.TempDir(), "f.yaml")
		writeFile(t, path, yaml) // as it stands
		cfg, err := configs.Load(configs.Source{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		keys, err := readAuth(cfg)
		if err != nil {
			t.Fatal(err)
		}
		ring := auth.NewRing(t.Context(), nil)
		ring.Set(keys)
		if id := ring.Find([]byte(secret)); id == nil || id.Name != tt.name || id.Role != tt.role || !ring.Required() {
			t.Errorf("%v: it lets in %+v", tt.args, id)
		}

		code, hashed, _ := commandWith(t, secret+"\n", nil, "keys", "hash")
		if code != 0 || !strings.Contains(yaml, "hash: "+hashed) {
			t.Errorf("%v: keys hash: exit code %d, %q", tt.args, code, hashed)
		}
	}
}

func TestKeys_RefusesInOneLine(t *testing.T) {
	for _, tt := range []struct {
		stdin string
		args  []string
		want  string
	}{
		{"", []string{"keys"}, "want a command, new or hash; see fastpyrepl keys --help"},
		{"", []string{"keys", "old"}, `unknown command "old"; see fastpyrepl --help`},
		{"", []string{"keys", "new", "--name", "A B"}, `auth.keys: "A B" is not a name: want lower-case letters, digits, '.', '_' and '-', at most 63, beginning with a letter or digit`},
		{"", []string{"keys", "new", "--name", "ann", "--role", "root"}, `auth.keys.ann.role: "root" is not one of user, admin`},
		{"", []string{"keys", "hash"}, "not an API key: want one as `fastpyrepl keys new` makes it"},
		{"hunter2\n", []string{"keys", "hash"}, "not an API key: want one as `fastpyrepl keys new` makes it"},
		{strings.Repeat("x", 1<<20), []string{"keys", "hash"}, "not an API key: want one as `fastpyrepl keys new` makes it"},
	} {
		code, stdout, stderr := commandWith(t, tt.stdin, nil, tt.args...)
		if want := "fastpyrepl: " + tt.want + "\n"; code != exitUsage || stdout != "" || stderr != want {
			t.Errorf("%v: exit code %d, stdout %q, stderr\n%s want\n%s", tt.args, code, stdout, stderr, want)
		}
	}
}
