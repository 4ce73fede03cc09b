package rest

import (
	"net/http"

	"github.com/gjyotin305/fastpyrepl/daemon"
)

const (
	aReport = `{"name": "report 1.csv", "path": "data/report 1.csv", "type": "file", "size": 8, "mtime": "2026-11-24T21:51:03.409208088Z", "mode": "0644",
	"etag": "\"3-8-18eb19a2ca730b18-18eb19a2ca730b18\""}`
	theDirectory = `{"name": "data", "path": "data", "type": "directory", "size": 60, "mtime": "2026-11-24T21:51:03.409208088Z", "mode": "0755"}`

	wrongFilePath = `{"type": "/docs/errors#invalid", "title": "Invalid request", "status": 422,
	"detail": "path.path: Value error, the path has a component that is \"..\": paths lie below the working directory", "code": "invalid",
	"request_id": "4ad2d4b0-43ee-4f42-8e4a-ff25bb14f763",
	"errors": [{"type": "value_error", "loc": ["path", "path"], "msg": "Value error, the path has a component that is \"..\": paths lie below the working directory"}]}`
	noFile = `{"type": "/docs/errors#not_found", "title": "Not found", "status": 404, "detail": "no such file or directory", "code": "not_found",
	"request_id": "2c0ff14b-84f8-4267-8b05-d7bd0ee3f14d"}`
	aDirectoryIsThere = `{"type": "/docs/errors#conflict", "title": "Conflict", "status": 409, "detail": "a directory is there", "code": "conflict",
	"request_id": "2c0ff14b-84f8-4267-8b05-d7bd0ee3f14d"}`
	anotherByNow = `{"type": "/docs/errors#precondition", "title": "Precondition failed", "status": 412, "detail": "the file is another one by now",
	"code": "precondition", "request_id": "2c0ff14b-84f8-4267-8b05-d7bd0ee3f14d"}`
	diskIsFull = `{"type": "/docs/errors#no_space", "title": "No space", "status": 507, "detail": "8 bytes do not fit on the session's disk",
	"code": "no_space", "request_id": "2c0ff14b-84f8-4267-8b05-d7bd0ee3f14d"}`
)

const (
	report  = "data/report 1.csv"
	textCSV = "text/csv"
)

// file are the parameters that name one, and others in pairs.
func file(path string, more ...string) map[string]string {
	params := map[string]string{"id": "demo", "path": path}
	for i := 0; i < len(more); i += 2 {
		params[more[i]] = more[i+1]
	}
	return params
}

var putFileExamples = []daemon.Example{
	{
		Name: "put", Summary: "A new file",
		After: []string{"hello"}, Params: file(report), Body: "a,b\n1,2\n", Type: textCSV,
		Status: http.StatusCreated, Answer: aReport,
	},
	{
		Name: "put-again", Summary: "The same again",
		After: []string{"hello", "put"}, Params: file(report), Body: "a,b\n3,4\n", Type: textCSV,
		Status: http.StatusOK, Answer: aReport,
	},
	{
		Name: "put-new", Summary: "Only if it is not there",
		After: []string{"hello", "put"}, Params: file(report, "If-None-Match", "*"), Body: "a,b\n5,6\n", Type: textCSV,
		Status: http.StatusPreconditionFailed,
		Answer: `{"type": "/docs/errors#precondition", "title": "Precondition failed", "status": 412, "detail": "something is there already",
			"code": "precondition", "request_id": "2c0ff14b-84f8-4267-8b05-d7bd0ee3f14d"}`,
	},
	{
		Name: "put-directory", Summary: "In the place of a directory",
		After: []string{"hello", "put"}, Params: file("data"), Body: "x", Type: textCSV,
		Status: http.StatusConflict, Answer: aDirectoryIsThere,
	},
	{
		Name: "put-full", Summary: "A full disk",
		After: []string{"hello", "the disk is full"}, Params: file(report), Body: "a,b\n1,2\n", Type: textCSV,
		Status: http.StatusInsufficientStorage, Answer: diskIsFull,
	},
	{
		Name: "put-climbs", Summary: "A path that climbs",
		After: []string{"hello"}, Params: file("data/../report.csv"), Body: "x", Type: textCSV,
		Status: http.StatusUnprocessableEntity, Answer: wrongFilePath,
	},
	{
		Name: "put-nobody", Summary: "A session that there is not",
		Params: map[string]string{"id": "nobody", "path": "report.csv"}, Body: "x", Type: textCSV,
		Status: http.StatusNotFound, Answer: nobody,
	},
	{
		Name: "put-lost", Summary: "One whose container has ended",
		After: []string{"hello", "the container ends"}, Params: file("report.csv"), Body: "x", Type: textCSV,
		Status: http.StatusGone, Answer: demoIsLost,
	},
}

var getFileExamples = []daemon.Example{
	{
		Name: "get", Summary: "A file",
		After: []string{"hello", "put"}, Params: file(report), Status: http.StatusOK,
	},
	{
		Name: "get-part", Summary: "A part of it",
		After: []string{"hello", "put"}, Params: file(report, "Range", "bytes=4-"), Status: http.StatusPartialContent,
	},
	{
		Name: "get-beyond", Summary: "A part that it does not have",
		After: []string{"hello", "put"}, Params: file(report, "Range", "bytes=8-"), Status: http.StatusRequestedRangeNotSatisfiable,
		Answer: `{"type": "/docs/errors#range", "title": "Range not satisfiable", "status": 416, "detail": "the file has 8 bytes", "code": "range",
			"request_id": "2c0ff14b-84f8-4267-8b05-d7bd0ee3f14d"}`,
	},
	{
		Name: "get-known", Summary: "One that the client has",
		After: []string{"hello", "put"}, Params: file(report, "If-None-Match", "*"), Status: http.StatusNotModified,
	},
	{
		Name: "get-other", Summary: "One that is another by now",
		After: []string{"hello", "put", "put-again"}, Params: file(report, "If-Match", `"3-8-18eb19a2ca730b18-18eb19a2ca730b18"`),
		Status: http.StatusPreconditionFailed, Answer: anotherByNow,
	},
	{
		Name: "get-directory", Summary: "What is in a directory",
		After: []string{"hello", "put"}, Params: file("data"), Status: http.StatusOK,
		Answer: `{"path": "data", "entries": [` + aReport + `], "truncated": false}`,
	},
	{
		Name: "get-tar", Summary: "All of it",
		After: []string{"hello", "put"}, Params: file("data"), Accept: mediaTar, Status: http.StatusOK,
	},
	{
		Name: "get-link", Summary: "A link",
		After: []string{"hello", "a link is made"}, Params: file("link"), Status: http.StatusConflict,
		Answer: `{"type": "/docs/errors#conflict", "title": "Conflict", "status": 409, "detail": "it is a link, which is not followed", "code": "conflict",
			"request_id": "2c0ff14b-84f8-4267-8b05-d7bd0ee3f14d"}`,
	},
	{
		Name: "get-nothing", Summary: "Nothing",
		After: []string{"hello"}, Params: file("nothing"), Status: http.StatusNotFound, Answer: noFile,
	},
	{
		Name: "get-climbs", Summary: "A path that climbs",
		After: []string{"hello"}, Params: file("../passwd"), Status: http.StatusUnprocessableEntity, Answer: wrongFilePath,
	},
	{
		Name: "get-lost", Summary: "A session whose container has ended",
		After: []string{"hello", "the container ends"}, Params: file(report), Status: http.StatusGone, Answer: demoIsLost,
	},
}

var headFileExamples = []daemon.Example{
	{
		Name: "head", Summary: "A file",
		After: []string{"hello", "put"}, Params: file(report), Status: http.StatusOK,
	},
	{
		Name: "head-known", Summary: "One that the client has",
		After: []string{"hello", "put"}, Params: file(report, "If-None-Match", "*"), Status: http.StatusNotModified,
	},
	{
		Name: "head-other", Summary: "One that is another by now",
		After: []string{"hello", "put", "put-again"}, Params: file(report, "If-Match", `"3-8-18eb19a2ca730b18-18eb19a2ca730b18"`),
		Status: http.StatusPreconditionFailed,
	},
	{
		Name: "head-link", Summary: "A link",
		After: []string{"hello", "a link is made"}, Params: file("link"), Status: http.StatusConflict,
	},
	{
		Name: "head-nothing", Summary: "Nothing",
		After: []string{"hello"}, Params: file("nothing"), Status: http.StatusNotFound,
	},
	{
		Name: "head-climbs", Summary: "A path that climbs",
		After: []string{"hello"}, Params: file("../passwd"), Status: http.StatusUnprocessableEntity,
	},
	{
		Name: "head-lost", Summary: "A session whose container has ended",
		After: []string{"hello", "the container ends"}, Params: file(report), Status: http.StatusGone,
	},
}

var listFilesExamples = []daemon.Example{
	{
		Name: "list-files", Summary: "What is in the working directory",
		After: []string{"hello", "put"}, Params: map[string]string{"id": "demo"}, Status: http.StatusOK,
		Answer: `{"path": "", "entries": [` + theDirectory + `], "truncated": false}`,
	},
	{
		Name: "list-all", Summary: "What is in the working directory, and below",
		After: []string{"hello", "put"}, Params: map[string]string{"id": "demo", "recursive": "true"}, Status: http.StatusOK,
		Answer: `{"path": "", "entries": [` + theDirectory + `, ` + aReport + `], "truncated": false}`,
	},
	{
		Name: "list-part", Summary: "The first of it",
		After: []string{"hello", "put"}, Params: map[string]string{"id": "demo", "recursive": "true", "limit": "1"}, Status: http.StatusOK,
		Answer: `{"path": "", "entries": [` + theDirectory + `], "truncated": true, "next": "64617461"}`,
	},
	{
		Name: "list-rest", Summary: "The rest",
		After: []string{"hello", "put"}, Params: map[string]string{"id": "demo", "recursive": "true", "after": "64617461"}, Status: http.StatusOK,
		Answer: `{"path": "", "entries": [` + aReport + `], "truncated": false}`,
	},
	{
		Name: "all-files", Summary: "All of it",
		After: []string{"hello", "put"}, Params: map[string]string{"id": "demo", "format": "tar"}, Status: http.StatusOK,
	},
	{
		Name: "list-files-nobody", Summary: "A session that there is not",
		Params: map[string]string{"id": "nobody"}, Status: http.StatusNotFound, Answer: nobody,
	},
	{
		Name: "list-files-lost", Summary: "One whose container has ended",
		After: []string{"hello", "the container ends"}, Params: map[string]string{"id": "demo"}, Status: http.StatusGone, Answer: demoIsLost,
	},
	{
		Name: "list-files-wrong", Summary: "Neither true nor false",
		Params: map[string]string{"id": "nobody", "recursive": "perhaps"}, Status: http.StatusUnprocessableEntity,
		Answer: `{"type": "/docs/errors#invalid", "title": "Invalid request", "status": 422, "detail": "query.recursive: Input should be 'true' or 'false'",
			"code": "invalid", "request_id": "4ad2d4b0-43ee-4f42-8e4a-ff25bb14f763",
			"errors": [{"type": "bool_parsing", "loc": ["query", "recursive"], "msg": "Input should be 'true' or 'false'"}]}`,
	},
}

const (
	formOfTwo = "--b\r\nContent-Disposition: form-data; name=\"a\"; filename=\"data/report 1.csv\"\r\n\r\na,b\n1,2\n\r\n" +
		"--b\r\nContent-Disposition: form-data; name=\"b\"; filename=\"data\"\r\n\r\nx\r\n--b--\r\n"
	formOfOne  = "--b\r\nContent-Disposition: form-data; name=\"a\"; filename=\"report 1.csv\"\r\n\r\na,b\n1,2\n\r\n--b--\r\n"
	formOfNone = "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx\r\n--b--\r\n"
	form       = "multipart/form-data; boundary=b"
)

var postFilesExamples = []daemon.Example{
	{
		Name: "post", Summary: "The files of a form",
		After: []string{"hello"}, Params: map[string]string{"id": "demo"}, Body: formOfOne, Type: form,
		Status: http.StatusOK,
		Answer: `{"written": [{"name": "report 1.csv", "path": "report 1.csv", "type": "file", "size": 8, "mtime": "2026-11-24T21:51:03.409208088Z",
			"mode": "0644", "etag": "\"3-8-18eb19a2ca730b18-18eb19a2ca730b18\"", "created": true}]}`,
	},
	{
		Name: "post-below", Summary: "Below a directory",
		After: []string{"hello"}, Params: map[string]string{"id": "demo", "path": "data"}, Body: formOfOne, Type: form,
		Status: http.StatusOK,
		Answer: `{"written": [{"name": "report 1.csv", "path": "data/report 1.csv", "type": "file", "size": 8, "mtime": "2026-11-24T21:51:03.409208088Z",
			"mode": "0644", "etag": "\"3-8-18eb19a2ca730b18-18eb19a2ca730b18\"", "created": true}]}`,
	},
	{
		Name: "post-partly", Summary: "One after which another cannot be written",
		After: []string{"hello"}, Params: map[string]string{"id": "demo"}, Body: formOfTwo, Type: form,
		Status: http.StatusConflict,
		Answer: `{"type": "/docs/errors#conflict", "title": "Conflict", "status": 409, "detail": "\"data\": a directory is there", "code": "conflict",
			"request_id": "2c0ff14b-84f8-4267-8b05-d7bd0ee3f14d", "written": ["data/report 1.csv"]}`,
	},
	{
		Name: "post-full", Summary: "A full disk",
		After: []string{"hello", "the disk is full"}, Params: map[string]string{"id": "demo"}, Body: formOfOne, Type: form,
		Status: http.StatusInsufficientStorage,
		Answer: `{"type": "/docs/errors#no_space", "title": "No space", "status": 507, "detail": "\"report 1.csv\": the session's disk is full",
			"code": "no_space", "request_id": "2c0ff14b-84f8-4267-8b05-d7bd0ee3f14d"}`,
	},
	{
		Name: "post-unnamed", Summary: "A part that is no file",
		After: []string{"hello"}, Params: map[string]string{"id": "demo"}, Body: formOfNone, Type: form,
		Status: http.StatusUnprocessableEntity,
		Answer: `{"type": "/docs/errors#invalid", "title": "Invalid request", "status": 422,
			"detail": "body: Value error, part \"a\" has no filename, which is the path that it is written to", "code": "invalid",
			"request_id": "4ad2d4b0-43ee-4f42-8e4a-ff25bb14f763",
			"errors": [{"type": "value_error", "loc": ["body"], "msg": "Value error, part \"a\" has no filename, which is the path that it is written to"}]}`,
	},
	{
		Name: "post-nobody", Summary: "A session that there is not",
		Params: map[string]string{"id": "nobody"}, Body: formOfOne, Type: form,
		Status: http.StatusNotFound, Answer: nobody,
	},
	{
		Name: "post-lost", Summary: "One whose container has ended",
		After: []string{"hello", "the container ends"}, Params: map[string]string{"id": "demo"}, Body: formOfOne, Type: form,
		Status: http.StatusGone, Answer: demoIsLost,
	},
}

var deleteFileExamples = []daemon.Example{
	{
		Name: "remove", Summary: "A file",
		After: []string{"hello", "put"}, Params: file(report), Status: http.StatusNoContent,
	},
	{
		Name: "remove-all", Summary: "A directory with all that is in it",
		After: []string{"hello", "put"}, Params: file("data", "recursive", "true"), Status: http.StatusNoContent,
	},
	{
		Name: "remove-full", Summary: "A directory that is not empty",
		After: []string{"hello", "put"}, Params: file("data"), Status: http.StatusConflict,
		Answer: `{"type": "/docs/errors#conflict", "title": "Conflict", "status": 409, "detail": "the directory is not empty", "code": "conflict",
			"request_id": "2c0ff14b-84f8-4267-8b05-d7bd0ee3f14d"}`,
	},
	{
		Name: "remove-other", Summary: "One that is another by now",
		After: []string{"hello", "put", "put-again"}, Params: file(report, "If-Match", `"3-8-18eb19a2ca730b18-18eb19a2ca730b18"`),
		Status: http.StatusPreconditionFailed, Answer: anotherByNow,
	},
	{
		Name: "remove-nothing", Summary: "Nothing",
		After: []string{"hello"}, Params: file("nothing"), Status: http.StatusNotFound, Answer: noFile,
	},
	{
		Name: "remove-climbs", Summary: "A path that climbs",
		After: []string{"hello"}, Params: file("../passwd"), Status: http.StatusUnprocessableEntity, Answer: wrongFilePath,
	},
	{
		Name: "remove-lost", Summary: "A session whose container has ended",
		After: []string{"hello", "the container ends"}, Params: file(report), Status: http.StatusGone, Answer: demoIsLost,
	},
}
