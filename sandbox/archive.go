package sandbox

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"
)

// archivePage is how many entries of a directory are held at a time while it is archived.
const archivePage = 500

// Archive writes a directory to w as a tar: its regular files and directories, with paths relative to it. Links and what else is
// there are left out, and so is what vanishes meanwhile, or is too deep for a path. Whatever the container says, the paths lie below the directory. On
// error the archive has no end.
func (f *Files) Archive(ctx context.Context, dir string, w io.Writer) error {
	out := tar.NewWriter(w)
	for after := ""; ; {
		list, err := f.List(ctx, dir, ListOptions{Recursive: true, After: after, Limit: archivePage})
		if err != nil {
			return err
		}
		for _, e := range list.Entries {
			if err := f.archive(ctx, dir, e, out); err != nil {
				return err
			}
		}
		if after = list.Next; after == "" {
			return out.Close()
		}
	}
}

func (f *Files) archive(ctx context.Context, dir string, e FileInfo, out *tar.Writer) error {
	name := path.Join(dir, e.Path)
	if e.Odd || e.Type != TypeFile && e.Type != TypeDirectory || CheckFilePath(name) != nil { // so deep that it cannot be asked for
		return nil
	}
	if e.Type == TypeDirectory {
		return out.WriteHeader(tarHeader(e, e.Path+"/", tar.TypeDir))
	}
	r, err := f.Open(ctx, name, nil)
	if code := ErrorCode(err); code == CodeNotFound || code == CodeConflict && !f.over() {
		return nil // it has vanished, is something else by now, or may not be read
	}
	if err != nil {
		return err
	}
	defer r.Close()
	if err := out.WriteHeader(tarHeader(r.Info, e.Path, tar.TypeReg)); err != nil {
		return err
	}
	if _, err := io.Copy(out, r); err != nil {
		return err
	}
	return nil
}

// over tells whether the session has ended.
func (f *Files) over() bool { return f.s.isOver() }

func tarHeader(info FileInfo, name string, kind byte) *tar.Header {
	h := &tar.Header{Typeflag: kind, Name: name, Mode: int64(info.Mode & 0o777), ModTime: info.ModTime.Truncate(time.Second)}
	if kind == tar.TypeReg {
		h.Size = info.Size
	}
	return h
}

// What one archive, or one request, may bring.
const (
	MaxUnpacked      = 10_000  // files and directories
	MaxUnpackedPaths = 2 << 20 // bytes of their paths together: they are kept until all has been made
)

// Unpacked are the files and directories that an archive, or a request, has made. It is bounded.
type Unpacked struct {
	Written []Written
	paths   int // bytes
}

// Room is CodeTooLarge when there may be no more, of this path. It is asked before something is made.
func (u *Unpacked) Room(path string) error {
	if len(u.Written) == MaxUnpacked {
		return Errorf(CodeTooLarge, "more than %d files and directories at once", MaxUnpacked)
	}
	if u.paths += len(path); u.paths > MaxUnpackedPaths {
		return Errorf(CodeTooLarge, "the paths of the files and directories are longer than %d bytes together", MaxUnpackedPaths)
	}
	return nil
}

// Written is a file, or a directory, that was made.
type Written struct {
	FileInfo
	Created bool // nothing was there before
}

// Unpack makes the files and directories of a tar below dir. Only those: a link, a device and a path that is no path of a file
// below dir are CodeInvalid; more than Unpacked takes, or files that are larger together than one may be, CodeTooLarge. Each
// file appears whole. What was made is returned also on error. A failure of r is returned as it is.
func (f *Files) Unpack(ctx context.Context, dir string, r io.Reader) ([]Written, error) {
	var made Unpacked
	source, left := &sticky{r: r}, f.cfg.MaxUpload
	for in := tar.NewReader(source); ; {
		h, err := in.Next()
		switch {
		case err == io.EOF:
			return made.Written, nil
		case source.err != nil:
			return made.Written, source.err
		case err != nil:
			return made.Written, &Error{Code: CodeInvalid, Message: "the archive is no proper tar, or ends early", Err: err}
		}
		if left -= h.Size; left < 0 { // a sparse file is larger than its part of the archive
			return made.Written, Errorf(CodeTooLarge, "the files of the archive are larger than %d bytes together", f.cfg.MaxUpload)
		}
		if err := made.Room(dir + "/" + h.Name); err != nil {
			return made.Written, err
		}
		w, err := f.unpack(ctx, dir, h, in)
		if errors.Is(err, io.ErrUnexpectedEOF) && source.err == nil {
			err = &Error{Code: CodeInvalid, Message: "the archive ends early", Err: err}
		}
		if err != nil {
			return made.Written, err
		}
		if w != nil {
			made.Written = append(made.Written, *w)
		}
	}
}

// unpack makes what one entry of an archive says; nil for what says nothing.
func (f *Files) unpack(ctx context.Context, dir string, h *tar.Header, r io.Reader) (*Written, error) {
	name := strings.TrimSuffix(strings.TrimPrefix(h.Name, "./"), "/")
	if h.Typeflag == tar.TypeXGlobalHeader || h.Typeflag == tar.TypeDir && (name == "" || name == ".") {
		return nil, nil
	}
	full := dir
	if dir != "" {
		full += "/"
	}
	full += name
	if err := CheckFilePath(full); err != nil || name == "" {
		return nil, Errorf(CodeInvalid, "entry %.200q of the archive: its path does not lie below the directory, or is too long", h.Name)
	}
	w := &Written{}
	var err error
	switch h.Typeflag {
	case tar.TypeDir:
		w.FileInfo, w.Created, err = f.MakeDir(ctx, full)
	case tar.TypeReg, tar.TypeGNUSparse:
		mode := uint32(0o644)
		if h.Mode&0o111 != 0 {
			mode = 0o755
		}
		o := WriteOptions{Size: &h.Size, Mode: &mode}
		if !h.ModTime.IsZero() && h.ModTime.Unix() > 0 && h.ModTime.Year() < 2200 {
			o.ModTime = &h.ModTime
		}
		w.FileInfo, w.Created, err = f.Write(ctx, full, r, o)
	default:
		err = Errorf(CodeInvalid, "entry %.200q of the archive is a %s: regular files and directories alone are unpacked", h.Name, kindOf(h))
	}
	if e := (*Error)(nil); errors.As(err, &e) && e.Code != CodeInvalid {
		named := *e
		named.Message = fmt.Sprintf("%.200q: %s", full, e.Message)
		err = &named
	}
	return w, err
}

func kindOf(h *tar.Header) string {
	switch mode := h.FileInfo().Mode(); {
	case h.Typeflag == tar.TypeLink:
		return "hard link"
	case mode&fs.ModeSymlink != 0:
		return "link"
	case mode&fs.ModeDevice != 0:
		return "device"
	case mode&fs.ModeNamedPipe != 0:
		return "pipe"
	}
	return fmt.Sprintf("thing of type %q", h.Typeflag)
}

// sticky remembers the first failure of a reader, which what reads from it may hide.
type sticky struct {
	r   io.Reader
	err error
}

func (s *sticky) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}
