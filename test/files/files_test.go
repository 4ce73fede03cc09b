package files_test

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

const (
	large   = 100_000_000 // bytes
	path    = "/v1/sessions/s/files"
	allowed = 4 << 20 // bytes that the daemon may grow by, whatever the size of what passes through it
)

// data is large bytes that are made as they are read, and what they hash to.
func data() (io.Reader, hash.Hash) {
	sum := sha256.New()
	return io.TeeReader(io.LimitReader(rand.NewChaCha8([32]byte{}), large), sum), sum
}

// memory reads a figure of the daemon's /proc/PID/status, in bytes.
func (d *daemon) memory(name string) int64 {
	d.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.Cmd.Process.Pid))
	if err != nil {
		d.t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); fields[0] == name+":" {
			kib, err := strconv.ParseInt(fields[1], 10, 64)
			if err != nil {
				d.t.Fatal(err)
			}
			return kib << 10
		}
	}
	d.t.Fatalf("no %s in %s", name, status)
	return 0
}

// peak is by how much the daemon's memory was at the most above what it was before, while f ran.
func (d *daemon) peak(f func()) int64 {
	d.t.Helper()
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", d.Cmd.Process.Pid), []byte("5"), 0); err != nil { // the peak begins anew
		d.t.Fatal(err)
	}
	before := d.memory("VmRSS")
	f()
	return d.memory("VmHWM") - before
}

func TestFiles_100MBPassThroughAndTheDaemonDoesNotGrow(t *testing.T) {
	d := start(t, t.TempDir())
	d.execute("kept = 41")
	// What any request costs is not what is asked about.
	d.do("PUT", path+"/small", "", strings.NewReader(strings.Repeat("x", 1<<20)), 201)
	if _, err := io.Copy(io.Discard, d.do("GET", path+"/small", "", nil, 200).Body); err != nil {
		t.Fatal(err)
	}
	var sum []byte
	check := func(what string, r io.Reader) {
		t.Helper()
		got := sha256.New()
		if n, err := io.Copy(got, r); n != large || err != nil || !bytes.Equal(got.Sum(nil), sum) {
			t.Errorf("%s: %d bytes, %v, not those that were sent", what, n, err)
		}
	}
	for _, step := range []struct {
		what string
		run  func()
	}{
		{"up", func() {
			body, hash := data()
			d.do("PUT", path+"/large", "", body, 201)
			sum = hash.Sum(nil)
		}},
		{"down", func() { check("down", d.do("GET", path+"/large", "", nil, 200).Body) }},
		{"out of a tar", func() {
			r := tar.NewReader(d.do("GET", path+"?format=tar", "", nil, 200).Body)
			if h, err := r.Next(); err != nil || h.Name != "large" || h.Size != large {
				t.Fatalf("%+v, %v", h, err)
			}
			check("out of a tar", r)
		}},
		{"into a tar", func() {
			d.do("DELETE", path+"/large", "", nil, 204)
			r, w := io.Pipe()
			go func() {
				body, _ := data()
				out := tar.NewWriter(w)
				err := out.WriteHeader(&tar.Header{Name: "in/large", Size: large, Typeflag: tar.TypeReg})
				if err == nil {
					_, err = io.Copy(out, body)
				}
				if err == nil {
					err = out.Close()
				}
				w.CloseWithError(err)
			}()
			d.do("POST", path, "application/x-tar", r, 200)
			check("into a tar", d.do("GET", path+"/in/large", "", nil, 200).Body)
		}},
		{"into a form", func() {
			d.do("DELETE", path+"/in?recursive=true", "", nil, 204)
			body, _ := data()
			d.do("POST", path, "multipart/form-data; boundary=b", io.MultiReader(
				strings.NewReader("--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"form\"\r\n\r\n"), body, strings.NewReader("\r\n--b--\r\n")), 200)
			check("into a form", d.do("GET", path+"/form", "", nil, 200).Body)
		}},
		{"four at once, both ways", func() {
			var all sync.WaitGroup
			for range 2 {
				all.Go(func() { check("beside others", d.do("GET", path+"/form", "", nil, 200).Body) })
			}
			all.Go(func() { d.do("PUT", path+"/more", "", io.LimitReader(rand.NewChaCha8([32]byte{}), large), 201) })
			all.Go(func() {
				for range 50 {
					if got := d.execute("print(kept)"); got != "41\n" {
						t.Errorf("beside transfers: %q", got)
					}
				}
			})
			all.Wait()
		}},
	} {
		peak := d.peak(step.run)
		t.Logf("%s: %d KiB at the most", step.what, peak>>10)
		if peak > allowed {
			t.Errorf("%s: the daemon grew by %d KiB, at most %d are allowed", step.what, peak>>10, allowed>>10)
		}
	}
}

// A transfer ends with its daemon, the session does not: the next daemon finds nothing half written, and all transfers free.
func TestFiles_TransfersOfADaemonThatEndsFailAndLeaveNothing(t *testing.T) {
	state := t.TempDir()
	d := start(t, state)
	d.execute("kept = 41")
	d.do("PUT", path+"/old", "", strings.NewReader(strings.Repeat("x", 8<<20)), 201)
	for range 3 {
		var failed sync.WaitGroup
		var sources []*io.PipeWriter
		for n := range 3 {
			r, w := io.Pipe()
			sources = append(sources, w)
			failed.Go(func() {
				defer r.Close()
				req, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), "PUT", fmt.Sprint(d.URL, path, "/half", n), r)
				if err != nil {
					t.Error(err)
					return
				}
				if resp, err := http.DefaultClient.Do(req); err == nil {
					resp.Body.Close()
					t.Errorf("half an upload was answered: %s", resp.Status)
				}
			})
			if _, err := w.Write(make([]byte, 1<<20)); err != nil {
				t.Fatal(err)
			}
			failed.Go(func() { _, _ = w.Write(make([]byte, 8<<20)) }) // more than is under way at a time
		}
		download := d.do("GET", path+"/old", "", nil, 200)
		if _, err := io.ReadFull(download.Body, make([]byte, 64<<10)); err != nil {
			t.Fatal(err)
		}
		_ = d.Stop(syscall.SIGKILL) // always an error
		if n, err := io.Copy(io.Discard, download.Body); err == nil {
			t.Errorf("the download looks whole after %d bytes", n)
		}
		for _, w := range sources { // the client would wait for what its source says, though there is nobody to send it to
			w.CloseWithError(io.ErrClosedPipe)
		}
		failed.Wait()
		d = start(t, state)
		d.do("GET", path, "", nil, 200) // comes after the end of the others
		if got := d.execute("import os\nprint(kept, sorted(os.listdir('.')))"); got != "41 ['old']\n" {
			t.Errorf("there is %s", got)
		}
		var whole bytes.Buffer
		if _, err := io.Copy(&whole, d.do("GET", path+"/old", "", nil, 200).Body); err != nil || whole.Len() != 8<<20 {
			t.Errorf("after that: %d bytes, %v", whole.Len(), err)
		}
	}
}
