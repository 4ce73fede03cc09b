package sandbox

import (
	"strings"
	"unicode/utf8"
)

// textDecoder turns the bytes of one output stream, cut anywhere, into valid UTF-8. Bytes that are not UTF-8 become
// U+FFFD, one each, and are counted.
type textDecoder struct {
	partial [utf8.UTFMax]byte // the beginning of a character whose rest is to come
	n       int
	invalid int64
}

// append decodes b onto dst.
func (d *textDecoder) append(dst *strings.Builder, b []byte) {
	for d.n > 0 && len(b) > 0 {
		d.partial[d.n] = b[0]
		d.n++
		b = b[1:]
		if utf8.FullRune(d.partial[:d.n]) {
			d.settle(dst)
		}
	}
	if cut := incomplete(b); cut > 0 {
		d.n = copy(d.partial[:], b[len(b)-cut:])
		b = b[:len(b)-cut]
	}
	d.appendValid(dst, b)
}

// settle decodes the bytes held back. What follows a broken character may begin another one.
func (d *textDecoder) settle(dst *strings.Builder) {
	held := d.partial[:d.n]
	d.n = 0
	for len(held) > 0 && utf8.FullRune(held) {
		held = held[d.appendRune(dst, held):]
	}
	d.n = copy(d.partial[:], held)
}

// finish decodes what is still held back at the end of the stream.
func (d *textDecoder) finish(dst *strings.Builder) {
	d.appendValid(dst, d.partial[:d.n])
	d.n = 0
}

// incomplete counts the bytes at the end of b that may be the beginning of a character.
func incomplete(b []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(b); n++ {
		if tail := b[len(b)-n:]; utf8.RuneStart(tail[0]) {
			if utf8.FullRune(tail) {
				return 0
			}
			return n
		}
	}
	return 0
}

// appendValid appends b, with U+FFFD for every byte that is not UTF-8.
func (d *textDecoder) appendValid(dst *strings.Builder, b []byte) {
	if utf8.Valid(b) {
		dst.Write(b)
		return
	}
	for len(b) > 0 {
		b = b[d.appendRune(dst, b):]
	}
}

// appendRune appends the first character of b, or U+FFFD for its first byte, and returns its length.
func (d *textDecoder) appendRune(dst *strings.Builder, b []byte) int {
	r, size := utf8.DecodeRune(b)
	if r == utf8.RuneError && size == 1 {
		d.invalid++
	}
	dst.WriteRune(r)
	return size
}
