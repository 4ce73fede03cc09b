package daemon_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gjyotin305/fastpyrepl/daemon"
)

func TestAssets_InTheEncodingThatTheClientTakes(t *testing.T) {
	long := strings.Repeat("all the same ", 100)
	var gz bytes.Buffer
	w := gzip.NewWriter(&gz)
	if _, err := io.WriteString(w, long); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	files := fstest.MapFS{
		"a/plain.js":      {Data: []byte(long)},
		"a/packed.css.gz": {Data: gz.Bytes()},
		"short.svg":       {Data: []byte("<svg/>")},
	}
	assets := daemon.Assets{}
	for name := range files {
		if err := assets.Add(files, name); err != nil {
			t.Fatal(err)
		}
	}
	if err := assets.Add(files, "nothing.js"); err == nil || !strings.Contains(err.Error(), "nothing.js") {
		t.Errorf("a file that is not there: %v", err)
	}
	s := serve(t, testConfig(), assets.Route("/a/:file"))
	for _, tc := range []struct{ name, mediaType, accept, encoding, text string }{
		{"plain.js", "text/javascript; charset=utf-8", "gzip, deflate, br", "gzip", long},
		{"plain.js", "text/javascript; charset=utf-8", "identity", "", long},
		{"packed.css", "text/css; charset=utf-8", "gzip", "gzip", long},
		{"packed.css", "text/css; charset=utf-8", "br", "", long},
		{"short.svg", "image/svg+xml", "gzip", "", "<svg/>"}, // shorter than with a header of gzip's
	} {
		status, body, header := s.one(t, "GET", "/a/"+tc.name, []string{"Host: localhost", "Accept-Encoding: " + tc.accept}, "")
		if tc.encoding == "gzip" && status == 200 {
			r, err := gzip.NewReader(strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			plain, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			body = string(plain)
		}
		if status != 200 || body != tc.text || header.Get("Content-Type") != tc.mediaType || header.Get("Content-Encoding") != tc.encoding {
			t.Errorf("%s for a client that takes %s: %d, %v", tc.name, tc.accept, status, header)
		}
		if header.Get("Cache-Control") != "no-cache" || header.Get("Vary") != "Accept-Encoding" || header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %v", tc.name, header)
		}
	}
	if status, body, _ := s.one(t, "GET", "/a/nothing.js", []string{"Host: localhost"}, ""); status != 404 || body != `{"detail":"no file of that name"}` {
		t.Errorf("a file that is not there: %d %s", status, body)
	}
}

func TestAssets_AreNotSentTwice(t *testing.T) {
	serveFile := func(t *testing.T, text string) (*server, string) {
		assets := daemon.Assets{}
		if err := assets.Add(fstest.MapFS{"x.js": {Data: []byte(text)}}, "x.js"); err != nil {
			t.Fatal(err)
		}
		s := serve(t, testConfig(), assets.Route("/:file"))
		_, _, header := s.one(t, "GET", "/x.js", []string{"Host: localhost"}, "")
		return s, header.Get("ETag")
	}
	var other string
	t.Run("another version", func(t *testing.T) { _, other = serveFile(t, "another") })
	s, tag := serveFile(t, "one version")
	if tag == "" || tag == other {
		t.Fatalf("ETags %q and %q", tag, other)
	}
	for has, want := range map[string]int{tag: 304, other: 200, other + ", " + tag: 304, "*": 304, "": 200} {
		status, body, header := s.one(t, "GET", "/x.js", []string{"Host: localhost", "If-None-Match: " + has}, "")
		if status != want || (body == "") != (want == 304) || header.Get("ETag") != tag {
			t.Errorf("a client that has %s: %d %q %v", has, status, body, header)
		}
	}
}
