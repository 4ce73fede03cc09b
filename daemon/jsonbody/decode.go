package jsonbody

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Field is a member that an object may have.
type Field struct {
	Name     string
	Required bool
	Value    Decoder // called once if the member is there
}

// Decoder decodes one valid JSON value, or says what is wrong with it. It keeps nothing of raw.
type Decoder func(raw jsontext.Value) []Error

var (
	decoders = sync.Pool{New: func() any { return new(jsontext.Decoder) }}
	nothing  = strings.NewReader("")
)

// Decode decodes the object in b into fields; members of other names are checked and dropped. It returns everything
// that is wrong, in the order of fields; or the one thing that kept it from reading b. It keeps nothing of b.
func Decode(b []byte, l Limits, fields []Field) []Error {
	if len(bytes.Trim(b, " \t\r\n")) == 0 {
		return []Error{missing()}
	}
	if e := scan(b, l); e != nil {
		return []Error{*e}
	}

	dec := decoders.Get().(*jsontext.Decoder)
	defer decoders.Put(dec)
	defer dec.Reset(nothing) // or the pool would hold b
	dec.Reset(bytes.NewBuffer(b))

	kind := dec.PeekKind()
	if kind != '{' {
		return notAnObject(dec, b, kind)
	}
	values := make([]jsontext.Value, len(fields))
	wrong, err := members(dec, b, fields, values)
	if err != nil {
		return []Error{syntaxError(b, err)}
	}
	for i, f := range fields {
		switch {
		case values[i] != nil:
			for _, e := range f.Value(values[i]) {
				wrong = append(wrong, e.at(append([]any{f.Name}, e.Loc...)...))
			}
		case f.Required:
			wrong = append(wrong, missing(f.Name))
		}
	}
	return wrong
}

// members reads the object and what follows it, and notes where each field's value is.
func members(dec *jsontext.Decoder, b []byte, fields []Field, values []jsontext.Value) (wrong []Error, err error) {
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	for dec.PeekKind() != '}' {
		name, err := dec.ReadToken()
		if err != nil {
			return nil, err
		}
		i, exact := lookup(fields, name)
		switch {
		case i < 0:
			err = dec.SkipValue()
		case !exact:
			wrong = append(wrong, wrongCase(name.String(), fields[i].Name))
			err = dec.SkipValue()
		default:
			var raw jsontext.Value
			raw, err = dec.ReadValue()
			end := int(dec.InputOffset())
			values[i] = b[end-len(raw) : end]
		}
		if err != nil {
			return nil, err
		}
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	return wrong, atEnd(dec)
}

// lookup finds the field of a name, or the one that a more forgiving parser would take it for.
func lookup(fields []Field, name jsontext.Token) (i int, exact bool) {
	s := name.String()
	for i, f := range fields {
		if f.Name == s {
			return i, true
		}
	}
	for i, f := range fields {
		if strings.EqualFold(f.Name, s) {
			return i, false
		}
	}
	return -1, false
}

// trailing is the error of data behind the value that ends at this offset.
type trailing int64

func (trailing) Error() string { return "trailing data" }

func atEnd(dec *jsontext.Decoder) error {
	end := dec.InputOffset()
	if _, err := dec.ReadToken(); err != io.EOF {
		return trailing(end)
	}
	return nil
}

// notAnObject tells a body that is another JSON value from one that is no JSON.
func notAnObject(dec *jsontext.Decoder, b []byte, kind jsontext.Kind) []Error {
	err := dec.SkipValue()
	if err == nil {
		err = atEnd(dec)
	}
	switch {
	case err != nil:
		return []Error{syntaxError(b, err)}
	case kind == 'n':
		return []Error{missing()}
	default:
		e := Error{Type: "model_attributes_type", Msg: "Input should be a valid dictionary or object to extract fields from"}
		return []Error{e.at()}
	}
}

// syntaxError says where and why b is not JSON, in words of ours: the parser's own quote what the client sent.
func syntaxError(b []byte, err error) Error {
	offset := len(b)
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		offset = min(int(syntax.ByteOffset), len(b))
	}
	var rest trailing
	switch {
	case errors.As(err, &rest):
		return invalid(int(rest), "data after the end")
	case errors.Is(err, jsontext.ErrDuplicateName):
		return invalid(offset, "duplicate name")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return invalid(len(b), "unexpected end of data")
	case !utf8.Valid(b):
		return invalid(offset, "invalid UTF-8")
	case offset < len(b) && b[offset] == '\\':
		return invalid(offset, "invalid escape sequence, or a lone surrogate")
	default:
		return invalid(offset, "invalid syntax")
	}
}
