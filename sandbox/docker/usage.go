package docker

import (
	"context"
	"io"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/go-json-experiment/json"

	"github.com/gjyotin305/fastpyrepl/sandbox"
)

const maxStats = 1 << 20 // bytes of the engine's answer

// Usage reads what the container uses now, files in its working directory and /tmp included.
func (i *Instance) Usage(ctx context.Context) (sandbox.Usage, error) {
	ctx, cancel := context.WithTimeout(ctx, i.runtime.config.RequestTimeout)
	defer cancel()
	resp, err := i.runtime.client.ContainerStatsOneShot(ctx, i.id)
	if err != nil {
		if i.gone(ctx, err) {
			return sandbox.Usage{}, ended("read usage")
		}
		return sandbox.Usage{}, engineError("read usage", err)
	}
	defer resp.Body.Close()
	var stats container.StatsResponse
	if err := json.UnmarshalRead(io.LimitReader(resp.Body, maxStats), &stats); err != nil {
		return sandbox.Usage{}, engineError("read usage", err)
	}
	// A container that does not run has no processes; the engine says so without an error.
	if stats.PidsStats.Current == 0 && stats.MemoryStats.Usage == 0 {
		return sandbox.Usage{}, ended("read usage")
	}
	return sandbox.Usage{
		Memory:  int64(memoryInUse(stats.MemoryStats)),
		CPUTime: time.Duration(stats.CPUStats.CPUUsage.TotalUsage),
		Pids:    int64(stats.PidsStats.Current),
	}, nil
}

// memoryInUse leaves out file pages that the kernel gives back when they are wanted, under the name that each version of
// cgroups has for them.
func memoryInUse(m container.MemoryStats) uint64 {
	for _, name := range []string{"total_inactive_file", "inactive_file"} {
		if cached, ok := m.Stats[name]; ok && cached < m.Usage {
			return m.Usage - cached
		}
	}
	return m.Usage
}
