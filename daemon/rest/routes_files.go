package rest

import (
	"net/http"

	"github.com/gjyotin305/fastpyrepl/daemon"
	"github.com/gofiber/fiber/v2"
	"github.com/google/jsonschema-go/jsonschema"
)

// ofFiles is the table of the files of sessions.
func (h *Handler) ofFiles() []daemon.Route {
	gone := []int{http.StatusNotFound, http.StatusConflict, http.StatusGone, http.StatusUnprocessableEntity, http.StatusServiceUnavailable}
	and := func(others ...int) []int { return append(others, gone...) }
	return []daemon.Route{
		{
			Method:   http.MethodGet,
			Path:     "/v1/sessions/:id/files",
			Summary:  "What is in the working directory, or with `format=tar` all of it",
			Params:   []daemon.Param{sessionIDParam, recursiveList, limitParam, afterParam, formatParam},
			Out:      FileListing{},
			Answers:  []daemon.Answer{archive},
			Errors:   []int{http.StatusNotFound, http.StatusGone, http.StatusUnprocessableEntity, http.StatusServiceUnavailable},
			Examples: listFilesExamples,
			Handler:  h.getFile,
		},
		{
			Method:  http.MethodPost,
			Path:    "/v1/sessions/:id/files",
			Summary: "Writes several files: the parts of a form, or what is in a tar",
			Details: postDetails,
			Params:  []daemon.Param{sessionIDParam, basePath},
			Takes: []daemon.Media{
				{Type: fiber.MIMEMultipartForm, Schema: &jsonschema.Schema{
					Type: "object", AdditionalProperties: &jsonschema.Schema{Type: "string"},
				}},
				{Type: mediaTar, Schema: &jsonschema.Schema{Type: "string"}},
			},
			Out:      FilesWritten{},
			Errors:   and(http.StatusInsufficientStorage),
			Examples: postFilesExamples,
			Handler:  h.postFiles,
		},
		{
			Method:  http.MethodGet,
			Path:    "/v1/sessions/:id/files/*",
			Summary: "A file, or a part of it; of a directory what is in it, or with `format=tar` all of it",
			Details: getFileDetails,
			Params: []daemon.Param{
				sessionIDParam, filePathParam, rangeParam, ifRangeParam, ifNoneMatchParam, ifMatchParam, recursiveList, limitParam, afterParam, formatParam,
			},
			Out:      FileListing{},
			Answers:  []daemon.Answer{archive, wholeFile, partOfFile, notModified},
			Errors:   and(http.StatusPreconditionFailed, http.StatusRequestedRangeNotSatisfiable),
			Examples: getFileExamples,
			Handler:  h.getFile,
		},
		{
			Method:   http.MethodHead,
			Path:     "/v1/sessions/:id/files/*",
			Summary:  "What GET would say of a file, without its bytes",
			Params:   []daemon.Param{sessionIDParam, filePathParam, ifNoneMatchParam, ifMatchParam},
			Answers:  []daemon.Answer{{Status: http.StatusOK, Meaning: "The file, or the directory, is there."}, notModified},
			Errors:   and(http.StatusPreconditionFailed),
			Examples: headFileExamples,
			Handler:  h.headFile,
		},
		{
			Method:   http.MethodPut,
			Path:     "/v1/sessions/:id/files/*",
			Summary:  "Writes a file whole, and the directories on its way",
			Details:  putDetails,
			Params:   []daemon.Param{sessionIDParam, filePathParam, ifMatchParam, ifNewParam},
			Takes:    []daemon.Media{{Type: "*/*", Schema: &jsonschema.Schema{Type: "string"}}},
			Out:      FileEntry{},
			Answers:  []daemon.Answer{newFile},
			Errors:   and(http.StatusPreconditionFailed, http.StatusInsufficientStorage),
			Examples: putFileExamples,
			Handler:  h.putFile,
		},
		{
			Method:   http.MethodDelete,
			Path:     "/v1/sessions/:id/files/*",
			Summary:  "Removes a file, a link itself, an empty directory, or with `recursive=true` any",
			Params:   []daemon.Param{sessionIDParam, filePathParam, recursiveRemoval, ifMatchParam},
			Answers:  []daemon.Answer{{Status: http.StatusNoContent, Meaning: "It is gone."}},
			Errors:   and(http.StatusPreconditionFailed),
			Examples: deleteFileExamples,
			Handler:  h.deleteFile,
		},
	}
}

func textParam(in, name, meaning string) daemon.Param {
	return daemon.Param{In: in, Name: name, Meaning: meaning, Schema: &jsonschema.Schema{Type: "string"}}
}

func flagParam(name, meaning string) daemon.Param {
	return daemon.Param{In: "query", Name: name, Meaning: meaning, Schema: &jsonschema.Schema{Type: "boolean", Default: []byte("false")}}
}

var (
	filePathParam = textParam("path", "path", "of the file, below the working directory: names between single slashes, each with its escapes. A slash at the end asks "+
		"for a directory")
	basePath         = textParam("query", "path", "of the directory that the files are written below; none is the working directory")
	rangeParam       = textParam("header", "Range", "A part of the file: `bytes=0-99`, `bytes=100-`, or `bytes=-100`. What is none, or of several, gets the whole.")
	ifRangeParam     = textParam("header", "If-Range", "The ETag of the file that Range means; of another one the answer is the whole.")
	ifMatchParam     = textParam("header", "If-Match", "ETags of which the file must have one; `*` is any.")
	ifNoneMatchParam = textParam("header", "If-None-Match", "ETags of files that the client has; `*` is any.")
	ifNewParam       = daemon.Param{
		In: "header", Name: "If-None-Match", Meaning: "`*`: nothing may be there.", Schema: &jsonschema.Schema{Type: "string", Enum: []any{"*"}},
	}
	afterParam    = textParam("query", "after", "`next` of the listing that this one goes on from")
	recursiveList = flagParam("recursive", "Whether what is in the directories below is listed, too.")
	limitParam    = daemon.Param{
		In: "query", Name: "limit", Meaning: "Entries of the listing. 0, and more than files.max_list, is as many as may be.",
		Schema: &jsonschema.Schema{Type: "integer", Minimum: jsonschema.Ptr(0.0)},
	}
	formatParam = daemon.Param{
		In: "query", Name: "format", Meaning: "`tar`: all of a directory as a tar, as with `Accept: application/x-tar`.",
		Schema: &jsonschema.Schema{Type: "string", Enum: []any{"tar"}},
	}
	recursiveRemoval = flagParam("recursive", "Whether a directory is removed with all that is in it.")

	fileHeaders = map[string]string{
		"ETag": "Changes with the content.", "Last-Modified": "When the file was written.",
	}
	archive     = daemon.Answer{Status: http.StatusOK, Meaning: "The file, the listing, or the tar.", MediaType: mediaTar}
	wholeFile   = daemon.Answer{Status: http.StatusOK, Meaning: "The file, the listing, or the tar.", MediaType: "*/*"}
	partOfFile  = daemon.Answer{Status: http.StatusPartialContent, Meaning: "A part of the file.", MediaType: "*/*", Headers: fileHeaders}
	notModified = daemon.Answer{Status: http.StatusNotModified, Meaning: "The client has the file.", Headers: fileHeaders}
	newFile     = daemon.Answer{
		Status: http.StatusCreated, Meaning: "It was not there before.", Body: FileEntry{}, Headers: map[string]string{"ETag": "Changes with the content."},
	}
)

const getFileDetails = "A link is never followed, and no answer is one that a browser shows as a page. The length is said before; of a file that becomes " +
	"shorter meanwhile the connection is cut off. A file that is replaced meanwhile is sent as it was; one that a program writes in place may come " +
	"in parts of several versions: its ETag is another one afterwards.\n\n" +
	"A tar has the regular files and directories, in order; links and what else there is are left out."

const putDetails = "The file appears whole when all of the body has come, in the place of what has its name, unless that is a directory. While the body comes, and " +
	"when it does not come to its end, nothing is changed. It works while code runs."

const postDetails = "A part of a form is written to its `filename`, which may be a path. Of a tar, regular files and directories are written; a link, a device, or " +
	"a path that does not lie below ends the request. Each file appears whole. An error says in `written` which were written before it."
