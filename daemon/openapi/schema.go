package openapi

import (
	"fmt"
	"path"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/gjyotin305/fastpyrepl/daemon"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/jsonschema-go/jsonschema"
)

// reflector makes the schemas of Go types, as package json encodes them: structs, and other types that daemon.Schemas
// has, become components.
//
// A member may be left out if its tag says omitempty or omitzero, or if it comes from an embedded pointer. It may be null
// if it is a pointer, unless omitempty leaves out null. Its description is the jsonschema tag.
type reflector struct {
	schemas    daemon.Schemas
	components map[string]*jsonschema.Schema
	types      map[string]reflect.Type // of the components
}

func newReflector(schemas daemon.Schemas) *reflector {
	return &reflector{schemas: schemas, components: map[string]*jsonschema.Schema{}, types: map[string]reflect.Type{}}
}

// of returns the schema of t, which for a component is a reference.
func (r *reflector) of(t reflect.Type) (*jsonschema.Schema, error) {
	describe := r.schemas[t]
	switch {
	case t == reflect.TypeFor[time.Time]():
		return &jsonschema.Schema{Type: "string", Format: "date-time"}, nil
	case t == reflect.TypeFor[jsontext.Value](), t.Kind() == reflect.Interface:
		return &jsonschema.Schema{}, nil
	case t.Kind() == reflect.Pointer:
		s, err := r.of(t.Elem())
		return nullable(s), err
	case t.Kind() == reflect.Struct, describe != nil:
		return r.component(t, describe)
	}
	return r.plain(t)
}

// plain is for what is neither a component nor a pointer.
func (r *reflector) plain(t reflect.Type) (s *jsonschema.Schema, err error) {
	s = &jsonschema.Schema{}
	switch t.Kind() {
	case reflect.Bool:
		s.Type = "boolean"
	case reflect.String:
		s.Type = "string"
	case reflect.Int, reflect.Int64:
		s.Type = "integer"
	case reflect.Uint64:
		s.Type, s.Minimum = "integer", jsonschema.Ptr(0.0)
	case reflect.Float64:
		s.Type = "number"
	case reflect.Slice:
		s.Type = "array"
		s.Items, err = r.of(t.Elem())
	case reflect.Map:
		s.Type = "object"
		s.AdditionalProperties, err = r.of(t.Elem())
	default:
		err = fmt.Errorf("%s has no schema", t)
	}
	return s, err
}

// component makes t one, if it is none yet, and returns a reference to it.
func (r *reflector) component(t reflect.Type, describe func(*jsonschema.Schema)) (*jsonschema.Schema, error) {
	s, err := &jsonschema.Schema{}, error(nil)
	if t.Kind() == reflect.Struct {
		s.Type, s.Properties = "object", map[string]*jsonschema.Schema{}
		err = r.members(s, t, true)
	} else if s, err = r.plain(t); err == nil {
		describe(s)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t, err)
	}
	for name, p := range s.Properties {
		if p.Type == "" && p.Types == nil && p.Ref == "" && p.AnyOf == nil && p.Enum == nil && p.Const == nil {
			return nil, fmt.Errorf("%s.%s holds anything, and nothing says what", t, name)
		}
	}
	name := t.Name()
	if s.Title != "" {
		name, s.Title = s.Title, ""
	}
	if other := r.types[name]; other != nil && other != t {
		return nil, fmt.Errorf("%s and %s have one name in the document", t, other)
	}
	r.types[name], r.components[name] = t, s
	return &jsonschema.Schema{Ref: path.Join("#/components/schemas", name)}, nil
}

// members adds the fields of a struct to s, and what daemon.Schemas has for it.
func (r *reflector) members(s *jsonschema.Schema, t reflect.Type, present bool) error {
	for f := range t.Fields() {
		tag, tagged := f.Tag.Lookup("json")
		if f.Anonymous && !tagged {
			inner, always := f.Type, present
			if inner.Kind() == reflect.Pointer {
				inner, always = inner.Elem(), false
			}
			if err := r.members(s, inner, always); err != nil {
				return err
			}
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		if name == "-" || !f.IsExported() {
			continue
		}
		empty := slices.Contains(strings.Split(options, ","), "omitempty")
		field := f.Type
		if empty && field.Kind() == reflect.Pointer {
			field = field.Elem()
		}
		p, err := r.of(field)
		if err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
		p.Description = f.Tag.Get("jsonschema")
		s.Properties[name] = p
		s.PropertyOrder = append(s.PropertyOrder, name)
		if present && !empty && options != "omitzero" {
			s.Required = append(s.Required, name)
		}
	}
	if describe := r.schemas[t]; describe != nil {
		describe(s)
	}
	return nil
}

// nullable is s, or null.
func nullable(s *jsonschema.Schema) *jsonschema.Schema {
	switch {
	case s == nil:
		return nil
	case s.Ref != "":
		return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{s, {Type: "null"}}}
	default:
		s.Types, s.Type = []string{s.Type, "null"}, ""
		return s
	}
}
