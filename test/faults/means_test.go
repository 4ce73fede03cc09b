package faults_test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/gjyotin305/fastpyrepl/test/process"
)

// How things are broken, and mended.

// engine returns what runs a command of the engine's on a container.
func (s *scene) engine(command ...string) func(id string) error {
	return func(id string) error {
		_, err := rig.engine.docker(s.ctx, append(command, id)...)
		return err
	}
}

// garble changes a byte of the next piece that every session's container says, the bystander's excepted. The engine's own header takes
// the first 8 bytes.
func (s *scene) garble(at int) error {
	var ids []string
	if err := s.each(func(id string) error { ids = append(ids, id); return nil }); err != nil {
		return err
	}
	rig.proxy.garble(ids, func(piece []byte) { piece[min(at, len(piece)-1)] ^= 0x55 })
	return nil
}

// fill takes all there is of a disk.
func fill(disk string) error {
	f, err := os.Create(filepath.Join(disk, "filler"))
	if err != nil {
		return err
	}
	defer f.Close()
	for size := int64(1 << 30); size >= 4096; {
		info, err := f.Stat()
		if err != nil {
			return err
		}
		switch err := syscall.Fallocate(int(f.Fd()), 0, info.Size(), size); {
		case errors.Is(err, syscall.ENOSPC):
			size /= 2
		case err != nil:
			return err
		}
	}
	return nil
}

// otherImage is one that no registry has, and that nobody builds.
const otherImage = "127.0.0.1:1/fastpyrepl/other:latest"

// removeImages removes all that the engine lets go: of the image that containers run of, its name, and the other one.
func removeImages(s *scene) error {
	out, err := rig.engine.docker(s.ctx, "images", "--quiet", "--no-trunc")
	if err != nil {
		return err
	}
	kept := 0
	for _, id := range strings.Fields(out) {
		if _, err := rig.engine.docker(s.ctx, "rmi", "--force", id); err != nil {
			kept++
		}
	}
	_, err = rig.engine.docker(s.ctx, "rmi", "--force", process.Image())
	out, listErr := rig.engine.docker(s.ctx, "images", "--quiet", otherImage)
	if kept == 0 || out != "" {
		err = errors.Join(err, fmt.Errorf("the engine kept %d images, and of the other one %q", kept, out))
	}
	return errors.Join(err, listErr)
}

// bringImages loads the images again, after which the other one must serve soon.
func bringImages(s *scene) error {
	for deadline := time.Now().Add(works); ; {
		a := s.d.call(s.ctx, http.MethodPost, "/v1/sessions", request{Session: s.prefix + "other", Image: "other"})
		ending, cause := a.ending()
		if ending == "ok" {
			break
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the image is there again, and does not serve: %s, %s", ending, cause)
		}
		if strings.Contains(cause, "is not here") {
			if _, err := rig.engine.docker(s.ctx, "load", "--quiet", "--input", rig.engine.images()); err != nil {
				return err
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	if a := s.d.call(s.ctx, http.MethodDelete, "/v1/sessions/"+s.prefix+"other", nil); a.Status != http.StatusNoContent {
		return fmt.Errorf("reset: %+v", a)
	}
	return nil
}

// fewFiles is how many the daemon may open that clients crowd.
const fewFiles = 160

// crowd opens more connections than the daemon can have.
func crowd(s *scene) error { return s.dial(2 * fewFiles) }

func disperse(s *scene) error {
	for _, conn := range s.conns {
		conn.Close()
	}
	return nil
}

// dial opens connections to the daemon, and says nothing over them.
func (s *scene) dial(n int) error {
	for range n {
		conn, err := net.Dial("tcp", s.d.url[len("http://"):])
		if err != nil {
			return err
		}
		s.conns = append(s.conns, conn)
	}
	return nil
}

// starve lets the daemon open a few files more than it has, and takes those.
func starve(s *scene) error {
	return errors.Join(s.d.limitFiles(s.d.files()+4), s.dial(64))
}

func feed(s *scene) error { return errors.Join(disperse(s), s.d.limitFiles(1024)) }

// stallReaders has clients ask for more than they will ever read.
func stallReaders(s *scene) error {
	if err := s.dial(4); err != nil {
		return err
	}
	for n, conn := range s.conns {
		if err := conn.(*net.TCPConn).SetReadBuffer(4096); err != nil {
			return err
		}
		body := fmt.Sprintf(`{"session_id": "%sstalled-%d", "code": "while True: print('x' * 1000)", "timeout": 60}`, s.prefix, n)
		_, err := fmt.Fprintf(conn, "POST /execute HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nContent-Type: application/json\r\n"+
			"Content-Length: %d\r\n\r\n%s", len(body), body)
		if err != nil {
			return err
		}
	}
	return nil
}

// leaveReaders demands that the daemon has given such clients up by now: what they asked for is interrupted.
func leaveReaders(s *scene) error {
	for n, conn := range s.conns {
		path := fmt.Sprintf("/v1/sessions/%sstalled-%d", s.prefix, n)
		for deadline := time.Now().Add(10 * second); s.d.call(s.ctx, http.MethodGet, path, nil).State != "idle"; {
			if time.Now().After(deadline) {
				return fmt.Errorf("the execution of a client that does not read goes on")
			}
			time.Sleep(50 * time.Millisecond)
		}
		conn.Close()
		if a := s.d.call(s.ctx, http.MethodDelete, path, nil); a.Status != http.StatusNoContent {
			return fmt.Errorf("reset: %+v", a)
		}
	}
	return nil
}
