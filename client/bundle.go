package client

import (
	"encoding/base64"
	"encoding/json"
)

// MIMEBundle is a value in several forms, by MIME type: text as a JSON string, binary as base64 in one, JSON as it is.
type MIMEBundle map[string]json.RawMessage

// Text is the form of a MIME type that is text; "" where there is none.
func (b MIMEBundle) Text(mime string) string {
	var text string
	if json.Unmarshal(b[mime], &text) != nil {
		return ""
	}
	return text
}

// Plain is the text/plain form, which nearly every value has.
func (b MIMEBundle) Plain() string { return b.Text("text/plain") }

// Binary is the form of a MIME type that is no text, such as image/png; nil where there is none.
func (b MIMEBundle) Binary(mime string) []byte {
	data, err := base64.StdEncoding.DecodeString(b.Text(mime))
	if err != nil || len(data) == 0 {
		return nil
	}
	return data
}
