package rest

import (
	"net/http"

	"github.com/gjyotin305/fastpyrepl/daemon"
	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/utils"
)

// PendingResponse is the answer for an execution that has not ended.
type PendingResponse struct {
	ExecutionID    string `json:"execution_id"`
	SessionID      string `json:"session_id"`
	SessionCreated bool   `json:"session_created" jsonschema:"whether the request created the session"`
}

func pending(c *fiber.Ctx, x *sandbox.Execution) error {
	c.Status(http.StatusAccepted)
	c.Set(fiber.HeaderLocation, "/v1/executions/"+x.ID())
	return daemon.WriteJSON(c, PendingResponse{ExecutionID: x.ID(), SessionID: x.Session(), SessionCreated: x.Created()})
}

// execution finds the one that the path names. Who asks for another owner's is told that there is none.
func (h *Handler) execution(c *fiber.Ctx) (*sandbox.Execution, error) {
	x, err := h.manager.Execution(daemon.CallerOf(c).Owner(), utils.CopyString(c.Params("id")))
	if err != nil {
		return nil, err
	}
	daemon.SetExecution(c, x)
	return x, nil
}

// getExecution answers with the result, or 202 while there is none.
func (h *Handler) getExecution(c *fiber.Ctx) error {
	x, err := h.execution(c)
	if err != nil {
		return err
	}
	if result := x.Result(); result != nil {
		defer x.Delivered()
		return daemon.WriteJSON(c, newExecuteResponse(result, x.Created()))
	}
	return pending(c, x)
}

// getExecutionEvents replays the events from where the client wants, and goes on live.
func (h *Handler) getExecutionEvents(c *fiber.Ctx) error {
	x, err := h.execution(c)
	if err != nil {
		return err
	}
	after, err := resumeAfter(c)
	if err != nil {
		return err
	}
	as := encodingOf(c)
	if as == nil {
		as = &sse
	}
	as.stream(c, x, x, after, nil)
	return nil
}
