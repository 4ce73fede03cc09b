package configs

import (
	"reflect"
	"strings"
)

// envPrefix begins the environment variable of every key: server.port is FASTPYREPL_SERVER_PORT.
const envPrefix = "FASTPYREPL_"

// field is one key and its place in a Config.
type field struct {
	key   string // "limits.memory"
	value reflect.Value
	live  bool // whether a running daemon can take it over
}

// fields lists the keys of c in the order of the struct. A map, whose children the operator names, counts as one key.
func fields(c *Config) []field { return fieldsOf(reflect.ValueOf(c).Elem(), "") }

// named tells whether the operator names what is below the key.
func (f field) named() bool { return f.value.Kind() == reflect.Map }

// fieldsOf lists the keys of a struct, each with a prefix.
func fieldsOf(v reflect.Value, prefix string) []field {
	var list []field
	var walk func(v reflect.Value, prefix string, live bool)
	walk = func(v reflect.Value, prefix string, live bool) {
		for i := range v.NumField() {
			tag := v.Type().Field(i).Tag
			f := field{key: prefix + tag.Get("yaml"), value: v.Field(i), live: live || tag.Get("reload") == "live"}
			if f.value.Kind() == reflect.Struct {
				walk(f.value, f.key+".", f.live)
				continue
			}
			list = append(list, f)
		}
	}
	walk(v, prefix, false)
	return list
}

// envName is the environment variable of a key. What a variable's name cannot hold becomes "_".
func envName(key string) string {
	return envPrefix + strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, strings.ToUpper(key))
}
