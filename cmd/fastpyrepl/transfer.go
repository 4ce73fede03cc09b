package main

import (
	"archive/tar"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// saveFile writes what is read into the file at name, which appears whole, in the place of one that is there. What is no
// regular file, such as a device, is written to.
func saveFile(name string, r io.Reader) error {
	if real, err := filepath.EvalSymlinks(name); err == nil {
		name = real
	}
	mode := fs.FileMode(0o666) // less the umask
	old, err := os.Stat(name)
	switch {
	case err == nil && !old.Mode().IsRegular():
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			return usageError{err}
		}
		_, err = io.Copy(f, r)
		return errors.Join(err, f.Close())
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return usageError{err}
	}
	temp := filepath.Join(filepath.Dir(name), unfinished())
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return usageError{err}
	}
	_, err = io.Copy(f, r)
	if old != nil && err == nil {
		err = f.Chmod(old.Mode().Perm())
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(temp, name)
	}
	if err != nil {
		os.Remove(temp)
	}
	return err
}

// saveDirectory makes a directory of what is in a tar. It appears whole, where nothing may be.
func saveDirectory(name string, r io.Reader) error {
	temp := filepath.Join(filepath.Dir(name), unfinished())
	if err := os.Mkdir(temp, 0o777); err != nil {
		return usageError{err}
	}
	err := unpackDirectory(temp, r)
	if err == nil {
		err = os.Rename(temp, name)
	}
	if err != nil {
		err = errors.Join(err, os.RemoveAll(temp))
	}
	return err
}

// unfinished is a name for what is not whole yet.
func unfinished() string { return ".fastpyrepl-" + rand.Text() }

// unpackDirectory makes the files and directories of a tar below dir, and nothing elsewhere, whatever the tar says: it comes from
// where code ran that nobody trusts. Each is made anew; nothing is replaced.
func unpackDirectory(dir string, r io.Reader) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for in := tar.NewReader(r); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			_, err = io.Copy(io.Discard, r) // what stands behind, and whether the end did come
			return err
		}
		if err != nil {
			return err
		}
		if err := unpackEntry(root, h, in); err != nil {
			return err
		}
	}
}

func unpackEntry(root *os.Root, h *tar.Header, r io.Reader) error {
	name := filepath.FromSlash(strings.TrimSuffix(h.Name, "/"))
	if !filepath.IsLocal(name) {
		return fmt.Errorf("the archive has an entry %.200q, which does not lie below the directory", h.Name)
	}
	switch h.Typeflag {
	case tar.TypeDir:
		return root.MkdirAll(name, 0o777)
	case tar.TypeReg:
	default:
		return fmt.Errorf("the archive has an entry %.200q that is neither a file nor a directory", h.Name)
	}
	if err := root.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		return err
	}
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666|fs.FileMode(h.Mode&0o111))
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	if err = errors.Join(err, f.Close()); err == nil {
		err = root.Chtimes(name, time.Time{}, h.ModTime)
	}
	return err
}

// packDirectory writes the files and directories below root as a tar, each below dir. leftOut hears of all else.
func packDirectory(w io.Writer, root *os.Root, dir string, leftOut func(name string, mode fs.FileMode)) error {
	out := tar.NewWriter(w)
	err := fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !d.IsDir() && !d.Type().IsRegular() {
			leftOut(name, d.Type())
			return nil
		}
		as := path.Join(dir, name)
		if d.IsDir() {
			as += "/"
		}
		return packEntry(out, root, name, as)
	})
	if err != nil {
		return err
	}
	return out.Close()
}

func packEntry(out *tar.Writer, root *os.Root, name, as string) error {
	f, err := root.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	h, err := tar.FileInfoHeader(info, "")
	if err != nil {
		return err
	}
	h.Name, h.Uid, h.Gid, h.Uname, h.Gname = as, 0, 0, "", "" // whose it is here means nothing there
	if err := out.WriteHeader(h); err != nil || info.IsDir() {
		return err
	}
	if _, err := io.Copy(out, io.LimitReader(f, info.Size())); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// unending reads r, whose reads may wait for somebody for ever, so that it can be closed meanwhile.
func unending(r io.Reader) io.ReadCloser {
	out, in := io.Pipe()
	go func() { // which waits when nobody reads any more; so will this program not
		_, err := io.Copy(in, r)
		in.CloseWithError(err)
	}()
	return out
}

// transfer runs do until a signal asks for its end, which the exit status tells then. A second signal ends the process at once.
func transfer(ctx context.Context, do func(ctx context.Context) error) error {
	ctx, stop := untilSignal(ctx, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	err := do(ctx)
	if by := (signalled{}); errors.As(err, &by) {
		return exitStatus(128 + int(by.Signal.(syscall.Signal)))
	}
	return err
}
