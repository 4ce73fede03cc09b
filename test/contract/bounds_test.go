package contract_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/fasthttp/websocket"
	"github.com/getkin/kin-openapi/openapi3"

	"github.com/gjyotin305/fastpyrepl/daemon"
)

// A trial is a value on one side of something that a schema says.
type trial struct {
	what  string
	value any
	ok    bool
}

// absent is a trial's value that is not sent.
type absent struct{}

// unbounded are properties that the schema cannot bound: what bounds them is no number of values, but of bytes in all.
var unbounded = []string{"locals_keys", "env"}

// trials tries everything that a schema says of a value.
func trials(name string, s *openapi3.Schema, required bool) ([]trial, error) {
	nullable := s.Type.Includes("null")
	all := []trial{{"another type", []any{map[string]any{"a": 1}}, false}, {"null", nil, nullable}, {"nothing", absent{}, !required}}
	bounded := len(s.Enum) > 0
	for _, choice := range s.Enum {
		if choice != nil {
			all = append(all, trial{fmt.Sprint(choice), choice, true})
		}
	}
	if len(s.Enum) > 0 {
		all = append(all, trial{"another choice", "another", false})
	}
	switch {
	case s.Type.Includes("string"):
		if s.MaxLength != nil {
			bounded = true
			n := int(*s.MaxLength)
			all = append(all, trial{"the longest", strings.Repeat("1", n), true}, trial{"one more", strings.Repeat("1", n+1), false})
		}
		if s.Pattern != "" {
			bounded = true
			all = append(all, trial{"another pattern", "/ \x00", false})
		}
	case s.Type.Includes("number"), s.Type.Includes("integer"):
		if s.Max != nil {
			bounded = true
			all = append(all, trial{"the most", *s.Max, true}, trial{"more", *s.Max + 1, false})
		}
		little := 0.001
		if s.Type.Includes("integer") {
			all = append(all, trial{"a fraction", 1.5, false})
			little = 1
		}
		if s.Min != nil {
			all = append(all, trial{"the least", *s.Min, true}, trial{"less", *s.Min - little, false})
		}
		if least := s.ExclusiveMin.Value; least != nil {
			all = append(all, trial{"the least", *least, false}, trial{"a little more", *least + little, true})
		}
	case s.Type.Includes("array"):
		bounded = true
		items := s.Items.Value
		all = append(all, trial{"no item", []any{}, true}, trial{"an item of another type", []any{map[string]any{}}, false})
		if len(items.Enum) > 0 {
			all = append(all, trial{"all choices", items.Enum, true}, trial{"another choice", []any{"another"}, false})
		} else if !slices.Contains(unbounded, name) {
			return nil, fmt.Errorf("%s: nothing is said of how long it may be", name)
		}
	case s.Type.Includes("object"):
		bounded = slices.Contains(unbounded, name)
		all = append(all, trial{"no member", map[string]any{}, true}, trial{"a member", map[string]any{"A": "b"}, true},
			trial{"a member of another type", map[string]any{"A": 1}, false})
	case s.Type.Includes("boolean"):
		bounded = true
		all = append(all, trial{"true", true, true}, trial{"false", false, true})
	default:
		return nil, fmt.Errorf("%s: no trials for %v", name, s.Type)
	}
	if !bounded {
		return nil, fmt.Errorf("%s has no bound in the document", name)
	}
	return all, nil
}

// with is an object with one member changed.
func with(object map[string]any, name string, value any) (string, error) {
	changed := maps.Clone(object)
	if changed[name] = value; value == any(absent{}) {
		delete(changed, name)
	}
	b, err := json.Marshal(changed)
	return string(b), err
}

// blamed tells whether an error says that this part of the request, or of it, is wrong.
func blamed(text string, where ...string) bool {
	loc, _ := json.Marshal(where)
	part := `"loc":` + strings.TrimSuffix(string(loc), "]")
	return strings.Contains(text, part+"]") || strings.Contains(text, part+",")
}

// together tells whether an error says that members of a body do not go together, with nothing wrong with any of them.
func together(text string) bool { return strings.Contains(text, `"loc":["body"],`) }

// What a schema says of a request's body is what the daemon checks: no less, and no more.
func TestBounds_OfBodies(t *testing.T) {
	p := newPlayer(t, instance)
	for i := range p.routes {
		r := &p.routes[i]
		if r.In == nil {
			continue
		}
		t.Run(r.Method+" "+r.Path, func(t *testing.T) {
			var base map[string]any
			if err := json.Unmarshal([]byte(r.Examples[0].Body), &base); err != nil {
				t.Fatal(err)
			}
			p.begin(t, r.Examples[0])
			path, header := p.fill(r, r.Examples[0])
			op := p.d.doc.Paths.Find(r.Template()).GetOperation(r.Method)
			schema := op.RequestBody.Value.Content["application/json"].Schema.Value
			for name, property := range schema.Properties {
				all, err := trials(name, property.Value, slices.Contains(schema.Required, name))
				if err != nil {
					t.Fatal(err)
				}
				for _, try := range all {
					body, err := with(base, name, try.value)
					if err != nil {
						t.Fatal(err)
					}
					resp, err := p.send(t.Context(), r.Method, path, body, header)
					if err != nil {
						t.Fatal(err)
					}
					text, err := io.ReadAll(resp.Body)
					resp.Body.Close()
					if err != nil {
						t.Fatal(err)
					}
					refused := resp.StatusCode == http.StatusUnprocessableEntity && !together(string(text))
					if refused == try.ok || refused && !blamed(string(text), "body", name) {
						t.Errorf("%s, %s: %s %.300s", name, try.what, resp.Status, text)
					}
				}
			}
		})
	}
}

// So it is with parameters. The id of an execution has no bound: one of another form is one that there is not.
func TestBounds_OfParameters(t *testing.T) {
	p := newPlayer(t, instance)
	for i := range p.routes {
		r := &p.routes[i]
		for _, param := range r.Params {
			var wrong, right []string
			s := param.Schema
			switch {
			case s.Type == "integer":
				wrong, right = []string{"x", "-1", "1.5"}, []string{"0", "7"}
			case s.Type == "boolean":
				wrong, right = []string{"x", "1", "TRUE"}, []string{"true", "false"}
			case s.MaxLength != nil:
				wrong, right = []string{strings.Repeat("1", *s.MaxLength+1)}, []string{strings.Repeat("1", *s.MaxLength)}
			case s.Pattern != "":
				wrong, right = []string{"a b", strings.Repeat("a", 1000)}, []string{"nobody"}
			}
			for _, value := range slices.Concat(wrong, right) {
				e := r.Examples[0]
				p.begin(t, e)
				e.Params = maps.Clone(e.Params)
				if e.Params == nil {
					e.Params = map[string]string{}
				}
				e.Params[param.Name] = value
				status, text := p.attempt(t, r, e)
				where := strings.ToLower(param.Name)
				if ok := slices.Contains(right, value); (status == http.StatusUnprocessableEntity) == ok || !ok && r.Method != http.MethodHead && !blamed(text, param.In, where) {
					t.Errorf("%s %s, %s %.50q: %d %.300s", r.Method, r.Path, param.Name, value, status, text)
				}
			}
		}
	}
}

// attempt sends an example; of an answer that may be a stream without end, it does not read it.
func (p *player) attempt(t *testing.T, r *daemon.Route, e daemon.Example) (status int, text string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	path, header := p.fill(r, e)
	resp, err := p.send(ctx, r.Method, path, e.Body, header)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode < http.StatusBadRequest {
		return resp.StatusCode, ""
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// So it is with the messages of a WebSocket's client.
func TestBounds_OfMessages(t *testing.T) {
	d := describe(t)
	messages := map[string]map[string]any{
		"execute": {"type": "execute", "code": "1"},
		"input":   {"type": "input", "text": ""},
	}
	ws, _, err := websocket.DefaultDialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(instance.URL, "http")+"/v1/sessions/demo/channel", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	schema := d.doc.Components.Schemas["ChannelRequest"].Value
	for name, property := range schema.Properties {
		if name == "type" { // is what says which of the others count
			continue
		}
		base := messages["execute"]
		if _, ok := messages["input"][name]; ok {
			base = messages["input"]
		}
		_, required := base[name]
		all, err := trials(name, property.Value, required)
		if err != nil {
			t.Fatal(err)
		}
		for _, try := range all {
			text, err := with(base, name, try.value)
			if err != nil {
				t.Fatal(err)
			}
			if why := refusal(t, ws, text); (why == "") != try.ok || why != "" && !blamed(why, "body", name) {
				t.Errorf("%s, %s: %.300s", name, try.what, why)
			}
		}
	}
}

// refusal is what a channel says of a message that is wrong, "" when it is not.
func refusal(t *testing.T, ws *websocket.Conn, text string) (why string) {
	t.Helper()
	for _, m := range []string{text, `{"type":"none","ref":"probe"}`} { // the second one is refused after the first
		if err := ws.WriteMessage(websocket.TextMessage, []byte(m)); err != nil {
			t.Fatal(err)
		}
	}
	for {
		_, said, err := ws.ReadMessage()
		if err != nil {
			t.Fatal(err)
		}
		var m struct {
			Type, Ref string
			Status    int
		}
		if err := json.Unmarshal(said, &m); err != nil {
			t.Fatal(err)
		}
		switch {
		case m.Type != "refused":
		case m.Ref == "probe":
			return why
		case m.Status == http.StatusUnprocessableEntity:
			why = string(said)
		}
	}
}
