package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gjyotin305/fastpyrepl/client"
)

// pictures are the forms of a value that are saved rather than shown.
var pictures = []struct{ mime, ending string }{
	{"image/png", ".png"}, {"image/jpeg", ".jpg"}, {"image/svg+xml", ".svg"},
}

// output shows what code says: text where text goes, pictures as files.
type output struct {
	stdout, stderr io.Writer
	values         bool   // results are shown
	figures        string // directory for pictures; "" until there is one, and then a temporary one
	saved          int
}

// show shows an event. Its error is that of writing.
func (o *output) show(ev client.Event) (err error) {
	switch ev.Type {
	case client.EventStdout:
		_, err = io.WriteString(o.stdout, ev.Text)
	case client.EventStderr:
		_, err = io.WriteString(o.stderr, ev.Text)
	case client.EventDisplay:
		err = o.value(ev.Data)
	case client.EventResult:
		if o.values || picture(ev.Data) != nil {
			err = o.value(ev.Data)
		}
	}
	return err
}

// value shows a value: as the files of its pictures, or as plain text.
func (o *output) value(forms client.MIMEBundle) error {
	data := picture(forms)
	if data == nil {
		_, err := fmt.Fprintln(o.stdout, forms.Plain())
		return err
	}
	for _, p := range pictures {
		if data := pictureOf(forms, p.mime); data != nil {
			path, err := o.save(data, p.ending)
			if err != nil {
				return err
			}
			fmt.Fprintln(o.stderr, path)
		}
	}
	return nil
}

// picture is the first form of a value that is one, nil for none.
func picture(forms client.MIMEBundle) []byte {
	for _, p := range pictures {
		if data := pictureOf(forms, p.mime); data != nil {
			return data
		}
	}
	return nil
}

func pictureOf(forms client.MIMEBundle, mime string) []byte {
	if mime == "image/svg+xml" { // which is text
		if text := forms.Text(mime); text != "" {
			return []byte(text)
		}
		return nil
	}
	return forms.Binary(mime)
}

// save writes a picture into a file that is not there yet.
func (o *output) save(data []byte, ending string) (string, error) {
	if o.figures == "" {
		dir, err := os.MkdirTemp("", "fastpyrepl-figures-")
		if err != nil {
			return "", fmt.Errorf("save a figure: %w", err)
		}
		o.figures = dir
	}
	for {
		o.saved++
		path := filepath.Join(o.figures, fmt.Sprintf("figure-%d%s", o.saved, ending))
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("save a figure: %w", err)
		}
		_, err = f.Write(data)
		if err = cmp.Or(err, f.Close()); err != nil {
			return "", fmt.Errorf("save a figure: %w", err)
		}
		return path, nil
	}
}
