package rest_test

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/textproto"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gjyotin305/fastpyrepl/daemon/rest"
	"github.com/gjyotin305/fastpyrepl/sandbox/sandboxtest"
	"github.com/gjyotin305/fastpyrepl/sandbox/wire"
	"github.com/go-json-experiment/json"
)

const filesPath = "/v1/sessions/s/files"

// serveFiles starts a daemon with one session, s.
func serveFiles(t *testing.T, play func(*sandboxtest.FileCall)) *api {
	t.Helper()
	rt := &sandboxtest.Runtime{PlayFile: play}
	a := serveOn(t, rt, nil)
	a.execute(t, `{"code":"x","session_id":"s"}`)
	return a
}

// put writes a file that must not be refused, and returns its ETag.
func (a *api) put(t testing.TB, path, data string) string {
	t.Helper()
	resp := a.do(t, t.Context(), "PUT", filesPath+"/"+path, data)
	if text, _ := io.ReadAll(resp.Body); resp.StatusCode != 200 && resp.StatusCode != 201 {
		t.Fatalf("put %s: %d %s", path, resp.StatusCode, text)
	}
	return resp.Header.Get("ETag")
}

func TestFiles_APutIsWhatAGetGives(t *testing.T) {
	a := serveFiles(t, nil)
	large := strings.Repeat("0123456789abcdef", 1<<17)
	for _, tc := range []struct{ path, name, data, kind string }{
		{"a.txt", "a.txt", "hello", "text/plain; charset=utf-8"},
		{"d/b%20c/%C3%BC%3F.html", "ü?.html", "<script>", "text/html; charset=utf-8"},
		{"large.bin", "large.bin", large, "application/octet-stream"},
		{"empty", "empty", "", "application/octet-stream"},
		{"a+b%2Bc&d=e;f%25", "a+b+c&d=e;f%", "x", "application/octet-stream"},
		{"%0A%1b%5B0m%22%5C", "\n\x1b[0m\"\\", "x", "application/octet-stream"},
	} {
		resp := a.do(t, t.Context(), "PUT", filesPath+"/"+tc.path, tc.data, "Content-Type", "a/b")
		var e rest.FileEntry
		text, _ := io.ReadAll(resp.Body)
		if err := json.Unmarshal(text, &e); err != nil || resp.StatusCode != 201 || e.Name != tc.name || e.Size != int64(len(tc.data)) || e.ETag != resp.Header.Get("ETag") || e.Mode != "0644" {
			t.Errorf("put %s: %d %s", tc.path, resp.StatusCode, text)
		}
		for _, method := range []string{"GET", "HEAD"} {
			resp := a.do(t, t.Context(), method, filesPath+"/"+tc.path, "")
			data, err := io.ReadAll(resp.Body)
			want := tc.data
			if method == "HEAD" {
				want = ""
			}
			h := resp.Header
			if err != nil || resp.StatusCode != 200 || string(data) != want || resp.ContentLength != int64(len(tc.data)) {
				t.Errorf("%s %s: %d, %d bytes of %d, %v", method, tc.path, resp.StatusCode, len(data), resp.ContentLength, err)
			}
			if h.Get("ETag") != e.ETag || h.Get("Content-Type") != tc.kind || h.Get("Accept-Ranges") != "bytes" || h.Get("Last-Modified") == "" {
				t.Errorf("%s %s: headers %v", method, tc.path, h)
			}
			// No browser may show it as a page of the daemon's.
			if h.Get("X-Content-Type-Options") != "nosniff" || !strings.HasPrefix(h.Get("Content-Disposition"), "attachment; filename*=UTF-8''") ||
				!strings.Contains(h.Get("Content-Security-Policy"), "sandbox") || !strings.Contains(h.Get("Content-Security-Policy"), "default-src 'none'") ||
				h.Get("Cache-Control") != "no-store" || h.Get("Cross-Origin-Resource-Policy") != "same-origin" {
				t.Errorf("%s %s: a page could do something: %v", method, tc.path, h)
			}
		}
		if status, _ := a.ask(t, "PUT", filesPath+"/"+tc.path, tc.data); status != 200 {
			t.Errorf("put %s again: %d, want 200", tc.path, status)
		}
	}
}

// Escapes are undone once, in each name; nothing is resolved, neither here nor on the way.
func TestFiles_PathsAreTakenAsTheyAre(t *testing.T) {
	a := serveFiles(t, func(c *sandboxtest.FileCall) {
		t.Errorf("%q came through", c.Message.Path)
		c.Fail(wire.FileNotFound, "")
	})
	for _, path := range []string{
		"/..", "/../x", "/a/../b", "/a/%2e%2e/b", "/%2e%2e/%2e%2e/etc/passwd", "/.", "/a/./b", "/%2E", "//", "//a", "/a//b", "/%2F", "/a%2Fb", "/a%2fb", "/..%2fx",
		"/a%5c..%2f..%2fb", "/%00", "/a%00.txt", "/%FF", "/a/%C3", "/%zz", "/%", "/%2", "/a%", "/.fastpyrepl", "/.fastpyrepl/x", "/.fastpyrep%6c/x",
		"/" + strings.Repeat("n", 256), "/" + strings.Repeat("%C3%BC", 128), "/" + strings.Repeat("a/", 2048) + "a", "/%ED%A0%80",
	} {
		for _, method := range []string{"GET", "HEAD", "PUT", "DELETE"} {
			status, text := a.raw(t, method, filesPath+path)
			if status != 422 || method != "HEAD" && !strings.Contains(text, `"loc":["path","path"]`) {
				t.Errorf("%s %.60q: %d %s", method, path, status, text)
			}
		}
	}
	for _, path := range []string{filesPath + "/../../other/files/x", filesPath + "/%2e%2e/%2e%2e/other/files/x"} {
		if status, text := a.raw(t, "PUT", path); status != 422 {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
	for _, request := range []string{"PUT /d/", "PUT /", "PUT ", "DELETE /", "DELETE "} {
		method, path, _ := strings.Cut(request, " ")
		if status, text := a.raw(t, method, filesPath+path); status != 422 {
			t.Errorf("%s: %d %s", request, status, text)
		}
	}
}

// raw sends a request whose path no client library has had its hands on.
func (a *api) raw(t testing.TB, method, path string) (int, string) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(a.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", method, path); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func TestFiles_ConditionsAndRanges(t *testing.T) {
	a := serveFiles(t, nil)
	old := a.put(t, "f", "0123456789")
	tag := a.put(t, "f", "0123456789")
	a.put(t, "empty", "")
	for _, tc := range []struct {
		what    string
		path    string
		headers []string
		status  int
		body    string
		ranged  string // Content-Range
	}{
		{"all", "/f", nil, 200, "0123456789", ""},
		{"a part", "/f", []string{"Range", "bytes=2-4"}, 206, "234", "bytes 2-4/10"},
		{"the end", "/f", []string{"Range", "bytes=7-"}, 206, "789", "bytes 7-9/10"},
		{"the last", "/f", []string{"Range", "bytes=-3"}, 206, "789", "bytes 7-9/10"},
		{"beyond the end", "/f", []string{"Range", "bytes=8-100"}, 206, "89", "bytes 8-9/10"},
		{"all of it as a part", "/f", []string{"Range", "bytes=0-9"}, 200, "0123456789", ""},
		{"nothing of it", "/f", []string{"Range", "bytes=10-"}, 416, "", "bytes */10"},
		{"of what is empty", "/empty", []string{"Range", "bytes=0-"}, 416, "", "bytes */0"},
		{"several parts", "/f", []string{"Range", "bytes=0-1,3-4"}, 200, "0123456789", ""},
		{"backwards", "/f", []string{"Range", "bytes=4-2"}, 200, "0123456789", ""},
		{"of other units", "/f", []string{"Range", "lines=1-2"}, 200, "0123456789", ""},
		{"of no number", "/f", []string{"Range", "bytes=a-b"}, 200, "0123456789", ""},
		{"of a negative one", "/f", []string{"Range", "bytes=--1"}, 200, "0123456789", ""},
		{"of a number too large", "/f", []string{"Range", "bytes=99999999999999999999-"}, 200, "0123456789", ""},
		{"of nothing", "/f", []string{"Range", "bytes=-"}, 200, "0123456789", ""},
		{"a part of what the client has", "/f", []string{"Range", "bytes=2-4", "If-Range", tag}, 206, "234", "bytes 2-4/10"},
		{"a part of another file", "/f", []string{"Range", "bytes=2-4", "If-Range", old}, 200, "0123456789", ""},
		{"beyond the end of another file", "/f", []string{"Range", "bytes=10-", "If-Range", old}, 200, "0123456789", ""},
		{"beyond the end of this one", "/f", []string{"Range", "bytes=10-", "If-Range", tag}, 416, "", "bytes */10"},
		{"beyond the end of what the client has", "/f", []string{"Range", "bytes=10-", "If-None-Match", tag}, 304, "", ""},
		{"beyond the end, only of another one", "/f", []string{"Range", "bytes=10-", "If-Match", old}, 412, "", ""},
		{"what the client has", "/f", []string{"If-None-Match", tag}, 304, "", ""},
		{"what it has, made weak", "/f", []string{"If-None-Match", `"x", W/` + tag}, 304, "", ""},
		{"any", "/f", []string{"If-None-Match", "*"}, 304, "", ""},
		{"what it has not", "/f", []string{"If-None-Match", old}, 200, "0123456789", ""},
		{"only that one", "/f", []string{"If-Match", tag}, 200, "0123456789", ""},
		{"only another one", "/f", []string{"If-Match", old}, 412, "", ""},
		{"only a weak one", "/f", []string{"If-Match", "W/" + tag}, 412, "", ""},
		{"nothing", "/none", []string{"If-None-Match", "*"}, 404, "", ""},
	} {
		resp := a.do(t, t.Context(), "GET", filesPath+tc.path, "", tc.headers...)
		data, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != tc.status || tc.status < 300 && string(data) != tc.body || resp.Header.Get("Content-Range") != tc.ranged {
			t.Errorf("%s: %d %q %q, %v; want %d %q %q", tc.what, resp.StatusCode, data, resp.Header.Get("Content-Range"), err, tc.status, tc.body, tc.ranged)
		}
		if tc.status < 400 && resp.Header.Get("ETag") == "" {
			t.Errorf("%s: no ETag", tc.what)
		}
		if tc.status >= 400 && (resp.Header.Get("Content-Disposition") != "" || resp.Header.Get("Accept-Ranges") != "") {
			t.Errorf("%s: the error has headers of a file: %v", tc.what, resp.Header)
		}
		if tc.status == 304 && len(data) > 0 {
			t.Errorf("%s: has a body", tc.what)
		}
	}
	for _, tc := range []struct {
		method, path, header, value string
		status                      int
	}{
		{"PUT", "/f", "If-Match", old, 412},
		{"PUT", "/new", "If-Match", "*", 412},
		{"PUT", "/f", "If-None-Match", "*", 412},
		{"PUT", "/f", "If-None-Match", tag, 422},
		{"PUT", "/f", "Content-Range", "bytes 0-1/10", 400},
		{"DELETE", "/f", "If-Match", old, 412},
		{"DELETE", "/f", "If-Match", "W/" + tag, 412},
		{"DELETE", "/f", "If-Match", "", 412},
		{"DELETE", "/f/", "If-Match", tag, 409},
		{"PUT", "/f", "If-Match", `"x", ` + tag, 200},
		{"PUT", "/new", "If-None-Match", "*", 201},
		{"DELETE", "/new", "If-Match", "*", 204},
		{"DELETE", "/new", "If-Match", "*", 404},
	} {
		if status, text := a.ask(t, tc.method, filesPath+tc.path, "abc", tc.header, tc.value); status != tc.status {
			t.Errorf("%s %s, %s %s: %d %s, want %d", tc.method, tc.path, tc.header, tc.value, status, text, tc.status)
		}
	}
}

func TestFiles_Listings(t *testing.T) {
	a := serveFiles(t, nil)
	for _, path := range []string{"a", "d/b", "d/e/c", "z"} {
		a.put(t, path, "x")
	}
	list := func(query string) rest.FileListing {
		t.Helper()
		var l rest.FileListing
		status, text := a.ask(t, "GET", filesPath+query, "")
		if err := json.Unmarshal([]byte(text), &l); err != nil || status != 200 {
			t.Fatalf("%s: %d %s", query, status, text)
		}
		return l
	}
	for query, want := range map[string]string{
		"": "a d z", "/": "a d z", "?recursive=true": "a d d/b d/e d/e/c z", "/d": "d/b d/e", "/d/?recursive=true": "d/b d/e d/e/c", "/d/e": "d/e/c",
		"?limit=0": "a d z", "?limit=1000": "a d z",
	} {
		l := list(query)
		var got []string
		for _, e := range l.Entries {
			got = append(got, *e.Path)
			if !strings.HasSuffix(*e.Path, e.Name) || strings.Contains(e.Name, "/") || (e.ETag != "") != (e.Type == "file") {
				t.Errorf("%s: %+v", query, e)
			}
		}
		if strings.Join(got, " ") != want || l.Truncated || l.Next != "" {
			t.Errorf("%s: %q, %+v, want %s", query, got, l, want)
		}
	}
	var all []string
	for next := ""; ; {
		l := list("?recursive=true&limit=2&after=" + next)
		for _, e := range l.Entries {
			all = append(all, *e.Path)
		}
		if next = l.Next; (next != "") != l.Truncated || len(l.Entries) > 2 {
			t.Fatalf("got %+v", l)
		}
		if next == "" {
			break
		}
	}
	if want := []string{"a", "d", "d/b", "d/e", "d/e/c", "z"}; !slices.Equal(all, want) {
		t.Errorf("in parts: %q", all)
	}
	for i := range maxTestList + 5 {
		a.put(t, fmt.Sprintf("many/%02d", i), "")
	}
	for _, query := range []string{"/many", "/many?limit=999"} {
		if l := list(query); len(l.Entries) != maxTestList || !l.Truncated {
			t.Errorf("%s: %d entries, %v", query, len(l.Entries), l.Truncated)
		}
	}
	for query, want := range map[string]int{
		"?recursive=1": 422, "?limit=x": 422, "?limit=-1": 422, "?after=../x": 422, "?format=zip": 422, "/a/": 409, "/none/": 404, "/a/?format=tar": 409, "/a?format=tar": 409,
	} {
		if status, text := a.ask(t, "GET", filesPath+query, ""); status != want {
			t.Errorf("%s: %d %s, want %d", query, status, text, want)
		}
	}
	for path, want := range map[string]int{"/d": 200, "/d/": 200, "/": 200, "/a/": 409, "/none": 404} {
		if status, _ := a.ask(t, "HEAD", filesPath+path, ""); status != want {
			t.Errorf("HEAD %s: %d, want %d", path, status, want)
		}
	}
}

// Names that are not UTF-8 are told of, and can be asked for by nobody.
func TestFiles_OddNames(t *testing.T) {
	a := serveFiles(t, func(c *sandboxtest.FileCall) {
		c.Bytes([]byte(`{"type":"file","size":1,"mtime":1,"mode":420,"tag":"t","path":"d/` + "\ufffd" + `","odd":true}` + "\n"))
		c.Done(wire.FileDoneMessage{File: &wire.File{Type: "directory", Tag: "t"}})
	})
	status, text := a.ask(t, "GET", filesPath, "")
	if want := `{"path":"","entries":[{"name":"` + "\ufffd" + `","path":null,"type":"file",`; status != 200 || !strings.HasPrefix(text, want) {
		t.Errorf("got %d %s", status, text)
	}
}

func TestFiles_AreRemoved(t *testing.T) {
	a := serveFiles(t, nil)
	a.put(t, "d/e/f", "x")
	for _, tc := range []struct {
		path string
		want int
	}{{"/d", 409}, {"/d?recursive=false", 409}, {"/d?recursive=x", 422}, {"/d/e/f", 204}, {"/d/e/f", 404}, {"/d?recursive=true", 204}, {"/d", 404}} {
		if status, text := a.ask(t, "DELETE", filesPath+tc.path, ""); status != tc.want {
			t.Errorf("%s: %d %s, want %d", tc.path, status, text, tc.want)
		}
	}
}

// form makes a multipart body.
func form(t *testing.T, files ...[2]string) (body, kind string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, f := range files {
		part, err := w.CreatePart(textproto.MIMEHeader{"Content-Disposition": {`form-data; name="f"; filename="` + f[0] + `"`}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(part, f[1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String(), w.FormDataContentType()
}

func TestFiles_SeveralAtOnceByAForm(t *testing.T) {
	a := serveFiles(t, nil)
	large := strings.Repeat("y", 1<<20)
	body, kind := form(t, [2]string{"a.txt", "1"}, [2]string{"d/ü b", large}, [2]string{"empty", ""}, [2]string{"a.txt", "2"})
	status, text := a.ask(t, "POST", filesPath+"?path=base/of", body, "Content-Type", kind)
	var w rest.FilesWritten
	if err := json.Unmarshal([]byte(text), &w); err != nil || status != 200 || len(w.Written) != 4 || *w.Written[1].Path != "base/of/d/ü b" || w.Written[1].Size != 1<<20 ||
		!w.Written[0].Created || w.Written[3].Created {
		t.Fatalf("got %d %s", status, text)
	}
	for path, want := range map[string]string{"a.txt": "2", "d/%C3%BC%20b": large, "empty": ""} {
		if status, got := a.ask(t, "GET", filesPath+"/base/of/"+path, ""); status != 200 || got != want {
			t.Errorf("%s: %d, %d bytes", path, status, len(got))
		}
	}
	if status, text := a.ask(t, "POST", filesPath+"/", body, "Content-Type", kind); status != 415 { // no route
		t.Errorf("with a slash: %d %s", status, text)
	}
	good := "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"first\"\r\n\r\nx\r\n"
	for name, tc := range map[string]struct {
		body   string
		query  string
		kind   string
		status int
		says   string
	}{
		"no filename":         {good + "--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\nx\r\n--b--\r\n", "", "", 422, `part \"x\" has no filename`},
		"no disposition":      {good + "--b\r\n\r\nx\r\n--b--\r\n", "", "", 422, "has no filename"},
		"a name that climbs":  {good + "--b\r\nContent-Disposition: form-data; filename=\"../x\"\r\n\r\nx\r\n--b--\r\n", "", "", 422, `component that is \"..\"`},
		"a name of the root":  {good + "--b\r\nContent-Disposition: form-data; filename=\"/etc/x\"\r\n\r\nx\r\n--b--\r\n", "", "", 422, "empty component"},
		"no end":              {good + "--b\r\nContent-Disposition: form-data; filename=\"x\"\r\n\r\nx", "", "", 422, "ends before its last part"},
		"no end of headers":   {good + "--b\r\nContent-Disposition: form-data; filename=\"x\"", "", "", 422, "ends early"},
		"headers without end": {good + "--b\r\nX: " + strings.Repeat("x", 40<<10) + "\r\n\r\nx\r\n--b--\r\n", "", "", 422, "stand before the data"},
		"too large":           {good + "--b\r\nContent-Disposition: form-data; filename=\"x\"\r\n\r\n" + strings.Repeat("x", 4<<20) + "\r\n--b--\r\n", "", "", 413, "larger than"},
		"a path that climbs":  {good + "--b--\r\n", "?path=../x", "", 422, `"loc":["query","path"]`},
		"no boundary":         {good + "--b--\r\n", "", "multipart/form-data", 415, "boundary"},
		"no form":             {"{}", "", "application/json", 415, "multipart/form-data or application/x-tar"},
	} {
		kind := tc.kind
		if kind == "" {
			kind = "multipart/form-data; boundary=b"
		}
		status, text := a.ask(t, "POST", filesPath+tc.query, tc.body, "Content-Type", kind)
		if status != tc.status || !strings.Contains(text, tc.says) {
			t.Errorf("%s: %d %.300s, want %d %s", name, status, text, tc.status, tc.says)
		}
		if partly := tc.query == "" && tc.kind == "" && name != "too large"; strings.Contains(text, `"written":["first"]`) != partly {
			t.Errorf("%s: what was written is told wrongly: %s", name, text)
		}
	}
	if status, text := a.ask(t, "GET", filesPath+"/x", ""); status != 404 {
		t.Errorf("half a file is there: %d %.100s", status, text)
	}
}

func TestFiles_TarsGoInAndOut(t *testing.T) {
	a := serveFiles(t, nil)
	var in bytes.Buffer
	w := tar.NewWriter(&in)
	for _, h := range []tar.Header{{Name: "d/", Typeflag: tar.TypeDir}, {Name: "d/a b", Typeflag: tar.TypeReg, Size: 300_000}, {Name: "ü", Typeflag: tar.TypeReg, Size: 3}} {
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(bytes.Repeat([]byte("x"), int(h.Size))); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	padded := in.String() + strings.Repeat("\x00", 100_000) // as tar pads
	if status, text := a.ask(t, "POST", filesPath+"?path=in/", padded, "Content-Type", "application/x-tar"); status != 200 || strings.Count(text, `"created":true`) != 3 {
		t.Fatalf("got %d %s", status, text)
	}
	for query, accept := range map[string]string{"/in?format=tar": "", "/in": "application/x-tar", "/in/": "application/x-tar"} {
		resp := a.do(t, t.Context(), "GET", filesPath+query, "", "Accept", accept)
		if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "application/x-tar" || resp.Header.Get("Content-Disposition") != "attachment; filename*=UTF-8''in.tar" {
			t.Errorf("%s: %d %v", query, resp.StatusCode, resp.Header)
		}
		var names []string
		for r := tar.NewReader(resp.Body); ; {
			h, err := r.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, h.Name)
		}
		if want := []string{"d/", "d/a b", "ü"}; !slices.Equal(names, want) {
			t.Errorf("%s: %q", query, names)
		}
	}
	in.Reset()
	w = tar.NewWriter(&in)
	for _, h := range []tar.Header{{Name: "first", Typeflag: tar.TypeReg}, {Name: "l", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}} {
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	status, text := a.ask(t, "POST", filesPath, in.String(), "Content-Type", "application/x-tar")
	if status != 422 || !strings.Contains(text, "is a link") || !strings.Contains(text, `"written":["first"]`) {
		t.Errorf("a link: %d %s", status, text)
	}
}

// What breaks off in the session breaks off at the client: it never looks whole.
func TestFiles_ADownloadThatFailsIsCutOff(t *testing.T) {
	a := serveFiles(t, func(c *sandboxtest.FileCall) {
		switch c.Message.Op {
		case wire.FileStat:
			c.Done(wire.FileDoneMessage{File: &wire.File{Type: "directory", Tag: "t"}})
		case wire.FileList:
			c.Bytes([]byte(`{"type":"file","size":300000,"mtime":1,"mode":420,"tag":"t","path":"f"}` + "\n"))
			c.Done(wire.FileDoneMessage{File: &wire.File{Type: "directory", Tag: "t"}})
		default:
			c.Send(wire.FileInfo, wire.Marshal(wire.FileInfoMessage{File: wire.File{Type: "file", Size: 300_000, Tag: "t"}, Length: 300_000}))
			c.Bytes(make([]byte, 100_000))
			c.Fail(wire.FileAborted, "the file became shorter while it was read")
		}
	})
	for query, length := range map[string]int64{"/f": 300_000, "?format=tar": -1} {
		resp := a.do(t, t.Context(), "GET", filesPath+query, "")
		n, err := io.Copy(io.Discard, resp.Body)
		if resp.StatusCode != 200 || resp.ContentLength != length || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: %d, %d of %d bytes, %v", query, resp.StatusCode, n, resp.ContentLength, err)
		}
	}
}

func TestFiles_WhatTheSessionSaysOfErrors(t *testing.T) {
	for code, want := range map[string]string{
		"not_found": "404 not_found", "conflict": "409 conflict", "no_space": "507 no_space", "too_large": "413 too_large", "precondition": "412 precondition",
		"busy": "429 busy", "aborted": "503 aborted", "failed": "503 engine",
	} {
		a := serveFiles(t, func(c *sandboxtest.FileCall) {
			if c.Message.Op == wire.FileWrite {
				c.Next()
			}
			c.Fail(code, "because of that")
		})
		for _, method := range []string{"PUT", "GET", "DELETE"} {
			resp := a.do(t, t.Context(), method, filesPath+"/f", strings.Repeat("x", 1<<20))
			text, _ := io.ReadAll(resp.Body)
			status, name, _ := strings.Cut(want, " ")
			if fmt.Sprint(resp.StatusCode) != status || !strings.Contains(string(text), `"code":"`+name+`"`) || code != "failed" && !strings.Contains(string(text), "because of that") {
				t.Errorf("%s, %s: %d %s, want %s", code, method, resp.StatusCode, text, want)
			}
			if (resp.Header.Get("Retry-After") != "") != (status == "429" || status == "503") {
				t.Errorf("%s: Retry-After %q", code, resp.Header.Get("Retry-After"))
			}
		}
	}
}

func TestFiles_OfSessionsThatAreNotThere(t *testing.T) {
	a, _ := serve(t, nil)
	a.execute(t, `{"code":"exit","session_id":"lost"}`)
	for _, tc := range []struct {
		session string
		status  int
	}{{"nobody", 404}, {"lost", 410}, {"a%20b", 422}} {
		for _, request := range []string{"GET /f", "GET ", "PUT /f", "HEAD /f", "DELETE /f", "POST "} {
			method, path, _ := strings.Cut(request, " ")
			body := ""
			if method == "POST" || method == "PUT" {
				body = "x"
			}
			status, text := a.ask(t, method, "/v1/sessions/"+tc.session+"/files"+path, body, "Content-Type", "application/x-tar")
			if status != tc.status {
				t.Errorf("%s of %s: %d %s, want %d", request, tc.session, status, text, tc.status)
			}
		}
	}
	if n := len(a.manager.Sessions(func(string) bool { return true })); n != 0 {
		t.Errorf("%d sessions were made", n)
	}
}

// A client that leaves in the middle of an upload leaves nothing, and one that leaves a download lets go of it.
func TestFiles_AClientThatLeavesEndsItsTransfer(t *testing.T) {
	gone := make(chan string, 2)
	a := serveFiles(t, func(c *sandboxtest.FileCall) {
		if c.Message.Op == wire.FileRead {
			c.Send(wire.FileInfo, wire.Marshal(wire.FileInfoMessage{File: wire.File{Type: "file", Size: 1 << 40, Tag: "t"}, Length: 1 << 40}))
			c.Bytes(make([]byte, 1<<20))
		} else {
			c.Next()
		}
		<-c.Gone
		gone <- c.Message.Op
	})
	ctx, leave := context.WithCancel(t.Context())
	r, w := io.Pipe()
	req, err := http.NewRequestWithContext(ctx, "PUT", a.url+filesPath+"/f", r)
	if err != nil {
		t.Fatal(err)
	}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		if resp, err := http.DefaultClient.Do(req); err == nil {
			resp.Body.Close()
			t.Errorf("the upload was answered: %s", resp.Status)
		}
	}()
	if _, err := w.Write(make([]byte, 100_000)); err != nil {
		t.Fatal(err)
	}
	resp := a.do(t, ctx, "GET", filesPath+"/f", "")
	if _, err := io.ReadFull(resp.Body, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	leave()
	w.CloseWithError(context.Canceled) // which the client waits for
	<-sent
	var got []string
	for range 2 {
		got = append(got, <-gone)
	}
	slices.Sort(got)
	if !slices.Equal(got, []string{wire.FileRead, wire.FileWrite}) {
		t.Errorf("got %q", got)
	}
}

var changed = regexp.MustCompile(`"files":(\{[^}]*\}|null)`)

func TestExecute_SaysWhichFilesChanged(t *testing.T) {
	rt := &sandboxtest.Runtime{Play: sandboxtest.Script(map[string]func(*sandboxtest.Call){
		"change": func(c *sandboxtest.Call) {
			c.Send(wire.Files, []byte(`{"created":["a b"],"modified":["c"],"deleted":[],"truncated":true}`))
			c.Done(wire.DoneMessage{Outcome: "ok", StateKept: true})
		},
		"die": func(c *sandboxtest.Call) {
			c.Done(wire.DoneMessage{Outcome: "crashed", Cause: &wire.Cause{Kind: "exit", Message: "it exited"}})
		},
	})}
	a := serveOn(t, rt, nil)
	for code, want := range map[string]string{
		"change": `{"created":["a b"],"modified":["c"],"deleted":[],"truncated":true}`,
		"keep":   `{"created":[],"modified":[],"deleted":[]}`,
		"die":    "null",
	} {
		for _, accept := range []string{"", "application/x-ndjson"} {
			_, text := a.ask(t, "POST", "/execute", `{"code":"`+code+`","session_id":"s"}`, "Accept", accept)
			if got := changed.FindStringSubmatch(text); got == nil || got[1] != want {
				t.Errorf("%s as %q: %s, want %s", code, accept, text, want)
			}
		}
	}
}
