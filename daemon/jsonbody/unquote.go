package jsonbody

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// decodedLen returns how many bytes the text between the quotes of a valid JSON string decodes to.
func decodedLen(s []byte) int {
	n := 0
	for {
		i := bytes.IndexByte(s, '\\')
		if i < 0 {
			return n + len(s)
		}
		r, size := escape(s[i:])
		n += i + utf8.RuneLen(r)
		s = s[i+size:]
	}
}

// appendDecoded appends what the text between the quotes of a valid JSON string decodes to.
func appendDecoded(dst, s []byte) []byte {
	for {
		i := bytes.IndexByte(s, '\\')
		if i < 0 {
			return append(dst, s...)
		}
		r, size := escape(s[i:])
		dst = utf8.AppendRune(append(dst, s[:i]...), r)
		s = s[i+size:]
	}
}

// escape decodes the escape sequence that s starts with. The string is known to be valid: a high surrogate is followed
// by a low one.
func escape(s []byte) (r rune, size int) {
	switch s[1] {
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
		r = hex4(s[2:6])
		if utf16.IsSurrogate(r) {
			return utf16.DecodeRune(r, hex4(s[8:12])), 12
		}
		return r, 6
	default: // " \ /
		return rune(s[1]), 2
	}
}

// hex4 decodes four hexadecimal digits. A body may have a hundred million of them.
func hex4(s []byte) rune {
	return hexDigit(s[0])<<12 | hexDigit(s[1])<<8 | hexDigit(s[2])<<4 | hexDigit(s[3])
}

func hexDigit(b byte) rune {
	if b <= '9' {
		return rune(b - '0')
	}
	return rune(b|0x20-'a') + 10
}
