package docker

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/docker/docker/pkg/jsonmessage"
	"github.com/moby/term"
)

// tellEvery is how often a pull says how far it is where there is no terminal to draw bars on.
const tellEvery = 5 * time.Second

// step tells what Prepare is at, in a few words.
func (r *Runtime) step(format string, args ...any) {
	if r.config.Step != nil && !r.quiet {
		r.config.Step(fmt.Sprintf(format, args...))
	}
}

// showPull shows what a registry sends, until it is all there: as bars on a terminal, else in a line every now and then.
func (r *Runtime) showPull(name string, stream io.Reader, progress io.Writer, every time.Duration) error {
	ref := r.config.Images[name].Ref
	if fd, terminal := term.GetFdInfo(progress); terminal {
		return jsonmessage.DisplayJSONMessagesStream(stream, progress, fd, true, nil)
	}
	p := pull{layers: map[string]*jsonmessage.JSONProgress{}}
	told := time.Now()
	for dec := json.NewDecoder(stream); ; {
		var m jsonmessage.JSONMessage
		if err := dec.Decode(&m); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if m.Error != nil {
			return m.Error
		}
		if m.ID == "" && m.Status != "" { // of the whole image
			fmt.Fprintf(progress, "image %s: %s\n", ref, m.Status)
		}
		if p.add(m); time.Since(told) >= every {
			told = time.Now()
			fmt.Fprintf(progress, "image %s: pulling, %s\n", ref, p)
			r.step("pulling image %s: %s", name, p)
		}
	}
}

// pull is how much of each layer of an image is there.
type pull struct {
	layers map[string]*jsonmessage.JSONProgress
}

func (p pull) add(m jsonmessage.JSONMessage) {
	switch layer := p.layers[m.ID]; {
	case m.Status == "Downloading" && m.Progress != nil:
		p.layers[m.ID] = m.Progress
	case m.Status == "Download complete" && layer != nil:
		layer.Current = layer.Total
	}
}

// String leaves out layers that have not begun: how large they are is not known.
func (p pull) String() string {
	var current, total int64
	for _, layer := range p.layers {
		current += layer.Current
		total += max(layer.Current, layer.Total)
	}
	return fmt.Sprintf("%d of %d MB", current/1e6, total/1e6)
}
