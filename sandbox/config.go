package sandbox

import "time"

// Config bounds what a Manager does. It may change while the Manager runs; see SetConfig.
type Config struct {
	Image       string // of a session that asks for none, and of the pool
	Limits      Limits // of a session that asks for nothing else
	MaxLimits   Ceilings
	MaxSessions int // at once; one more is CodeCapacity
	MaxStarting int // containers being started at once; further ones wait
	StartQueue  int // sessions that may wait for a start; one more is CodeCapacity
	Pool        PoolConfig
	// TTL and IdleTTL are how long sessions last that say nothing of it, MaxTTL and MaxIdleTTL the most that they may ask
	// for, at their creation and at each Extend. 0 is for ever.
	TTL, IdleTTL, MaxTTL, MaxIdleTTL time.Duration
	// StartTimeout bounds a session's creation, the wait for others' starts included.
	StartTimeout time.Duration
	// StopTimeout bounds the teardown of one session.
	StopTimeout time.Duration
	// ReconnectTimeout is how long a session is tried to be reached whose connection broke while its container may live;
	// then it is lost.
	ReconnectTimeout time.Duration
	// Lease ends a container to which no daemon has spoken for so long; 0 is never. It is fixed when a session starts.
	Lease time.Duration
	// LostKept is how long it is remembered why a session was lost, or that it expired.
	LostKept time.Duration
	// ResultsKept and MaxResults bound how long, and how many bytes of, ended executions can be looked up.
	ResultsKept time.Duration
	MaxResults  int64
	Execution   ExecutionConfig
	Files       FilesConfig
}

// Ceilings are the most that a session may ask for. As Config.MaxLimits, one below Config.Limits means that.
type Ceilings struct {
	Memory  int64   // bytes
	CPUs    float64 // cores
	Pids    int64   // processes and threads
	WorkDir int64   // bytes of the working directory
}

// Ceilings are those in force.
func (c Config) Ceilings() Ceilings {
	return Ceilings{
		Memory:  max(c.MaxLimits.Memory, c.Limits.Memory),
		CPUs:    max(c.MaxLimits.CPUs, c.Limits.CPUs),
		Pids:    max(c.MaxLimits.Pids, c.Limits.Pids),
		WorkDir: max(c.MaxLimits.WorkDir, c.Limits.WorkDir),
	}
}

// ExecutionConfig bounds one execution.
type ExecutionConfig struct {
	Timeout    time.Duration // where the request names none
	MaxTimeout time.Duration // the most that a request may ask for
	Grace      time.Duration // between the interrupt at the deadline and the kill
	Queue      int           // executions waiting in one session; one more is CodeBusy

	MaxContext     int64 // bytes of context, decoded
	MaxCode        int64 // bytes of code, and of setup code
	MaxStdout      int64 // bytes kept, each
	MaxStderr      int64
	MaxDisplay     int64 // bytes of all displays and the result together
	MaxLocals      int64 // bytes of all locals together
	MaxLocalsValue int64 // bytes of one local
	MaxEvents      int64 // events kept
}
