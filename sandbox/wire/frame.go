package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/google/uuid"
)

// Version is the protocol's version; it is also the last character of the magic.
const Version = 1

const (
	HeaderSize = 40       // bytes
	MaxPayload = 64 << 10 // bytes of one frame's payload
	MaxMessage = 16 << 20 // bytes of a JSON message joined from frames
	Window     = 1 << 20  // bytes of blobs under way without a grant
	MaxResync  = 8 << 20  // bytes skipped in search of READY
	MaxMeta    = 4 << 10  // bytes of ExecuteMessage.Meta

	MaxQuestion  = 256 << 10 // bytes of QuestionMessage.Code
	FileWindow   = 256 << 10 // bytes of a transfer under way, each way, without a grant
	MaxTransfers = 16        // open at once
)

var magic = [4]byte{'F', 'P', 'Y', '1'}

// FlagMore says that the message goes on in the next frame of the same type and execution.
const FlagMore = 1

// Type names what a frame says.
type Type uint8

// Types that the daemon sends.
const (
	Hello     Type = 0x01
	Execute   Type = 0x02
	Data      Type = 0x03
	Interrupt Type = 0x04
	Input     Type = 0x05
	Ping      Type = 0x06
	SetLimits Type = 0x07
	Shutdown  Type = 0x08
	Ack       Type = 0x09

	Variables  Type = 0x0a
	Complete   Type = 0x0b
	IsComplete Type = 0x0c
	Inspect    Type = 0x0d

	FileOpen   Type = 0x20
	FileData   Type = 0x21
	FileEnd    Type = 0x22
	FileTaken  Type = 0x23 // FILE_WINDOW
	FileCancel Type = 0x24
)

// Types that the driver sends.
const (
	Ready            Type = 0x81
	Stdout           Type = 0x82
	Stderr           Type = 0x83
	Display          Type = 0x84
	Result           Type = 0x85
	ErrorMessage     Type = 0x86
	Locals           Type = 0x87
	InputRequest     Type = 0x88
	Done             Type = 0x89
	Reject           Type = 0x8a
	WindowGrant      Type = 0x8b
	Pong             Type = 0x8c
	State            Type = 0x8d
	BackgroundStdout Type = 0x8e
	BackgroundStderr Type = 0x8f
	Fault            Type = 0x90
	Cut              Type = 0x91
	Files            Type = 0x92
	Answer           Type = 0x93

	FileInfo  Type = 0xa0
	FileBytes Type = 0xa1
	FileGrant Type = 0xa2
	FileDone  Type = 0xa3
)

// Known tells whether version 1 has t.
func (t Type) Known() bool {
	return t >= Hello && t <= Inspect || t >= Ready && t <= Answer || t.OfFiles()
}

// OfFiles tells whether t is of a transfer of files.
func (t Type) OfFiles() bool {
	return t >= FileOpen && t <= FileCancel || t >= FileInfo && t <= FileDone
}

// stream tells whether every frame of t stands alone.
func (t Type) stream() bool {
	switch t {
	case Data, Stdout, Stderr, BackgroundStdout, BackgroundStderr:
		return true
	}
	return t.OfFiles()
}

// Frame is one frame.
type Frame struct {
	Type      Type
	More      bool
	Epoch     uint32
	Seq       uint32
	Execution uuid.UUID
	Payload   []byte
}

// BadFrame is why bytes are not a frame.
type BadFrame string

// Reasons for BadFrame, the same words as in the vectors.
const (
	BadMagic    BadFrame = "magic"
	BadFlags    BadFrame = "flags"
	BadReserved BadFrame = "reserved"
	BadLength   BadFrame = "length"
	BadChecksum BadFrame = "checksum"
	BadType     BadFrame = "type"
	BadMessage  BadFrame = "message"
)

func (b BadFrame) Error() string { return "bad frame: " + string(b) }

// IsBadFrame tells whether err says that bytes broke the protocol, rather than that the stream failed.
func IsBadFrame(err error) bool {
	var b BadFrame
	return errors.As(err, &b)
}

// AppendFrame appends one frame to b. The payload must not be longer than MaxPayload.
func AppendFrame(b []byte, f Frame) []byte {
	if len(f.Payload) > MaxPayload {
		panic(fmt.Sprintf("wire: payload of %d bytes", len(f.Payload)))
	}
	start := len(b)
	b = append(b, magic[:]...)
	var flags byte
	if f.More {
		flags = FlagMore
	}
	b = append(b, byte(f.Type), flags, 0, 0)
	b = binary.BigEndian.AppendUint32(b, f.Epoch)
	b = binary.BigEndian.AppendUint32(b, f.Seq)
	b = append(b, f.Execution[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(f.Payload)))
	sum := crc32.Update(crc32.ChecksumIEEE(b[start+4:]), crc32.IEEETable, f.Payload)
	b = binary.BigEndian.AppendUint32(b, sum)
	return append(b, f.Payload...)
}

// AppendMessage appends a message, split into as many frames as it needs.
func AppendMessage(b []byte, f Frame) []byte {
	rest := f.Payload
	for len(rest) > MaxPayload {
		f.Payload, f.More = rest[:MaxPayload], !f.Type.stream()
		b = AppendFrame(b, f)
		rest = rest[MaxPayload:]
	}
	f.Payload, f.More = rest, false
	return AppendFrame(b, f)
}

// header is a decoded header; its checksum can only be checked with the payload.
type header struct {
	Frame
	length uint32
	sum    uint32
}

// parseHeader reads HeaderSize bytes.
func parseHeader(b []byte) (header, error) {
	var h header
	if [4]byte(b[0:4]) != magic {
		return h, BadMagic
	}
	h.Type = Type(b[4])
	if b[5]&^FlagMore != 0 || b[5] != 0 && h.Type.stream() {
		return h, BadFlags
	}
	h.More = b[5] == FlagMore
	if b[6] != 0 || b[7] != 0 {
		return h, BadReserved
	}
	h.Epoch = binary.BigEndian.Uint32(b[8:])
	h.Seq = binary.BigEndian.Uint32(b[12:])
	h.Execution = uuid.UUID(b[16:32])
	if h.length = binary.BigEndian.Uint32(b[32:]); h.length > MaxPayload {
		return h, BadLength
	}
	h.sum = binary.BigEndian.Uint32(b[36:])
	return h, nil
}

// check verifies the checksum of the header in b and its payload, then the type.
func (h header) check(b, payload []byte) error {
	if crc32.Update(crc32.ChecksumIEEE(b[4:36]), crc32.IEEETable, payload) != h.sum {
		return BadChecksum
	}
	if !h.Type.Known() {
		return BadType
	}
	return nil
}
