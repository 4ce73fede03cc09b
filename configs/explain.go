package configs

import (
	"bytes"
	_ "embed"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

//go:embed fastpyrepl.yaml
var documented string

// DefaultYAML is fastpyrepl.yaml: every key with its default, and what it means.
func DefaultYAML() string { return documented }

// redacted stands for the hashes of keys.
const redacted = "[redacted]"

// Explain loads src, and returns it as YAML with a comment behind each value that says where it comes from. Hashes of keys
// are left out. Its errors are those of Load.
func Explain(src Source) (string, error) {
	c, l, err := load(src)
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(l.explain(reflect.ValueOf(c).Elem(), "")); err != nil {
		return "", fmt.Errorf("write the configuration: %w", err)
	}
	return out.String(), nil
}

// explain is what is at a key and below it.
func (l *loader) explain(v reflect.Value, key string) *yaml.Node {
	node := &yaml.Node{Kind: yaml.MappingNode}
	below := func(name string, value reflect.Value) {
		node.Content = append(node.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: name}, l.explain(value, join(key, name)))
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			below(v.Type().Field(i).Tag.Get("yaml"), v.Field(i))
		}
	case reflect.Map:
		names := v.MapKeys()
		slices.SortFunc(names, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		for _, name := range names {
			below(name.String(), v.MapIndex(name))
		}
		if len(names) == 0 {
			node.Style = yaml.FlowStyle
		}
	default:
		node = scalar(v.Interface(), key)
		node.LineComment = "default"
		if from := strings.TrimSuffix(l.origin[key], ": "); from != "" {
			node.LineComment = from
		}
	}
	return node
}

// scalar is a value as Load reads it.
func scalar(value any, key string) *yaml.Node {
	node := new(yaml.Node)
	if _, plain := value.(fmt.Stringer); plain { // a Size or a duration
		value = fmt.Sprint(value)
	}
	if err := node.Encode(value); err != nil {
		panic(fmt.Sprintf("configs: %s: %v", key, err)) // of a type that no key has
	}
	if node.Kind == yaml.SequenceNode {
		node.Style = yaml.FlowStyle
		if strings.HasPrefix(key, "auth.keys.") {
			for _, hash := range node.Content {
				hash.SetString(redacted)
			}
		}
	}
	return node
}
