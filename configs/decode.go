package configs

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// set stores raw, a value of YAML or the text of an environment variable or flag, in a field. Nothing is coerced: a
// number without its unit, or a true where a number belongs, is an error that says what is wanted.
func set(into reflect.Value, raw any) error {
	if reflect.TypeOf(raw) == into.Type() && into.Kind() != reflect.Float64 {
		into.Set(reflect.ValueOf(raw))
		return nil
	}
	text, isText := raw.(string)
	switch into.Interface().(type) {
	case Size:
		if raw == 0 {
			text, isText = "0B", true
		}
		if !isText {
			return fmt.Errorf("%v is not a size: want a number with B, KiB, MiB, GiB or TiB, such as 512MiB", raw)
		}
		size, err := ParseSize(text)
		if err != nil {
			return err
		}
		into.SetInt(int64(size))
		return nil
	case time.Duration:
		d, err := time.ParseDuration(fmt.Sprint(raw))
		if err != nil || d < 0 {
			return fmt.Errorf("%s is not a duration: want a number with ms, s, m or h, such as 60s or 1h30m", quote(raw))
		}
		into.SetInt(int64(d))
		return nil
	case []string:
		list, err := stringList(raw)
		if err != nil {
			return err
		}
		into.Set(reflect.ValueOf(list))
		return nil
	}
	switch into.Kind() {
	case reflect.String:
		return fmt.Errorf("%s is not text: put it in quotes", quote(raw))
	case reflect.Bool:
		if text != "true" && text != "false" {
			return fmt.Errorf("%s is neither true nor false", quote(raw))
		}
		into.SetBool(text == "true")
	case reflect.Int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("%s is not a whole number", quote(raw))
		}
		into.SetInt(int64(n))
	case reflect.Float64:
		if n, ok := raw.(int); ok {
			raw = float64(n)
		}
		n, ok := raw.(float64)
		if isText {
			parsed, err := strconv.ParseFloat(text, 64)
			n, ok = parsed, err == nil
		}
		if !ok || math.IsNaN(n) || math.IsInf(n, 0) {
			return fmt.Errorf("%s is not a number", quote(raw))
		}
		into.SetFloat(n)
	default:
		panic("configs: no way to decode a " + into.Type().String())
	}
	return nil
}

// stringList reads a list of YAML, or a text of words separated by commas.
func stringList(raw any) ([]string, error) {
	var list []string
	switch raw := raw.(type) {
	case string:
		for word := range strings.SplitSeq(raw, ",") {
			if word = strings.TrimSpace(word); word != "" {
				list = append(list, word)
			}
		}
	case []any:
		for _, item := range raw {
			word, ok := item.(string)
			if !ok {
				return nil, fmt.Errorf("%s in the list is not text: put it in quotes", quote(item))
			}
			list = append(list, word)
		}
	default:
		return nil, fmt.Errorf("%s is not a list: want [a, b]", quote(raw))
	}
	return list, nil
}

// quote shows a value in an error; short, for it may be anything.
func quote(raw any) string {
	text, ok := raw.(string)
	if !ok {
		text = fmt.Sprint(raw)
	}
	if len(text) > 64 {
		text = text[:61] + "..."
	}
	if ok {
		return strconv.Quote(text)
	}
	return strings.ReplaceAll(text, "\n", " ")
}
