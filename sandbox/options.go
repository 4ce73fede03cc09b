package sandbox

import (
	"cmp"
	"fmt"
	"time"
)

// SessionOptions are what a session may ask for at its creation. The zero value asks for what the configuration says.
type SessionOptions struct {
	Image   string  // a name from the allow-list
	Memory  int64   // bytes
	CPUs    float64 // cores
	Pids    int64
	WorkDir int64 // bytes of the working directory
	Env     map[string]string
	// Timeout is that of executions which name none.
	Timeout time.Duration
	// TTL is how long the session lasts, and IdleTTL how long it lasts while nothing is executed in it and no file
	// transferred. 0 is for ever; nil is the configuration's.
	TTL, IdleTTL *time.Duration
}

// limits are those of a session with these options. What is above a ceiling is CodeInvalid.
func (o SessionOptions) limits(cfg Config) (Limits, error) {
	l, most := cfg.Limits, cfg.Ceilings()
	if err := ask(&l.Memory, o.Memory, most.Memory, "memory", "bytes"); err != nil {
		return l, err
	}
	if err := ask(&l.CPUs, o.CPUs, most.CPUs, "cpus", "cores"); err != nil {
		return l, err
	}
	if err := ask(&l.Pids, o.Pids, most.Pids, "pids", "processes"); err != nil {
		return l, err
	}
	if err := ask(&l.WorkDir, o.WorkDir, most.WorkDir, "disk", "bytes"); err != nil {
		return l, err
	}
	if o.Memory != 0 || o.WorkDir != 0 {
		return o.fit(l)
	}
	return l, nil
}

// leastDisk is what the working directory, /tmp and /dev/shm each have at least, in bytes.
const leastDisk = 1 << 20

// fit makes those disks that were not asked for as small as the memory makes necessary. They live in it: were they more than
// half of it, a full disk would be an OOM kill instead of an error.
func (o SessionOptions) fit(l Limits) (Limits, error) {
	sizes, room, disks := []*int64{&l.WorkDir, &l.Tmp, &l.Shm}, l.Memory/2, l.WorkDir+l.Tmp+l.Shm
	if disks <= room {
		return l, nil
	}
	total := disks
	if o.WorkDir != 0 {
		sizes, room, total = sizes[1:], room-l.WorkDir, total-l.WorkDir
	}
	share := float64(room) / float64(total)
	for _, size := range sizes {
		const page = 4 << 10
		if *size = int64(float64(*size)*share) / page * page; *size < leastDisk {
			return l, Errorf(CodeInvalid, "memory of %d bytes is too little for disk, /tmp and /dev/shm of %d bytes together: they live in it, and may take half", l.Memory, disks)
		}
	}
	return l, nil
}

// ask sets a limit to what was asked for, unless that is 0.
func ask[T int64 | float64](limit *T, asked, most T, name, unit string) error {
	switch {
	case asked == 0:
	case asked < 0 || asked > most:
		return Errorf(CodeInvalid, "%s is %v %s, it must be above 0 and at most %v", name, asked, unit, most)
	default:
		*limit = asked
	}
	return nil
}

// lifetimes are how long a session with these options lasts.
func (o SessionOptions) lifetimes(cfg Config) (ttl, idle time.Duration, err error) {
	ttl, idle = cfg.TTL, cfg.IdleTTL
	if o.TTL != nil {
		ttl = *o.TTL
	}
	if o.IdleTTL != nil {
		idle = *o.IdleTTL
	}
	if err := checkLifetime("ttl", ttl, cfg.MaxTTL); err != nil {
		return 0, 0, err
	}
	return ttl, idle, checkLifetime("idle_ttl", idle, cfg.MaxIdleTTL)
}

// checkLifetime refuses what is beyond the ceiling; a ceiling of 0 allows everything.
func checkLifetime(name string, asked, most time.Duration) error {
	switch {
	case asked < 0:
		return Errorf(CodeInvalid, "%s is %s, it must not be below 0", name, asked)
	case most > 0 && asked == 0:
		return Errorf(CodeInvalid, "%s is 0, which is for ever: it must be at most %s", name, most)
	case most > 0 && asked > most:
		return Errorf(CodeInvalid, "%s is %s, it must be at most %s", name, asked, most)
	}
	return nil
}

// spec is the container that a session with these options needs.
func (o SessionOptions) spec(cfg Config) (Spec, error) {
	limits, err := o.limits(cfg)
	if err != nil {
		return Spec{}, err
	}
	if o.Timeout < 0 || o.Timeout > cfg.Execution.MaxTimeout {
		return Spec{}, Errorf(CodeInvalid, "timeout is %s, it must be above 0 and at most %s", o.Timeout, cfg.Execution.MaxTimeout)
	}
	return Spec{Image: cmp.Or(o.Image, cfg.Image), Limits: limits, Preload: cfg.Pool.Preload, Env: o.Env, Lease: cfg.Lease}, nil
}

// validate checks what can be checked before anything is started.
func (o SessionOptions) validate(cfg Config) error {
	if _, _, err := o.lifetimes(cfg); err != nil {
		return err
	}
	if _, err := o.spec(cfg); err != nil {
		return err
	}
	return nil
}

func (l Limits) String() string {
	return fmt.Sprintf("memory %d, cpus %g, pids %d, workdir %d, tmp %d, shm %d, inodes %d, nofile %d",
		l.Memory, l.CPUs, l.Pids, l.WorkDir, l.Tmp, l.Shm, l.Inodes, l.NoFile)
}
