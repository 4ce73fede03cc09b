package rest

import (
	"fmt"

	"github.com/gjyotin305/fastpyrepl/daemon"
	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/gofiber/fiber/v2"
)

// execute queues the code, and answers with the result, with its events as they come, or at once. The client of a
// blocking answer may leave: the code runs on, to its end or its deadline.
func (h *Handler) execute(c *fiber.Ctx) error {
	body, err := daemon.ReadBody(c)
	if err != nil {
		return err
	}
	req, x, err := h.start(c, body)
	if err != nil {
		body.Close()
		return err
	}
	x.OnEnd(body.Close) // until then it may hold what the body brought, whoever waits for it
	if req.detach {
		return pending(c, x)
	}
	if as := encodingOf(c); as != nil {
		var onLeave func()
		if req.interruptsOnLeave() {
			onLeave = func() { _ = x.Interrupt() } // a session that cannot be told is lost, and says so itself
		}
		as.stream(c, x, x, 0, onLeave)
		return nil
	}
	result, err := x.Wait(daemon.Context(c))
	if err != nil {
		return err
	}
	defer x.Delivered()
	return daemon.WriteJSON(c, newExecuteResponse(result, x.Created()))
}

// start decodes the request and queues it. The body's bytes are freed; what was decoded from them still counts.
func (h *Handler) start(c *fiber.Ctx, body *daemon.Body) (*executeRequest, *sandbox.Execution, error) {
	req := &executeRequest{create: true, idempotencyKey: string(c.Request().Header.Peek("Idempotency-Key"))}
	wrong := body.Decode(req.fields(h.limits.Load()))
	if len(req.idempotencyKey) > sandbox.MaxIdempotencyKey {
		wrong = daemon.Invalid(daemon.Wrong("string_too_long",
			fmt.Sprintf("Value should have at most %d bytes", sandbox.MaxIdempotencyKey), "header", "idempotency-key"))
	}
	if wrong != nil {
		return nil, nil, wrong
	}
	body.Drop(req.held())
	daemon.SetSession(c, req.session)
	x, err := daemon.CallerOf(c).Execute(daemon.Context(c), h.manager, req.session, req.sandbox())
	if err != nil {
		return nil, nil, err
	}
	daemon.SetExecution(c, x)
	return req, x, nil
}
