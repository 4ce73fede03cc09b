package openapi

import (
	"bytes"
	"encoding/json"
)

// ordered is a JSON object whose members keep the order in which they were set: readers, and Swagger UI, take the first for
// the most important.
type ordered[V any] struct {
	names  []string
	values map[string]V
}

// set adds or replaces a member.
func (o *ordered[V]) set(name string, v V) {
	if o.values == nil {
		o.values = map[string]V{}
	}
	if _, ok := o.values[name]; !ok {
		o.names = append(o.names, name)
	}
	o.values[name] = v
}

func (o ordered[V]) IsZero() bool { return len(o.names) == 0 }

func (o ordered[V]) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, name := range o.names {
		if i > 0 {
			b.WriteByte(',')
		}
		key, err := json.Marshal(name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(o.values[name])
		if err != nil {
			return nil, err
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}
