package wire_test

import (
	"bytes"
	"encoding/hex"
	"os"
	"testing"

	"github.com/gjyotin305/fastpyrepl/sandbox/wire"
	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
)

// The vectors are run by the driver's tests too; runner-image/driver/tests/make_vectors.py writes them.

func vectors[T any](t *testing.T, file string) []T {
	t.Helper()
	b, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	var all []T
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatalf("%s has no vectors", file)
	}
	return all
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestVectors_Frames(t *testing.T) {
	type frame struct {
		Type      uint8     `json:"type"`
		Flags     uint8     `json:"flags"`
		Epoch     uint32    `json:"epoch"`
		Seq       uint32    `json:"seq"`
		Execution uuid.UUID `json:"execution"`
		Payload   string    `json:"payload_hex"`
	}
	type vector struct {
		Name  string `json:"name"`
		Hex   string `json:"hex"`
		Frame *frame `json:"frame"`
		Error string `json:"error"`
	}
	for _, v := range vectors[vector](t, "frames.json") {
		t.Run(v.Name, func(t *testing.T) {
			b := unhex(t, v.Hex)
			got, err := wire.NewDecoder(bytes.NewReader(b)).Next()
			if v.Frame == nil {
				if err != wire.BadFrame(v.Error) {
					t.Errorf("got %v, want %s", err, v.Error)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := wire.Frame{
				Type: wire.Type(v.Frame.Type), More: v.Frame.Flags&wire.FlagMore != 0, Epoch: v.Frame.Epoch, Seq: v.Frame.Seq,
				Execution: v.Frame.Execution, Payload: unhex(t, v.Frame.Payload),
			}
			if !bytes.Equal(wire.AppendFrame(nil, want), b) {
				t.Errorf("this side writes the frame otherwise")
			}
			if !bytes.Equal(wire.AppendFrame(nil, got), b) {
				t.Errorf("read as %+v", got)
			}
		})
	}
}

func TestVectors_Streams(t *testing.T) {
	type vector struct {
		Name   string   `json:"name"`
		Reader string   `json:"reader"` // daemon or driver
		Hex    string   `json:"hex"`
		Epoch  uint32   `json:"epoch"`
		Nonce  string   `json:"nonce"`
		Types  []string `json:"types"`
	}
	names := map[wire.Type]string{wire.Ready: "READY", wire.Pong: "PONG"}
	ran := 0
	for _, v := range vectors[vector](t, "streams.json") {
		if v.Reader != "daemon" {
			continue // of the driver's reading
		}
		ran++
		t.Run(v.Name, func(t *testing.T) {
			dec := wire.NewDecoder(bytes.NewReader(unhex(t, v.Hex)))
			if _, err := dec.Sync(wire.HelloMessage{Nonce: v.Nonce}, v.Epoch); err != nil {
				t.Fatal(err)
			}
			for _, want := range v.Types[1:] { // after READY
				f, err := dec.NextMessage()
				for err == nil && f.Epoch != v.Epoch {
					f, err = dec.NextMessage()
				}
				if err != nil || names[f.Type] != want {
					t.Errorf("got %#x, %v; want %s", uint8(f.Type), err, want)
				}
			}
		})
	}
	if ran == 0 {
		t.Error("no stream is the daemon's to read")
	}
}
