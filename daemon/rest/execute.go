package rest

import (
	"github.com/gjyotin305/fastpyrepl/daemon"
	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/gofiber/fiber/v2"
)

// execute queues the code, waits, and renders the result.
func (h *Handler) execute(c *fiber.Ctx) error {
	body, err := daemon.ReadBody(c)
	if err != nil {
		return err
	}
	defer body.Close()
	x, err := h.start(c, body)
	if err != nil {
		return err
	}
	result, err := x.Wait(daemon.Context(c))
	if err != nil {
		return err
	}
	return daemon.WriteJSON(c, newExecuteResponse(result, x.Created()))
}

// start decodes the request and queues it. The body's bytes are freed meanwhile.
func (h *Handler) start(c *fiber.Ctx, body *daemon.Body) (*sandbox.Execution, error) {
	req := executeRequest{create: true}
	if err := body.Decode(req.fields(h.limits.Load())); err != nil {
		return nil, err
	}
	body.Drop(req.held())
	daemon.SetSession(c, req.session)
	x, err := h.manager.Execute(daemon.Context(c), sandbox.Key{ID: req.session}, req.sandbox())
	if err != nil {
		return nil, err
	}
	daemon.SetSession(c, x.Session())
	return x, nil
}
