package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/gjyotin305/fastpyrepl/client"
)

func TestFiles_OnARealDaemon(t *testing.T) {
	env := serving(t)
	for name, test := range map[string]func(*testing.T, []string, string){
		"a file":                  movesFiles,
		"a directory":             movesDirectories,
		"listings":                listsFiles,
		"what cannot be":          refusesFiles,
		"a transfer that is left": leavesTransfers,
	} {
		t.Run(name, func(t *testing.T) {
			session := strings.ReplaceAll(strings.ToLower(name), " ", "-")
			if code, _, stderr := command(t, env, "sessions", "create", session, "--disk", "32MiB"); code != 0 {
				t.Fatalf("sessions create: exit code %d, %s", code, stderr)
			}
			test(t, env, session)
			command(t, env, "reset", session)
		})
	}
}

// files runs a command that must do its work and say nothing on stderr, and returns its stdout.
func files(t *testing.T, stdin string, env []string, args ...string) string {
	t.Helper()
	code, stdout, stderr := commandWith(t, stdin, env, append([]string{"files"}, args...)...)
	if code != 0 || stderr != "" {
		t.Fatalf("files %q: exit code %d, stderr %q", args, code, stderr)
	}
	return stdout
}

// readFile reads a file that must be there.
func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// names lists what is in a directory, and below.
func names(t *testing.T, dir string) string {
	t.Helper()
	var found []string
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, _ fs.DirEntry, err error) error {
		if name != "." {
			found = append(found, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(found, " ")
}

func movesFiles(t *testing.T, env []string, session string) {
	t.Chdir(t.TempDir())
	const name = "ä %41+?#.bin"
	content := strings.Repeat("\x00\xff\n", 1<<20)
	writeFile(t, name, content)
	if got := files(t, "", env, "put", session, name); got != "" {
		t.Errorf("it prints %q", got)
	}
	if code, stdout, stderr := command(t, env, "exec", "--session", session, "import os; os.listdir(), os.stat(os.listdir()[0]).st_size"); stdout != "(['"+name+"'], 3145728)\n" {
		t.Errorf("exit code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	writeFile(t, name, "old")
	if err := os.Chmod(name, 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(name, "link"); err != nil {
		t.Fatal(err)
	}
	files(t, "", env, "get", session, name, "link")
	if info, err := os.Stat(name); err != nil || readFile(t, name) != content || info.Mode() != 0o640 {
		t.Errorf("what the link is to was not replaced, or is another: %v, %v", info, err)
	}
	for _, to := range []string{"copy", "new/", "."} {
		if to == "new/" {
			if err := os.Mkdir(to, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		files(t, "", env, "get", session, "./"+name, to)
	}
	if readFile(t, "copy") != content || readFile(t, "new/"+name) != content {
		t.Error("what was fetched is something else")
	}
	if got := files(t, "", env, "get", session, name, "-"); got != content {
		t.Errorf("to stdout: %d bytes", len(got))
	}
	files(t, "", env, "get", session, name, os.DevNull)
	if info, err := os.Stat(os.DevNull); err != nil || info.Mode().IsRegular() {
		t.Errorf("the device was replaced: %v, %v", info, err)
	}
	files(t, "typed", env, "put", session, "-", "in/typed.txt")
	files(t, "", env, "put", session, os.DevNull, "in/nothing")
	writeFile(t, "empty", "")
	files(t, "", env, "put", session, "empty", "in/")
	if got := files(t, "", env, "get", session, "in/typed.txt", "-") + files(t, "", env, "get", session, "in/empty", "-"); got != "typed" {
		t.Errorf("got %q", got)
	}
	if got, want := names(t, "."), "copy empty link new new/"+name+" "+name; got != want {
		t.Errorf("here are %s, want %s", got, want)
	}
}

func movesDirectories(t *testing.T, env []string, session string) {
	t.Chdir(t.TempDir())
	writeFile(t, "src/a/script.sh", "#!/bin/sh\n")
	writeFile(t, "src/b.txt", "b")
	if err := errors.Join(os.Chmod("src/a/script.sh", 0o755), os.Mkdir("src/empty", 0o755), os.Symlink("/etc/passwd", "src/link")); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := command(t, env, "files", "put", session, "src")
	if code != 0 || stdout != "" || stderr != "fastpyrepl: left out \"src/link\", a link\n" {
		t.Fatalf("put: exit code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	if err := os.Remove("src/link"); err != nil {
		t.Fatal(err)
	}
	files(t, "", env, "put", session, "src", ".") // into it, and over what is there
	files(t, "", env, "put", session, "src", "below/it/")
	if code, _, stderr := command(t, env, "exec", "--session", session, "import os; os.symlink('/etc/passwd', 'src/link')"); code != 0 {
		t.Fatal(stderr)
	}
	const tree = "a a/script.sh b.txt empty"
	files(t, "", env, "get", session, "src", "out")
	if got := names(t, "out"); got != tree {
		t.Errorf("got %s, want %s", got, tree)
	}
	if info, err := os.Stat("out/a/script.sh"); err != nil || info.Mode()&0o111 == 0 || readFile(t, "out/b.txt") != "b" {
		t.Errorf("the script: %v, %v", info, err)
	}
	files(t, "", env, "get", session, "below/it/src", "out") // below it
	files(t, "", env, "get", session, ".", "all")
	if got := names(t, "out/src") + "; " + names(t, "all/below/it/src"); got != tree+"; "+tree {
		t.Errorf("got %s", got)
	}
	var archived []string
	for in := tar.NewReader(strings.NewReader(files(t, "", env, "get", session, "src", "-"))); ; {
		h, err := in.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		archived = append(archived, h.Name)
	}
	if got := strings.Join(archived, " "); got != "a/ a/script.sh b.txt empty/" {
		t.Errorf("the archive has %s", got)
	}
}

func listsFiles(t *testing.T, env []string, session string) {
	t.Chdir(t.TempDir())
	const code = "import os\nos.makedirs('d/e')\nfor i in range(1100): open(f'd/{i:04}', 'w').close()\nos.symlink('x', 'd/link')\nopen('d/\\x1b[31m', 'w').close()\nopen(b'd/\\xff', 'w').close()\nopen('d/e/f', 'w').write('123')"
	if code, _, stderr := command(t, env, "exec", "--session", session, code); code != 0 {
		t.Fatal(stderr)
	}
	table := files(t, "", env, "ls", session, "d/")
	lines := strings.Split(table, "\n")
	if fields := strings.Fields(lines[0]); !slices.Equal(fields, []string{"TYPE", "MODE", "SIZE", "MODIFIED", "NAME"}) || len(lines) != 1100+4+2 {
		t.Errorf("%d lines, the first is %q", len(lines), lines[0])
	}
	if strings.ContainsRune(table, '\x1b') || !strings.Contains(table, `"\x1b[31m"`) || !strings.Contains(table, "  link\n") {
		t.Errorf("the table is %q", table)
	}
	if got := files(t, "", env, "ls", session); !strings.HasPrefix(strings.Split(got, "\n")[1], "directory  0755") || strings.Count(got, "\n") != 2 {
		t.Errorf("the working directory has %q", got)
	}
	if got := files(t, "", env, "ls", "-r", session, "d"); !strings.Contains(got, "  e/f\n") {
		t.Errorf("below it there are %q", got)
	}
	var list client.FileList
	if err := json.Unmarshal([]byte(files(t, "", env, "ls", session, "d", "--recursive", "--json")), &list); err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(list.Entries, func(f client.File) bool { return f.Path != nil && *f.Path == "d/e/f" })
	if len(list.Entries) != 1100+5 || list.Truncated || i < 0 || list.Entries[i].Size != 3 || list.Entries[i].Type != client.TypeFile {
		t.Errorf("--json: %d entries, d/e/f is at %d", len(list.Entries), i)
	}
}

func refusesFiles(t *testing.T, env []string, session string) {
	t.Chdir(t.TempDir())
	writeFile(t, "file", "f")
	writeFile(t, "dir/file", "f")
	files(t, "", env, "put", session, "file")
	files(t, "", env, "put", session, "dir")
	large, err := os.Create("large")
	if err == nil {
		err = errors.Join(large.Truncate(80<<20), large.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args   string
		exit   int
		stderr string
	}{
		{"get SESSION nothing", exitTrouble, "nothing: no such file or directory"},
		{"get SESSION ../up", exitTrouble, `".."`},
		{"get SESSION /etc/passwd", exitTrouble, "empty component"},
		{"get nobody file", exitTrouble, "no session nobody"},
		{"get SESSION dir", exitUsage, "dir is there already: a directory is fetched to where nothing is"},
		{"get SESSION .", exitUsage, ". is there already: a directory is fetched to where nothing is"},
		{"get SESSION file nowhere/file", exitUsage, "no such file or directory"},
		{"get SESSION dir nowhere/dir", exitUsage, "no such file or directory"},
		{"get SESSION", exitUsage, "want SESSION PATH [LOCAL|-], got 1 arguments"},
		{"put SESSION nothing", exitUsage, "no such file or directory"},
		{"put SESSION -", exitUsage, "want the PATH of a file that stdin is written to"},
		{"put SESSION file ../up", exitTrouble, `".."`},
		{"put SESSION dir ../up", exitTrouble, "does not lie below the directory"},
		{"put SESSION file dir", exitTrouble, "directory"},
		{"put SESSION dir file", exitTrouble, "file"},
		{"put nobody large", exitTrouble, "no session nobody"},
		{"put nobody dir", exitTrouble, "no session nobody"},
		{"put SESSION large", exitTrouble, "do not fit on the session's disk"},
		{"ls SESSION nothing", exitTrouble, "nothing: no such file or directory"},
		{"ls SESSION file", exitTrouble, "file: it is not a directory"},
		{"ls nobody", exitTrouble, "no session nobody"},
		{"ls", exitUsage, "want SESSION [PATH], got 0 arguments"},
		{"", exitUsage, "want a command, ls, get or put"},
	} {
		args := append([]string{"files"}, strings.Fields(strings.ReplaceAll(tt.args, "SESSION", session))...)
		code, stdout, stderr := command(t, env, args...)
		if code != tt.exit || stdout != "" || !strings.Contains(stderr, tt.stderr) {
			t.Errorf("%s: exit code %d, stdout %q, stderr %q; want %d, %q", tt.args, code, stdout, stderr, tt.exit, tt.stderr)
		}
	}
	if got := names(t, "."); got != "dir dir/file file large" {
		t.Errorf("here are %s", got)
	}
}

func leavesTransfers(t *testing.T, env []string, session string) {
	t.Chdir(t.TempDir())
	p := begin(t, env, "files", "put", session, "-", "half") // of a stdin that has no end
	if _, err := io.WriteString(p.stdin, strings.Repeat("x", 1<<20)); err != nil {
		t.Fatal(err) // it reads by now
	}
	p.signal(syscall.SIGINT)
	if code := p.wait(); code != 130 || p.stderr.String() != "" {
		t.Errorf("exit code %d, stderr %q", code, p.stderr.String())
	}
	if got := files(t, "", env, "ls", session); strings.Contains(got, "half") {
		t.Errorf("there is %s", got)
	}
}

func TestUnpackDirectory_MakesNothingElsewhere(t *testing.T) {
	for name, headers := range map[string][]tar.Header{
		"a path that climbs":     {{Name: "../up", Typeflag: tar.TypeReg}},
		"a climb within":         {{Name: "a/../../up", Typeflag: tar.TypeReg}},
		"an absolute path":       {{Name: "/tmp/up", Typeflag: tar.TypeReg}},
		"a directory that does":  {{Name: "../up/", Typeflag: tar.TypeDir}},
		"a link":                 {{Name: "up", Linkname: "..", Typeflag: tar.TypeSymlink}, {Name: "up/up", Typeflag: tar.TypeReg}},
		"a hard link":            {{Name: "up", Linkname: "/etc/passwd", Typeflag: tar.TypeLink}},
		"a device":               {{Name: "up", Typeflag: tar.TypeChar}},
		"a file twice":           {{Name: "up", Typeflag: tar.TypeReg}, {Name: "up", Typeflag: tar.TypeReg}},
		"a file as a directory":  {{Name: "up", Typeflag: tar.TypeReg}, {Name: "up/up", Typeflag: tar.TypeReg}},
		"an end that comes soon": {{Name: "whole", Typeflag: tar.TypeReg}, {Name: "up", Typeflag: tar.TypeReg, Size: 5}},
	} {
		dir := t.TempDir()
		var archive bytes.Buffer
		w := tar.NewWriter(&archive)
		for _, h := range headers {
			if err := w.WriteHeader(&h); err != nil {
				t.Fatal(err)
			}
		}
		err := saveDirectory(filepath.Join(dir, "out"), &archive)
		if got := names(t, dir); err == nil || got != "" {
			t.Errorf("%s: %v, and there is %s", name, err, got)
		}
	}
}

// breaking is a stream that breaks off.
type breaking struct{ r io.Reader }

func (b breaking) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func TestSaveFile_LeavesNothingHalf(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "old")
	writeFile(t, path, "old")
	for _, name := range []string{"old", "new"} {
		if err := saveFile(filepath.Join(dir, name), breaking{strings.NewReader("half")}); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := saveDirectory(filepath.Join(dir, "tree"), breaking{strings.NewReader("")}); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a directory: %v", err)
	}
	if got := names(t, dir); got != "old" || readFile(t, path) != "old" {
		t.Errorf("there are %s, and old is %q", got, readFile(t, path))
	}
}
