package jsonbody

import (
	"bytes"
	"iter"

	"github.com/go-json-experiment/json/jsontext"
)

// elements yields the elements of a valid array.
func elements(array jsontext.Value) iter.Seq2[int, jsontext.Value] {
	return func(yield func(int, jsontext.Value) bool) {
		dec := jsontext.NewDecoder(bytes.NewBuffer(array))
		if _, err := dec.ReadToken(); err != nil {
			return
		}
		for i := 0; dec.PeekKind() != ']'; i++ {
			v, err := dec.ReadValue()
			if err != nil || !yield(i, v) {
				return
			}
		}
	}
}

// membersOf yields the members of a valid object.
func membersOf(object jsontext.Value) iter.Seq2[string, jsontext.Value] {
	return func(yield func(string, jsontext.Value) bool) {
		dec := jsontext.NewDecoder(bytes.NewBuffer(object))
		if _, err := dec.ReadToken(); err != nil {
			return
		}
		for dec.PeekKind() != '}' {
			token, err := dec.ReadToken()
			if err != nil {
				return
			}
			name := token.String() // before the token's bytes are gone
			value, err := dec.ReadValue()
			if err != nil || !yield(name, value) {
				return
			}
		}
	}
}
