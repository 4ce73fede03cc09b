package contract_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// A message is one event of a stream, or one message of a WebSocket: the JSON, and for the check what it came in.
type message struct {
	item string // what the schema of an event describes
	data string // JSON
}

func parse(text string) (any, error) { return jsonschema.UnmarshalJSON(strings.NewReader(text)) }

// events reads a stream of a media type. Its end is io.EOF.
func events(mediaType string, r io.Reader) func() (message, error) {
	lines := bufio.NewReader(r)
	if mediaType == "application/x-ndjson" {
		return func() (message, error) {
			line, err := lines.ReadString('\n')
			return message{line, line}, err
		}
	}
	return func() (message, error) {
		fields := map[string]string{}
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				return message{}, err
			}
			line = strings.TrimSuffix(line, "\n")
			name, value, ok := strings.Cut(line, ": ")
			switch {
			case line == "" && len(fields) > 0:
				item, err := parse(fields["data"])
				if err != nil {
					return message{}, err
				}
				if fields["id"] != fmt.Sprint(at(item, "seq")) || fields["event"] != at(item, "type") {
					return message{}, fmt.Errorf("the fields of an event contradict its data: %q", fields)
				}
				return message{fmt.Sprintf(`{"id":%q,"event":%q,"data":%s}`, fields["id"], fields["event"], quoted(fields["data"])), fields["data"]}, nil
			case line == "" || name == "":
			case !ok:
				return message{}, fmt.Errorf("not a line of an event: %q", line)
			default:
				fields[name] = value
			}
		}
	}
}

// quoted is text as JSON.
func quoted(text string) string {
	var b bytes.Buffer
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteRune('\\')
			b.WriteRune(r)
		case r < ' ':
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// follow compares the messages that come with those shown, in order. Text may come in more pieces than are shown.
func (n names) follow(shown []string, next func() (message, error), check func(message) error) error {
	for _, text := range shown {
		want, err := parse(text)
		if err != nil {
			return fmt.Errorf("%w: %s", err, text)
		}
		var got map[string]any
		for {
			m, err := next()
			if err != nil {
				return fmt.Errorf("where %s is shown: %w", text, err)
			}
			if err := check(m); err != nil {
				return err
			}
			v, err := parse(m.data)
			if err != nil {
				return err
			}
			piece := v.(map[string]any)
			if got != nil && piece["type"] == got["type"] {
				piece["text"] = got["text"].(string) + piece["text"].(string)
			}
			got = piece
			whole, _ := at(want, "text").(string)
			part, _ := got["text"].(string)
			if part == whole || part == "" || !strings.HasPrefix(whole, part) {
				break
			}
		}
		if err := n.compare("the message", want, any(got)); err != nil {
			return fmt.Errorf("where %s is shown: %w", text, err)
		}
	}
	return nil
}

// ended tells whether a stream is over.
func ended(next func() (message, error)) error {
	m, err := next()
	if errors.Is(err, io.EOF) {
		return nil
	}
	return fmt.Errorf("the stream goes on: %+v, %w", m, err)
}
