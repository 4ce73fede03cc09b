package daemon

import (
	"bytes"
	"net/http"

	"github.com/valyala/fasthttp"
)

// checkFraming refuses a request that another server on the way could read as two, or as another one. fasthttp refuses
// the worst itself; this looks at the headers as they came, for what it lets pass.
func checkFraming(h *fasthttp.RequestHeader) error {
	if target := h.RequestURI(); len(target) == 0 || target[0] != '/' {
		return refuse(http.StatusBadRequest, "the request target must be a path")
	}
	var length, encoding, kind, origin int
	for line := range bytes.Lines(h.RawHeaders()) {
		name, _, ok := bytes.Cut(line, []byte(":"))
		if !bytes.HasSuffix(line, []byte("\r\n")) {
			return refuse(http.StatusBadRequest, "header lines must end in CRLF")
		}
		if len(line) == 2 {
			continue
		}
		if !ok || bytes.ContainsAny(name, " \t") {
			return refuse(http.StatusBadRequest, "a header is folded, or has a space in its name")
		}
		switch {
		case is(name, "Content-Length"):
			length++
		case is(name, "Transfer-Encoding"):
			encoding++
		case is(name, "Content-Type"):
			kind++
		case is(name, "Origin"):
			origin++
		}
	}
	switch {
	case length > 0 && encoding > 0:
		return refuse(http.StatusBadRequest, "Content-Length and Transfer-Encoding exclude each other")
	case encoding > 0 && h.ContentLength() != -1:
		return refuse(http.StatusBadRequest, "the only Transfer-Encoding is chunked")
	case kind > 1 || origin > 1:
		return refuse(http.StatusBadRequest, "Content-Type and Origin may appear once")
	}
	return nil
}

// hasBody tells whether a body was announced.
func hasBody(h *fasthttp.RequestHeader) bool {
	n := h.ContentLength() // -1 when chunked, -2 when nothing was said
	return n > 0 || n == -1
}

func is(name []byte, want string) bool {
	return len(name) == len(want) && bytes.EqualFold(name, []byte(want))
}
