package sandbox

// Stats counts what a Manager has.
type Stats struct {
	Starting, Idle, Busy int // sessions, by state
	Ending               int // sessions that are over and whose containers are not gone yet
	Queued               int // executions that wait
	Warm                 int // containers that wait for a session
	WarmStarting         int // containers being started for the pool
	WarmTarget           int // that the pool is to have
	WarmFailures         int // starts for the pool that failed, since the last that did not
	WaitingStarts        int // sessions that wait for the start of a container
	Gone                 int // sessions of which it is remembered why they are gone
	MaxSessions          int // that may be at once
}

// Stats counts what there is now.
func (m *Manager) Stats() Stats {
	m.mu.Lock()
	stats := Stats{
		Ending:        len(m.ending),
		Warm:          len(m.pool.ready),
		WarmStarting:  m.pool.starting,
		WarmTarget:    m.pool.target,
		WarmFailures:  m.pool.failures,
		WaitingStarts: len(m.starts.waiting),
		Gone:          len(m.gone.stones),
		MaxSessions:   m.cfg.MaxSessions,
	}
	m.mu.Unlock()
	for _, info := range m.Sessions(func(string) bool { return true }) {
		switch info.State {
		case StateStarting:
			stats.Starting++
		case StateIdle:
			stats.Idle++
		case StateBusy:
			stats.Busy++
		}
		stats.Queued += info.Queued
	}
	return stats
}
