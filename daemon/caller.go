package daemon

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gjyotin305/fastpyrepl/daemon/audit"
	"github.com/gjyotin305/fastpyrepl/daemon/auth"
	"github.com/gjyotin305/fastpyrepl/daemon/metrics"
	"github.com/gjyotin305/fastpyrepl/daemon/tracing"
	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/gofiber/fiber/v2"
)

// Caller is who sent a request. Dialects name sessions and executions through it alone, so that nobody reaches another
// key's, and begin and end them through it, so that the bounds of the key hold and the audit log has them. It may be used
// after the handler has returned.
type Caller struct {
	owner     string
	everybody bool           // an administrator who named no owner
	identity  *auth.Identity // nil where the daemon has no keys, and on open routes
	audit     *audit.Log     // nil for none
	metrics   *metrics.Metrics
	who       audit.Who
}

// Manager is the subset of sandbox.Manager that a Caller uses.
type Manager interface {
	Execute(ctx context.Context, key sandbox.Key, req sandbox.Request) (*sandbox.Execution, error)
	Create(ctx context.Context, key sandbox.Key, req sandbox.Request) (sandbox.Info, error)
	Reset(ctx context.Context, key sandbox.Key) error
	ResetAll(ctx context.Context, mine func(owner string) bool) error
	Interrupt(key sandbox.Key) error
	Extend(key sandbox.Key, ttl, idle *time.Duration) (sandbox.Info, error)
}

// CallerOf is who sent the request.
func CallerOf(c *fiber.Ctx) *Caller { return &scopeOf(c).caller }

// Owner is whose sessions and executions the request is about.
func (c *Caller) Owner() string { return c.owner }

// Key names a session of the caller's.
func (c *Caller) Key(id string) sandbox.Key { return sandbox.Key{Owner: c.owner, ID: id} }

// Reaches tells whether what owner has is the caller's to list and to reset.
func (c *Caller) Reaches(owner string) bool { return c.everybody || owner == c.owner }

// Allow counts a message against the rate of the caller's key, as every request is. Its error is the answer to one too
// many.
func (c *Caller) Allow() error {
	if c.identity == nil {
		return nil
	}
	return exhausted(c.identity.Take(time.Now()))
}

// Execute is m's Execute for a session of the caller's, within the bounds of the key. The execution is in the audit log
// when it ends.
func (c *Caller) Execute(ctx context.Context, m Manager, id string, req sandbox.Request) (*sandbox.Execution, error) {
	claim, claimed := tracing.Claim(ctx)
	x, begun, err := c.execute(claim, m, id, req)
	claimed(err == nil && begun && x.Created(), err)
	switch {
	case err != nil:
		c.metrics.Refused(err)
	case begun:
		tracing.Execution(ctx, x)
	}
	return x, err
}

// execute is Execute; begun tells whether the execution was not there before.
func (c *Caller) execute(ctx context.Context, m Manager, id string, req sandbox.Request) (x *sandbox.Execution, begun bool, err error) {
	if c.identity == nil && c.audit == nil && req.IdempotencyKey == "" { // there is nothing to find out
		x, err = m.Execute(ctx, c.Key(id), req)
		return x, true, err
	}
	c.bound(&req)
	asked := c.audit.Asked(req)
	var came atomic.Bool // else it is one that was there, found by its idempotency key
	req.Began = func(x *sandbox.Execution) {
		came.Store(true)
		c.audit.Began(c.who, asked, x)
	}
	x, err = m.Execute(ctx, c.Key(id), req)
	return x, came.Load(), err
}

// Create is m's Create for a session of the caller's, within the bounds of the key.
func (c *Caller) Create(ctx context.Context, m Manager, id string, req sandbox.Request) (sandbox.Info, error) {
	c.bound(&req)
	if c.audit != nil && req.SetupCode != "" {
		asked := c.audit.Asked(req)
		req.Began = func(x *sandbox.Execution) { c.audit.Began(c.who, asked, x) }
	}
	ctx, claimed := tracing.Claim(ctx)
	info, err := m.Create(ctx, c.Key(id), req)
	claimed(err == nil, err)
	if err == nil {
		c.audit.Created(c.who, info.Key.ID)
	}
	return info, err
}

// bound sets the bounds of the key, where there is one.
func (c *Caller) bound(req *sandbox.Request) {
	if c.identity != nil {
		req.MaxSessions, req.Admit = c.identity.MaxSessions(), c.begin
	}
}

// begin counts an execution of the key's.
func (c *Caller) begin() (leave func(), err error) {
	leave, limit := c.identity.Begin()
	if leave == nil {
		return nil, &Error{
			Status:     http.StatusTooManyRequests,
			Code:       codeExecutions,
			Detail:     fmt.Sprintf("key %s has %d executions under way, which is the most that it may", c.identity.Name, limit),
			RetryAfter: time.Second,
		}
	}
	return leave, nil
}

// Interrupt is m's Interrupt for a session of the caller's.
func (c *Caller) Interrupt(m Manager, id string) error {
	if err := m.Interrupt(c.Key(id)); err != nil {
		return err
	}
	c.audit.Interrupted(c.who, id)
	return nil
}

// Extend is m's Extend for a session of the caller's.
func (c *Caller) Extend(m Manager, id string, ttl, idle *time.Duration) (sandbox.Info, error) {
	info, err := m.Extend(c.Key(id), ttl, idle)
	if err == nil {
		c.audit.Changed(c.who, id, ttl, idle)
	}
	return info, err
}

// Reset is m's Reset for a session of the caller's.
func (c *Caller) Reset(ctx context.Context, m Manager, id string) error {
	if err := m.Reset(ctx, c.Key(id)); err != nil {
		return err
	}
	c.audit.Reset(c.who, id)
	return nil
}

// ResetAll is m's ResetAll for all that the caller reaches.
func (c *Caller) ResetAll(ctx context.Context, m Manager) error {
	if err := m.ResetAll(ctx, c.Reaches); err != nil {
		return err
	}
	c.audit.Reset(c.who, "")
	return nil
}
