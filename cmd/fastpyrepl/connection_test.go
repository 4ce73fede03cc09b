package main

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
)

func TestConnection_TheKeyGoesWhereItBelongs(t *testing.T) {
	var asked *http.Request
	listen := func() string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked = r
			_, _ = w.Write([]byte(`{"sessions":[]}`))
		}))
		t.Cleanup(s.Close)
		return s.URL
	}
	url, other := listen(), listen()
	home := t.TempDir()
	keyFile := filepath.Join(home, "key")
	writeFile(t, keyFile, "fpr_file\n")
	writeFile(t, filepath.Join(home, ".config", "fastpyrepl", "client.yaml"), "url: "+url+"\napi_key: fpr_client\n")
	writeFile(t, filepath.Join(home, "xdg", "fastpyrepl", "client.yaml"), "url: "+url+"\napi_key_file: "+keyFile+"\n")
	for _, tt := range []struct {
		name string
		env  []string
		args []string
		url  string
		key  string
	}{
		{"the client file's", nil, nil, url, "fpr_client"},
		{"of another file", []string{"XDG_CONFIG_HOME=" + home + "/xdg"}, nil, url, "fpr_file"},
		{"none for another daemon", nil, []string{"--url", other}, other, ""},
		{"nor where a variable names it", []string{"FASTPYREPL_URL=" + other}, nil, other, ""},
		{"the same daemon, named", nil, []string{"--url", url}, url, "fpr_client"},
		{"a variable's before the file's", []string{"FASTPYREPL_API_KEY=fpr_env"}, nil, url, "fpr_env"},
		{"a flag's before a variable's", []string{"FASTPYREPL_API_KEY=fpr_env", "FASTPYREPL_URL=" + url}, []string{"--key-file", keyFile, "--url", other}, other, "fpr_file"},
	} {
		code, _, stderr := command(t, append(append([]string{"HOME=" + home}, tt.env...), "IGNORED=1"), append([]string{"sessions"}, tt.args...)...)
		if code != 0 {
			t.Errorf("%s: exit code %d, %s", tt.name, code, stderr)
			continue
		}
		if got := "http://" + asked.Host; got != tt.url || asked.Header.Get("Authorization") != strings.TrimSuffix("Bearer "+tt.key, "Bearer ") {
			t.Errorf("%s: %q was sent to %s", tt.name, asked.Header.Get("Authorization"), got)
		}
		if agent := asked.Header.Get("User-Agent"); !strings.HasPrefix(agent, "fastpyrepl-cli/") {
			t.Errorf("the agent is %q", agent)
		}
	}
}

func TestConnection_RefusesInOneLine(t *testing.T) {
	home := t.TempDir()
	bad := filepath.Join(home, ".config", "fastpyrepl", "client.yaml")
	writeFile(t, bad, "url: http://x\nkey: fpr_"+strings.Repeat("x", 43)+"\n")
	for _, file := range []string{"empty", "two words"} {
		writeFile(t, filepath.Join(home, file), strings.TrimPrefix(file, "empty"))
	}
	for _, tt := range []struct {
		name string
		env  []string
		args []string
		exit int
		want string
	}{
		{"no daemon", nil, []string{"sessions", "--url", "http://127.0.0.1:1"}, exitTrouble, "no daemon answers at http://127.0.0.1:1 (dial tcp 127.0.0.1:1: connect: connection refused): start one with `fastpyrepl serve`, or name another with --url"},
		{"no URL", nil, []string{"exec", "1", "--url", "localhost:8000"}, exitUsage, `the daemon's URL: "localhost:8000" is not like http://127.0.0.1:8000`},
		{"an empty file of a key", nil, []string{"sessions", "--key-file", home + "/empty"}, exitUsage, home + "/empty: want an API key and nothing else in it"},
		{"a file of something else", nil, []string{"sessions", "--key-file", home + "/two words"}, exitUsage, home + "/two words: want an API key and nothing else in it"},
		{"no file", nil, []string{"sessions", "--key-file", "/none"}, exitUsage, "read the API key: open /none: no such file or directory"},
		{"a bad client file", []string{"HOME=" + home}, []string{"sessions"}, exitUsage, bad + ":2: key: unknown key; did you mean api_key?"},
		{"an argument too few", nil, []string{"run"}, exitUsage, "want FILE or -, got 0 arguments; see fastpyrepl run --help"},
		{"an argument too many", nil, []string{"exec", "1", "2"}, exitUsage, "want CODE, got 2 arguments; see fastpyrepl exec --help"},
		{"a file that is not there", nil, []string{"run", "/none.py"}, exitUsage, "open /none.py: no such file or directory"},
		{"two forms", nil, []string{"exec", "1", "--json", "--events"}, exitUsage, "--json and --events are two forms of one output: choose one"},
		{"variables that do not show", nil, []string{"exec", "1", "--locals"}, exitUsage, "--locals shows in --json and --events alone"},
		{"a session that is kept twice", nil, []string{"exec", "1", "--keep", "--session", "a"}, exitUsage, "--keep: the session of --session stays anyway"},
		{"a time in the past", nil, []string{"exec", "1", "--timeout", "-1s"}, exitUsage, "--timeout: want more than 0"},
		{"no name", nil, []string{"exec", "1", "--env", "=b"}, exitUsage, `--env: "=b" is not NAME=VALUE`},
		{"a variable that is not set", nil, []string{"exec", "1", "--env", "NOT_SET"}, exitUsage, "--env: NOT_SET is not set here: want NAME=VALUE"},
		{"both to reset", nil, []string{"reset", "a", "--all"}, exitUsage, "reset: want the ID of a session, or --all"},
		{"nothing to reset", nil, []string{"reset"}, exitUsage, "reset: want the ID of a session, or --all"},
		{"nothing to remove", nil, []string{"sessions", "rm"}, exitUsage, "want the IDs of sessions; see fastpyrepl sessions rm --help"},
		{"two to create", nil, []string{"sessions", "create", "a", "b"}, exitUsage, "want one ID, got 2; see fastpyrepl sessions create --help"},
		{"no size", nil, []string{"sessions", "create", "--memory", "1G"}, exitUsage, `--memory: "1G" is not a size: want a number with B, KiB, MiB, GiB or TiB, such as 512MiB`},
		{"a command of none", nil, []string{"config"}, exitUsage, "want a command, show, check or default; see fastpyrepl config --help"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code, stdout, stderr := command(t, tt.env, tt.args...)
			if want := "fastpyrepl: " + tt.want + "\n"; code != tt.exit || stdout != "" || stderr != want {
				t.Errorf("exit code %d, stdout %q, stderr\n%s want %d,\n%s", code, stdout, stderr, tt.exit, want)
			}
		})
	}
}

func TestConnection_SaysWhatToDoWithoutAKey(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write([]byte(`{"detail":"an API key is needed"}`))
	}))
	t.Cleanup(s.Close)
	code, _, stderr := command(t, []string{"FASTPYREPL_URL=" + s.URL}, "sessions")
	if want := "fastpyrepl: an API key is needed; put it into $FASTPYREPL_API_KEY, or into a file for --key-file\n"; code != exitTrouble || stderr != want {
		t.Errorf("exit code %d, stderr %q", code, stderr)
	}
}
