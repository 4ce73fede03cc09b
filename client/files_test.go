package client_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/gjyotin305/fastpyrepl/client"
)

func TestFiles_OfARealSession(t *testing.T) {
	c := connect(t, daemonURL)
	ctx := t.Context()
	if _, err := c.CreateSession(ctx, client.SessionRequest{ID: "files"}); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.DeleteSession(context.WithoutCancel(ctx), "files") }()
	const name = "ä %2F+?#/b..c/.d"
	content := strings.Repeat("\x00ab", 1<<18)
	for i, size := range []int64{int64(len(content)), -1, 0} {
		f, err := c.PutFile(ctx, "files", name, strings.NewReader(content), size)
		if err != nil || *f.Path != name || f.Type != client.TypeFile || f.ETag == "" || f.Size != []int64{786432, 786432, 0}[i] {
			t.Fatalf("size %d: %+v, %v", size, f, err)
		}
		r, err := c.GetFile(ctx, "files", name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if err != nil || r.Size != f.Size || r.ETag != f.ETag || string(got) != content[:f.Size] {
			t.Errorf("size %d: read %d bytes of %d, %v", size, len(got), r.Size, err)
		}
		r.Close()
	}
	if _, err := c.PutFile(ctx, "files", "short", strings.NewReader("ab"), 3); err == nil || !strings.Contains(err.Error(), "it has 2 bytes, not 3") {
		t.Errorf("less than was said: %v", err)
	}
	broken := errors.New("broken")
	if _, err := c.PutFile(ctx, "files", "short", io.MultiReader(strings.NewReader("ab"), failing{broken}), -1); !errors.Is(err, broken) {
		t.Errorf("what cannot be read: %v", err)
	}
	if _, err := c.GetFile(ctx, "files", "ä %2F+?#"); !errors.Is(err, client.ErrDirectory) {
		t.Errorf("a directory: %v", err)
	}
	for path, status := range map[string]int{"short": 404, "../up": 422, "./x": 422, "a//b": 422, "/a": 422} {
		if _, err := c.GetFile(ctx, "files", path); client.Status(err) != status {
			t.Errorf("%q: %v", path, err)
		}
	}

	var names []string
	for o := (client.ListOptions{Recursive: true, Limit: 2}); ; {
		list, err := c.ListFiles(ctx, "files", "", o)
		if err != nil || len(list.Entries) > 2 || len(list.Raw) == 0 {
			t.Fatalf("%+v, %v", list, err)
		}
		for _, f := range list.Entries {
			names = append(names, *f.Path)
		}
		if o.After = list.Next; !list.Truncated {
			break
		}
	}
	if want := []string{"ä %2F+?#", "ä %2F+?#/b..c", name}; !slices.Equal(names, want) {
		t.Errorf("listed are %q, want %q", names, want)
	}

	r, err := c.Execute(ctx, client.ExecuteRequest{Code: "import shutil; open('new', 'w').close(); shutil.rmtree('ä %2F+?#')", SessionID: "files"})
	if err != nil || r.Files == nil || !slices.Equal(r.Files.Created, []string{"new"}) || !slices.Equal(r.Files.Deleted, []string{name}) || len(r.Files.Modified) > 0 || r.Files.Truncated {
		t.Errorf("the code changed %+v, %v", r, err)
	}
	if err := c.DeleteFile(ctx, "files", "new", false); err != nil {
		t.Error(err)
	}
	if list, err := c.ListFiles(ctx, "files", "", client.ListOptions{}); err != nil || len(list.Entries) > 0 {
		t.Errorf("left are %+v, %v", list, err)
	}
}

func TestTars_OfARealSession(t *testing.T) {
	c := connect(t, daemonURL)
	ctx := t.Context()
	if _, err := c.CreateSession(ctx, client.SessionRequest{ID: "tars"}); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.DeleteSession(context.WithoutCancel(ctx), "tars") }()
	archive := func(headers ...tar.Header) io.Reader {
		var text bytes.Buffer
		w := tar.NewWriter(&text)
		for _, h := range headers {
			if err := w.WriteHeader(&h); err != nil {
				t.Fatal(err)
			}
		}
		w.Close()
		return &text
	}
	file, dir := tar.Header{Name: "e/one", Typeflag: tar.TypeReg, Mode: 0o644}, tar.Header{Name: "e/", Typeflag: tar.TypeDir, Mode: 0o755}
	written, err := c.PutTar(ctx, "tars", "d", archive(dir, file))
	if err != nil || len(written) != 2 || *written[1].Path != "d/e/one" {
		t.Fatalf("%+v, %v", written, err)
	}
	_, err = c.PutTar(ctx, "tars", "", archive(file, tar.Header{Name: "link", Linkname: "x", Typeflag: tar.TypeSymlink}))
	var p *client.Problem
	if !errors.As(err, &p) || p.Status != 422 || !slices.Equal(p.Written, []string{"e/one"}) {
		t.Errorf("a link: %+v, %v", p, err)
	}
	r, err := c.GetTar(ctx, "tars", "d")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var names []string
	for in := tar.NewReader(r); ; {
		h, err := in.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
	}
	if want := []string{"e/", "e/one"}; !slices.Equal(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
}

// failing cannot be read.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// endless is read for as long as it is not closed.
type endless struct {
	*io.PipeReader
	reads chan struct{}
}

func (e endless) Read(p []byte) (int, error) {
	close(e.reads)
	return e.PipeReader.Read(p)
}

func TestPutFile_EndsWithItsContext(t *testing.T) {
	c := connect(t, daemonURL)
	if _, err := c.CreateSession(t.Context(), client.SessionRequest{ID: "endless"}); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.DeleteSession(context.WithoutCancel(t.Context()), "endless") }()
	gaveUp := errors.New("gave up")
	ctx, cancel := context.WithCancelCause(t.Context())
	out, in := io.Pipe()
	defer in.Close()
	r := endless{out, make(chan struct{})}
	go func() {
		<-r.reads
		cancel(gaveUp)
	}()
	if _, err := c.PutFile(ctx, "endless", "x", r, -1); !errors.Is(err, gaveUp) {
		t.Errorf("got %v", err)
	}
}

// What cannot be said in a path of a URL is not left to whoever passes it on.
func TestFiles_PathsAreEscaped(t *testing.T) {
	var asked string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { asked = r.RequestURI; w.WriteHeader(404) }))
	defer s.Close()
	c := connect(t, s.URL+"/base%2Fof", client.WithRetries(0))
	for path, want := range map[string]string{"a/../b": "/a/%2E%2E/b", "./é?": "/%2E/%C3%A9%3F", "%2e": "/%252e", "": ""} {
		if _, err := c.GetFile(t.Context(), "s", path); client.Status(err) != 404 || asked != "/base%2Fof/v1/sessions/s/files"+want {
			t.Errorf("%q: asked for %s, %v", path, asked, err)
		}
	}
}
