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
