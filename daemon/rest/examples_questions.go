package rest

import (
	"net/http"

	"github.com/gjyotin305/fastpyrepl/daemon"
)

const demoIsBusy = `{"type": "/docs/errors#conflict", "title": "Conflict", "status": 409,
	"detail": "session demo is busy: it answers while nothing runs in it", "code": "conflict", "request_id": "b1a4c3a0-1b22-4a1c-9d3c-0d4b3f2f6a55"}`

const wrongCode = `{"type": "/docs/errors#invalid", "title": "Invalid request", "status": 422,
	"detail": "body.code: Input should be a valid string", "code": "invalid", "request_id": "4ad2d4b0-43ee-4f42-8e4a-ff25bb14f763",
	"errors": [{"type": "string_type", "loc": ["body", "code"], "msg": "Input should be a valid string"}]}`

var (
	inDemo   = map[string]string{"id": "demo"}
	inNobody = map[string]string{"id": "nobody"}
)

var completeExamples = append([]daemon.Example{{
	Name: "complete", Summary: "An attribute",
	After: []string{"hello"}, Params: inDemo, Body: `{"code": "x.bit_l", "cursor": 7}`,
	Status: http.StatusOK, Answer: `{"matches": ["bit_length"], "start": 2, "end": 7, "omitted": 0}`,
}}, unanswered("complete", `{"code": "x"}`)...)

var isCompleteExamples = append([]daemon.Example{
	{
		Name: "incomplete", Summary: "A line that others must follow",
		After: []string{"hello"}, Params: inDemo, Body: `{"code": "for i in range(x):"}`,
		Status: http.StatusOK, Answer: `{"status": "incomplete", "indent": 4}`,
	},
	{
		Name: "whole", Summary: "Code that is whole",
		After: []string{"hello"}, Params: inDemo, Body: `{"code": "x + 1"}`,
		Status: http.StatusOK, Answer: `{"status": "complete", "indent": 0}`,
	},
}, unanswered("is-complete", `{"code": "x"}`)...)

var inspectExamples = append([]daemon.Example{
	{
		Name: "inspect", Summary: "The call whose arguments are typed",
		After: []string{"hello"}, Params: inDemo, Body: `{"code": "len(", "cursor": 4}`,
		Status: http.StatusOK, Answer: `{
			"found": true, "name": "len", "type": "builtin_function_or_method", "signature": "(obj, /)",
			"doc": "Return the number of items in a container.", "repr": "<built-in function len>"
		}`,
	},
	{
		Name: "inspect-nothing", Summary: "A name that stands for nothing",
		After: []string{"hello"}, Params: inDemo, Body: `{"code": "y"}`,
		Status: http.StatusOK, Answer: `{"found": false, "name": "", "type": "", "signature": "", "doc": "", "repr": ""}`,
	},
}, unanswered("inspect", `{"code": "x"}`)...)

var variablesExamples = append([]daemon.Example{{
	Name: "variables-listed", Summary: "A session's variables",
	After: []string{"hello"}, Params: inDemo,
	Status: http.StatusOK, Answer: `{"variables": [{"name": "x", "type": "int", "repr": "20"}], "omitted": 0}`,
}}, unanswered("variables", "")...)

// unanswered are the examples of a question that is not answered.
func unanswered(question, body string) []daemon.Example {
	wrong := daemon.Example{
		Name: question + "-wrong", Summary: "A body of another type", Params: inDemo, Body: `{"code": 7}`,
		Status: http.StatusUnprocessableEntity, Answer: wrongCode,
	}
	if body == "" {
		wrong.Summary, wrong.Params, wrong.Body, wrong.Answer = "An id that cannot be one", map[string]string{"id": "a b"}, "", wrongID
	}
	return []daemon.Example{
		{
			Name: question + "-busy", Summary: "In a session that is at something else",
			After: []string{"slow"}, Params: inDemo, Body: body,
			Status: http.StatusConflict, Answer: demoIsBusy,
		},
		{
			Name: question + "-nobody", Summary: "In an unknown session", Params: inNobody, Body: body,
			Status: http.StatusNotFound, Answer: nobody,
		},
		{
			Name: question + "-lost", Summary: "In one that is lost",
			After: []string{"hello", "the container ends"}, Params: inDemo, Body: body,
			Status: http.StatusGone, Answer: demoIsLost,
		},
		wrong,
	}
}
