package rest

import (
	"github.com/gjyotin305/fastpyrepl/daemon"
	"github.com/gjyotin305/fastpyrepl/daemon/jsonbody"
	"github.com/gofiber/fiber/v2"
)

// ResetRequest is the body of POST /reset.
type ResetRequest struct {
	SessionID *string `json:"session_id,omitzero" jsonschema:"none, or the empty string: all sessions"`
}

// ResetResponse is the answer of POST /reset.
type ResetResponse struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

// fields are those of ResetRequest.
func resetFields(session *string) []jsonbody.Field {
	return []jsonbody.Field{
		{Name: "session_id", Value: jsonbody.Nullable(jsonbody.Matching(session, sessionID, maxSessionID))},
	}
}

// reset ends a session, or all that the caller reaches. An unknown one is ended already.
func (h *Handler) reset(c *fiber.Ctx) error {
	body, err := daemon.ReadBody(c)
	if err != nil {
		return err
	}
	defer body.Close()
	var session string
	if err := body.Decode(resetFields(&session)); err != nil {
		return err
	}
	caller, resp := daemon.CallerOf(c), ResetResponse{Status: "ok", Message: "reset all sessions"}
	if session == "" {
		err = caller.ResetAll(daemon.Context(c), h.manager)
	} else {
		daemon.SetSession(c, session)
		resp.Message = "reset session " + session
		err = caller.Reset(daemon.Context(c), h.manager, session)
	}
	if err != nil {
		return err
	}
	return daemon.WriteJSON(c, resp)
}
