package jsonbody

import (
	"bytes"
	"fmt"
)

// Limits bound a body before anything is decoded from it.
type Limits struct {
	Depth  int // of objects and arrays in each other
	Values int // members of all objects and elements of all arrays together
}

// MaxName is the longest name of a member, in bytes: names of unknown members are kept to find duplicates.
const MaxName = 64 << 10

// scan applies the limits to b, which need not be valid JSON. It allocates nothing, and counts a value for every comma
// and every opening bracket: never fewer than there are.
func scan(b []byte, l Limits) *Error {
	var depth, values int
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			end := stringEnd(b, i+1)
			if end-i > MaxName && isName(b[end:]) {
				e := invalid(i, fmt.Sprintf("a name is longer than %d bytes", MaxName))
				return &e
			}
			i = end - 1
		case '{', '[':
			values++
			if depth++; depth > l.Depth {
				e := invalid(i, fmt.Sprintf("nested deeper than %d levels", l.Depth))
				return &e
			}
		case '}', ']':
			depth--
		case ',':
			values++
		}
		if values > l.Values {
			e := invalid(i, fmt.Sprintf("more than %d members and elements", l.Values))
			return &e
		}
	}
	return nil
}

// stringEnd returns the index behind the string whose first byte is at i; len(b) when it does not end.
func stringEnd(b []byte, i int) int {
	for {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return len(b)
		}
		end := i + n
		slashes := 0
		for end-slashes > i && b[end-slashes-1] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			return end + 1
		}
		i = end + 1
	}
}

// isName tells whether a string that rest follows is the name of a member.
func isName(rest []byte) bool {
	rest = bytes.TrimLeft(rest, " \t\r\n")
	return len(rest) > 0 && rest[0] == ':'
}
