package rest

import (
	"time"

	"github.com/gjyotin305/fastpyrepl/sandbox"
)

// SessionRequest is the body of POST /v1/sessions. A pointer may be null or left out: then it is what the configuration says.
// Its bounds are in Handler.Schemas.
type SessionRequest struct {
	SessionID *string            `json:"session_id,omitzero" jsonschema:"none, or the empty string: a UUID"`
	Image     *string            `json:"image,omitzero" jsonschema:"a name that the configuration has"`
	Memory    *int64             `json:"memory,omitzero" jsonschema:"bytes. Files live in it: disk, with /tmp and /dev/shm, may take half"`
	CPUs      *float64           `json:"cpus,omitzero" jsonschema:"cores"`
	Pids      *int64             `json:"pids,omitzero" jsonschema:"processes and threads"`
	Disk      *int64             `json:"disk,omitzero" jsonschema:"bytes of the working directory"`
	Env       *map[string]string `json:"env,omitzero" jsonschema:"environment variables, none that the sandbox sets itself. At most 64 KiB of names and values"`
	Timeout   *float64           `json:"timeout,omitzero" jsonschema:"seconds, of executions that name none"`
	TTL       *float64           `json:"ttl,omitzero" jsonschema:"seconds that the session lasts. 0, where it is allowed, is for ever"`
	IdleTTL   *float64           `json:"idle_ttl,omitzero" jsonschema:"seconds that it lasts while nothing is executed in it. 0, where it is allowed, is for ever"`
	SetupCode *string            `json:"setup_code,omitzero" jsonschema:"runs once, before the session is anybody's"`
}

// SessionPatch is the body of PATCH /v1/sessions/{id}.
type SessionPatch struct {
	TTL     *float64 `json:"ttl,omitzero" jsonschema:"seconds from now. 0, where it is allowed, is for ever"`
	IdleTTL *float64 `json:"idle_ttl,omitzero" jsonschema:"seconds. 0, where it is allowed, is for ever"`
}

// SessionResponse says how a session is.
type SessionResponse struct {
	SessionID      string        `json:"session_id"`
	Owner          string        `json:"owner,omitempty" jsonschema:"the name of the API key that it belongs to, where there are keys"`
	State          sandbox.State `json:"state"`
	ExecutionID    string        `json:"execution_id,omitempty" jsonschema:"the execution that runs"`
	Queued         int           `json:"queued" jsonschema:"executions that wait"`
	ExecutionCount int           `json:"execution_count"`
	StateLostAt    int           `json:"state_lost_at,omitzero" jsonschema:"the execution at which the variables were lost, until one has said so"`

	Image     string         `json:"image" jsonschema:"its name, empty while the session starts"`
	Limits    *SessionLimits `json:"limits" jsonschema:"null while it starts"`
	Timeout   float64        `json:"timeout,omitzero" jsonschema:"seconds, of executions that name none, where the session has one of its own"`
	CreatedAt time.Time      `json:"created_at"`
	TTL       float64        `json:"ttl" jsonschema:"seconds that it lasts, 0 for ever"`
	IdleTTL   float64        `json:"idle_ttl" jsonschema:"seconds that it lasts while nothing is executed in it, 0 for ever"`
	ExpiresAt *time.Time     `json:"expires_at" jsonschema:"when it ends if nothing is done in it until then, null for never"`
	Usage     *SessionUsage  `json:"usage,omitempty" jsonschema:"where it was asked for, and the engine said so within a second"`
}

// SessionLimits bound a session.
type SessionLimits struct {
	Memory int64   `json:"memory" jsonschema:"bytes"`
	CPUs   float64 `json:"cpus" jsonschema:"cores"`
	Pids   int64   `json:"pids" jsonschema:"processes and threads"`
	Disk   int64   `json:"disk" jsonschema:"bytes of the working directory"`
}

// SessionUsage is what a session uses now.
type SessionUsage struct {
	Memory  int64   `json:"memory" jsonschema:"bytes, files included"`
	CPUTime float64 `json:"cpu_time" jsonschema:"seconds since its container started"`
	Pids    int64   `json:"pids" jsonschema:"processes and threads"`
}

// SessionList is the answer of GET /v1/sessions.
type SessionList struct {
	Sessions []SessionResponse `json:"sessions"`
}

func newSessionResponse(info sandbox.Info) SessionResponse {
	r := SessionResponse{
		SessionID:      info.Key.ID,
		Owner:          info.Key.Owner,
		State:          info.State,
		ExecutionID:    info.Running,
		Queued:         info.Queued,
		ExecutionCount: info.ExecutionCount,
		StateLostAt:    info.StateLostAt,
		Image:          info.Image,
		Timeout:        info.Timeout.Seconds(),
		CreatedAt:      info.Created.UTC(),
		TTL:            info.TTL.Seconds(),
		IdleTTL:        info.IdleTTL.Seconds(),
	}
	if l := info.Limits; l != (sandbox.Limits{}) {
		r.Limits = &SessionLimits{Memory: l.Memory, CPUs: l.CPUs, Pids: l.Pids, Disk: l.WorkDir}
	}
	if !info.Expires.IsZero() {
		at := info.Expires.UTC()
		r.ExpiresAt = &at
	}
	return r
}
