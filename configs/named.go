package configs

import (
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// A section whose children the operator names: docker.images, auth.keys. In a Config it is a map of structs.

const nameRule = "lower-case letters, digits, '.', '_' and '-', at most 63, beginning with a letter or digit"

var validName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)

// setNamed stores raw, a mapping of YAML, in a map of structs. What a file names is all there is then: an image that nobody
// asked for would be pulled or built at start-up. It calls fail with what is wrong, and the key below path.
func setNamed(into reflect.Value, raw any, path string, fail func(key string, err error)) {
	given, _ := raw.(map[string]any)
	if len(given) == 0 {
		return
	}
	into.Set(reflect.MakeMapWithSize(into.Type(), len(given)))
	for _, name := range slices.Sorted(maps.Keys(given)) {
		item := reflect.New(into.Type().Elem()).Elem()
		values, _ := given[name].(map[string]any) // null is one without values
		for _, f := range fieldsOf(item, "") {
			value, ok := values[f.key]
			if !ok {
				continue
			}
			if err := set(f.value, value); err != nil {
				fail(join(join(path, name), f.key), err)
			}
		}
		into.SetMapIndex(reflect.ValueOf(name), item)
	}
}

// setNamedFromEnv lets FASTPYREPL_DOCKER_IMAGES_<NAME>_REF, and the like, change or add one. It returns the key that the
// variable is for, "" when it is no such variable.
func setNamedFromEnv(section field, variable, text string) (key string, err error) {
	middle, ok := strings.CutPrefix(variable, envName(section.key)+"_")
	if !ok {
		return "", nil
	}
	item := reflect.New(section.value.Type().Elem()).Elem()
	for _, f := range fieldsOf(item, "") {
		name, ok := strings.CutSuffix(middle, strings.TrimPrefix(envName("_"+f.key), envPrefix))
		if !ok || name == "" {
			continue
		}
		child := nameOf(section, name)
		key := join(join(section.key, child), f.key)
		if there := section.value.MapIndex(reflect.ValueOf(child)); there.IsValid() {
			item.Set(there)
		}
		if err := set(f.value, text); err != nil {
			return key, err
		}
		if section.value.IsNil() {
			section.value.Set(reflect.MakeMap(section.value.Type()))
		}
		section.value.SetMapIndex(reflect.ValueOf(child), item)
		return key, nil
	}
	return "", nil
}

// nameOf is what a part of a variable's name stands for: py3.12 is PY3_12 there.
func nameOf(section field, part string) string {
	for _, known := range section.value.MapKeys() {
		if envName(known.String()) == envPrefix+part {
			return known.String()
		}
	}
	return strings.ToLower(part)
}

// checkNames refuses what is no name.
func checkNames[T any](v *checks, path string, named map[string]T) {
	for _, name := range slices.Sorted(maps.Keys(named)) {
		if !validName.MatchString(name) {
			v.failf(path, "%q is not a name: want %s", name, nameRule)
		}
	}
}
