package jsonbody

import (
	"errors"
	"math"
	"regexp"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

func one(e *Error) []Error {
	if e == nil {
		return nil
	}
	return []Error{*e}
}

// Nullable takes null for a member that is not there.
func Nullable(d Decoder) Decoder {
	return func(raw jsontext.Value) []Error {
		if raw.Kind() == 'n' {
			return nil
		}
		return d(raw)
	}
}

// Bytes decodes a string of at most limit bytes.
func Bytes(dst *[]byte, limit int64) Decoder {
	return func(raw jsontext.Value) []Error {
		b, e := text(raw, limit)
		*dst = b
		return one(e)
	}
}

// String decodes a string of at most limit bytes.
func String(dst *string, limit int64) Decoder {
	return func(raw jsontext.Value) []Error {
		b, e := text(raw, limit)
		*dst = string(b)
		return one(e)
	}
}

// Matching decodes a string that is empty or matches pattern.
func Matching(dst *string, pattern *regexp.Regexp, limit int64) Decoder {
	return func(raw jsontext.Value) []Error {
		b, e := text(raw, limit)
		if e != nil && e.Type != "string_too_long" {
			return one(e)
		}
		if e != nil || len(b) > 0 && !pattern.Match(b) {
			return one(&Error{
				Type: "string_pattern_mismatch",
				Msg:  "String should match pattern '" + pattern.String() + "'",
				Ctx:  map[string]any{"pattern": pattern.String()},
			})
		}
		*dst = string(b)
		return nil
	}
}

// Bool decodes true or false.
func Bool(dst *bool) Decoder {
	return func(raw jsontext.Value) []Error {
		switch raw.Kind() {
		case 't':
			*dst = true
		case 'f':
			*dst = false
		default:
			return one(wrongType("bool_type", "boolean"))
		}
		return nil
	}
}

// Positive decodes a number above 0 and up to limit.
func Positive(dst *float64, limit float64) Decoder {
	return func(raw jsontext.Value) []Error {
		if raw.Kind() != '0' {
			return one(wrongType("float_type", "number"))
		}
		n, err := strconv.ParseFloat(string(raw), 64)
		switch {
		case err != nil && !math.IsInf(n, 0):
			return one(wrongType("float_type", "number"))
		case n <= 0:
			return one(&Error{Type: "greater_than", Msg: "Input should be greater than 0", Ctx: map[string]any{"gt": 0}})
		case n > limit:
			return one(tooMuch(limit))
		}
		*dst = n
		return nil
	}
}

// Between decodes a number from lo up to hi, both included.
func Between(dst *float64, lo, hi float64) Decoder {
	return func(raw jsontext.Value) []Error {
		if raw.Kind() != '0' {
			return one(wrongType("float_type", "number"))
		}
		n, err := strconv.ParseFloat(string(raw), 64)
		switch {
		case err != nil && !math.IsInf(n, 0):
			return one(wrongType("float_type", "number"))
		case n < lo:
			return one(tooLittle(lo))
		case n > hi:
			return one(tooMuch(hi))
		}
		*dst = n
		return nil
	}
}

func tooLittle(least float64) *Error {
	return &Error{
		Type: "greater_than_equal",
		Msg:  "Input should be greater than or equal to " + strconv.FormatFloat(least, 'f', -1, 64),
		Ctx:  map[string]any{"ge": least},
	}
}

func tooMuch(limit float64) *Error {
	return &Error{
		Type: "less_than_equal",
		Msg:  "Input should be less than or equal to " + strconv.FormatFloat(limit, 'f', -1, 64),
		Ctx:  map[string]any{"le": limit},
	}
}

// Whole decodes a whole number above 0 and up to limit.
func Whole(dst *int64, limit int64) Decoder {
	return func(raw jsontext.Value) []Error {
		n, err := strconv.ParseInt(string(raw), 10, 64)
		switch {
		case raw.Kind() != '0' || err != nil && !errors.Is(err, strconv.ErrRange):
			return one(wrongType("int_type", "integer"))
		case n <= 0:
			return one(&Error{Type: "greater_than", Msg: "Input should be greater than 0", Ctx: map[string]any{"gt": 0}})
		case n > limit:
			return one(tooMuch(float64(limit)))
		}
		*dst = n
		return nil
	}
}

// Index decodes a whole number from 0 up to limit.
func Index(dst *int, limit int) Decoder {
	return func(raw jsontext.Value) []Error {
		n, err := strconv.ParseInt(string(raw), 10, 64)
		switch {
		case raw.Kind() != '0' || err != nil && !errors.Is(err, strconv.ErrRange):
			return one(wrongType("int_type", "integer"))
		case n < 0:
			return one(tooLittle(0))
		case n > int64(limit):
			return one(tooMuch(float64(limit)))
		}
		*dst = int(n)
		return nil
	}
}

// elementCost is what one element counts besides its text.
const elementCost = 8

// Strings decodes an array of strings, of about limit bytes in all.
func Strings(dst *[]string, limit int64) Decoder {
	return func(raw jsontext.Value) []Error {
		if raw.Kind() != '[' {
			return one(wrongType("list_type", "list"))
		}
		var wrong []Error
		var list []string
		left := limit
		for i, element := range elements(raw) {
			if left -= elementCost; left < 0 {
				return one(tooManyBytes(limit))
			}
			b, e := text(element, left)
			if e != nil && e.Type == "string_too_long" {
				return one(tooManyBytes(limit))
			}
			if e != nil {
				e.Loc = []any{i}
				wrong = append(wrong, *e)
			}
			left -= int64(len(b))
			list = append(list, string(b))
		}
		*dst = list
		return wrong
	}
}

// StringMap decodes an object whose values are strings, of about limit bytes in all.
func StringMap(dst *map[string]string, limit int64) Decoder {
	return func(raw jsontext.Value) []Error {
		if raw.Kind() != '{' {
			return one(wrongType("dict_type", "dictionary"))
		}
		var wrong []Error
		values := map[string]string{}
		left := limit
		for name, value := range membersOf(raw) {
			if left -= elementCost + int64(len(name)); left < 0 {
				return one(tooManyBytes(limit))
			}
			b, e := text(value, left)
			if e != nil && e.Type == "string_too_long" {
				return one(tooManyBytes(limit))
			}
			if e != nil {
				e.Loc = []any{name}
				wrong = append(wrong, *e)
			}
			left -= int64(len(b))
			values[name] = string(b)
		}
		*dst = values
		return wrong
	}
}

// text measures a string before it decodes it.
func text(raw jsontext.Value, limit int64) ([]byte, *Error) {
	if raw.Kind() != '"' {
		return nil, wrongType("string_type", "string")
	}
	quoted := raw[1 : len(raw)-1]
	n := decodedLen(quoted)
	if int64(n) > limit {
		return nil, tooLong(limit)
	}
	return appendDecoded(make([]byte, 0, n), quoted), nil
}
