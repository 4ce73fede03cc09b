package runnerimage

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

//go:embed Dockerfile .dockerignore build.sh rootfs.sh selftest.py sitecustomize.py packages.* driver/*.py driver/fastpyrepl_driver/*.py
var files embed.FS

// DriverFiles holds the driver, a folder that Python runs as a program: `python3 -I DIR`.
func DriverFiles() fs.FS {
	driver, err := fs.Sub(files, "driver")
	if err != nil {
		panic(err) // "driver" is a valid path, which is all that Sub checks
	}
	return driver
}

// DriverHash is one SHA-256 over the names and contents of the driver's files: that of the text
// that sha256sum prints for them.
// build.sh puts the same into the image, as label org.fastpyrepl.driver.
func DriverHash() string {
	sum := sha256.New()
	err := fs.WalkDir(DriverFiles(), ".", func(name string, entry fs.DirEntry, err error) error { // in lexical order
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(DriverFiles(), name)
		fmt.Fprintf(sum, "%x  %s\n", sha256.Sum256(content), name)
		return err
	})
	if err != nil {
		panic(err) // embedded files are in memory
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// Extract writes the image's sources into dir, which must exist: `dir/build.sh default` then builds the image.
func Extract(dir string) error {
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(dir, filepath.FromSlash(name))
		if entry.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		content, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		mode := os.FileMode(0o644)
		if strings.HasSuffix(name, ".sh") {
			mode = 0o755
		}
		return os.WriteFile(target, content, mode)
	})
	if err != nil {
		return fmt.Errorf("extract runner image sources: %w", err)
	}
	return nil
}
