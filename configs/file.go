package configs

import (
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxFile is the most that a configuration file may hold, in bytes.
const maxFile = 1 << 20

// file is a YAML file whose keys are known to exist, each once.
type file struct {
	path  string
	root  reflect.Type // what it is decoded into
	data  []byte
	lines map[string]int // where each key stands
}

// readFile reads and checks the file at path, which is to be decoded into a root of this type. viper folds case, takes any
// of two keys that differ only in it and drops what no field asks for, so the keys are checked here, where their lines are
// still known.
func readFile(path string, root reflect.Type) (*file, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("%s: larger than 1MiB, which no configuration is", path)
	}
	checked := &file{path: path, root: root, data: data, lines: map[string]int{}}
	if err := checked.check(); err != nil {
		return nil, err
	}
	return checked, nil
}

func (f *file) check() error {
	decoder := yaml.NewDecoder(strings.NewReader(string(f.data)))
	var document yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF): // nothing but comments
		return nil
	case err != nil:
		return fmt.Errorf("%s: not YAML: %s", f.path, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: more than one YAML document; one is allowed", f.path)
	}
	return errors.Join(f.section(document.Content[0], f.root, "")...)
}

// section checks a mapping against the struct, or the map of structs, that it is decoded into.
func (f *file) section(node *yaml.Node, typ reflect.Type, path string) (errs []error) {
	fail := func(n *yaml.Node, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s:%d: %s", f.path, n.Line, fmt.Sprintf(format, args...)))
	}
	if isNull(node) { // a section of which every key is commented out
		return nil
	}
	if node.Kind != yaml.MappingNode {
		fail(node, "%s: want keys below it (%s)", sectionName(path), strings.Join(names(typ), ", "))
		return errs
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		name, value := node.Content[i], node.Content[i+1]
		key := join(path, name.Value)
		child, ok := member(typ, name.Value)
		switch _, twice := f.lines[key]; {
		case !ok && typ.Kind() == reflect.Map:
			fail(name, "%s: %q is not a name: want %s", sectionName(path), name.Value, nameRule)
		case !ok:
			fail(name, "%s: unknown key%s", key, suggest(key, f.root, typ, path))
		case twice:
			fail(name, "%s: set twice, first in line %d", key, f.lines[key])
		case child.Kind() == reflect.Struct, child.Kind() == reflect.Map:
			f.lines[key] = name.Line
			errs = append(errs, f.section(value, child, key)...)
		case isNull(value):
			fail(name, "%s: has no value", key)
		default:
			f.lines[key] = name.Line
		}
	}
	return errs
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// member finds what a key below a section is decoded into.
func member(typ reflect.Type, name string) (reflect.Type, bool) {
	if typ.Kind() == reflect.Map {
		return typ.Elem(), validName.MatchString(name)
	}
	for i := range typ.NumField() {
		if f := typ.Field(i); f.Tag.Get("yaml") == name {
			return f.Type, true
		}
	}
	return nil, false
}

// names lists what may stand below a section.
func names(typ reflect.Type) []string {
	if typ.Kind() == reflect.Map {
		return []string{"a name for each"}
	}
	var list []string
	for i := range typ.NumField() {
		list = append(list, typ.Field(i).Tag.Get("yaml"))
	}
	slices.Sort(list)
	return list
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func sectionName(path string) string {
	if path == "" {
		return "the file"
	}
	return path
}
