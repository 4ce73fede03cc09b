package runnerimage_test

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	runnerimage "github.com/gjyotin305/fastpyrepl/runner-image"
)

// A driver module in a folder of its own would be neither embedded nor hashed.
func TestDriverFiles_HoldsEveryModuleOnDisk(t *testing.T) {
	var want []string
	err := filepath.WalkDir("driver", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (entry.Name() == "tests" || entry.Name() == "__pycache__") {
			return filepath.SkipDir
		}
		if strings.HasSuffix(path, ".py") {
			want = append(want, filepath.ToSlash(strings.TrimPrefix(path, "driver"+string(filepath.Separator))))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	err = fs.WalkDir(runnerimage.DriverFiles(), ".", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			got = append(got, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Errorf("embedded %q, on disk %q", got, want)
	}
	if !slices.Contains(got, "__main__.py") {
		t.Errorf("no __main__.py in %q", got)
	}
}

// The build script computes the hash that it puts into the image with the shell; both must agree, or every start would rebuild the image.
func TestDriverHash_IsWhatTheBuildScriptComputes(t *testing.T) {
	dir := t.TempDir()
	if err := runnerimage.Extract(dir); err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile(filepath.Join(dir, "build.sh"))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(script)) {
		if strings.HasPrefix(line, "hash_files()") || strings.HasPrefix(line, "driver_hash=") {
			lines = append(lines, line)
		}
	}
	lines = append(lines, `echo "$driver_hash"`)
	cmd := exec.CommandContext(t.Context(), "bash", "-euc", strings.Join(lines, ""))
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(bytes.TrimSpace(out)), runnerimage.DriverHash(); got != want {
		t.Errorf("build.sh computes %s, DriverHash %s", got, want)
	}
}

func TestExtract_WritesWhatTheImageIsBuiltFrom(t *testing.T) {
	dir := t.TempDir()
	if err := runnerimage.Extract(dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"Dockerfile", ".dockerignore", "rootfs.sh", "build.sh", "selftest.py", "sitecustomize.py",
		"packages.default", "packages.slim", "packages.unwanted", "driver/__main__.py"} {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
			continue
		}
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s differs from the source", name)
		}
	}
	for _, name := range []string{"build.sh", "rootfs.sh"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o100 == 0 {
			t.Errorf("%s cannot be executed: mode %v", name, info.Mode())
		}
	}
}

func TestExtract_NamesTheFolderItCannotWrite(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(missing, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err := runnerimage.Extract(missing)
	if err == nil || !strings.Contains(err.Error(), missing) {
		t.Errorf("Extract into a file: error %v, want one that names %s", err, missing)
	}
}
