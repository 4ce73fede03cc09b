package rest

import (
	"github.com/gjyotin305/fastpyrepl/daemon"
	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/utils"
)

// SessionResponse says how a session is.
type SessionResponse struct {
	SessionID      string        `json:"session_id"`
	State          sandbox.State `json:"state"`
	ExecutionID    string        `json:"execution_id,omitempty"` // of the one that runs
	Queued         int           `json:"queued"`                 // executions that wait
	ExecutionCount int           `json:"execution_count"`
	StateLostAt    int           `json:"state_lost_at,omitzero"` // the execution that lost the variables
}

// sessionKey is the session that the path names.
func sessionKey(c *fiber.Ctx) (sandbox.Key, error) {
	id := utils.CopyString(c.Params("id"))
	if !sandbox.ValidSessionID(id) {
		return sandbox.Key{}, daemon.Invalid(daemon.Wrong("string_pattern_mismatch",
			"String should match pattern '"+sandbox.SessionIDPattern+"'", "path", "id"))
	}
	daemon.SetSession(c, id)
	return sandbox.Key{ID: id}, nil
}

func (h *Handler) getSession(c *fiber.Ctx) error {
	key, err := sessionKey(c)
	if err != nil {
		return err
	}
	info, err := h.manager.Session(key)
	if err != nil {
		return err
	}
	return daemon.WriteJSON(c, SessionResponse{
		SessionID:      info.ID,
		State:          info.State,
		ExecutionID:    info.Running,
		Queued:         info.Queued,
		ExecutionCount: info.ExecutionCount,
		StateLostAt:    info.StateLostAt,
	})
}

// deleteSession ends the session and answers when its container is gone. An unknown one is no error, as in /reset.
func (h *Handler) deleteSession(c *fiber.Ctx) error {
	key, err := sessionKey(c)
	if err != nil {
		return err
	}
	if err := h.manager.Reset(daemon.Context(c), key); err != nil {
		return err
	}
	return c.SendStatus(fiber.StatusNoContent)
}

// interruptSession asks the execution that runs to end. It answers at once: the execution says how it ended.
func (h *Handler) interruptSession(c *fiber.Ctx) error {
	key, err := sessionKey(c)
	if err != nil {
		return err
	}
	if err := h.manager.Interrupt(key); err != nil {
		return err
	}
	return c.SendStatus(fiber.StatusNoContent)
}

// getSessionEvents follows what threads and child processes write after the end of their execution.
func (h *Handler) getSessionEvents(c *fiber.Ctx) error {
	key, err := sessionKey(c)
	if err != nil {
		return err
	}
	after, err := resumeAfter(c)
	if err != nil {
		return err
	}
	feed, err := h.manager.Background(key)
	if err != nil {
		return err
	}
	as := encodingOf(c)
	if as == nil {
		as = &sse
	}
	as.stream(c, feed, nil, after, nil)
	return nil
}
