package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is one that takes part in a call, on the way there.
type process struct {
	name string
	pid  int
}

// usage is the CPU time of processes, summed over calls.
type usage struct {
	processes []process
	cpu       []time.Duration
	calls     int
}

// around adds what the processes use during f, which makes as many calls as it has samples.
func (u *usage) around(processes []process, f func() (samples, error)) (samples, error) {
	if u.processes == nil {
		u.processes, u.cpu = processes, make([]time.Duration, len(processes))
	}
	before, err := cpuTimes(processes)
	if err != nil {
		return nil, err
	}
	took, err := f()
	if err != nil {
		return nil, err
	}
	after, err := cpuTimes(processes)
	for i := range after {
		u.cpu[i] += after[i] - before[i]
	}
	u.calls += len(took)
	return took, err
}

// String is a line: each process, and their sum, in microseconds a call.
func (u *usage) String() string {
	var b strings.Builder
	var sum time.Duration
	for i, p := range u.processes {
		sum += u.cpu[i]
		fmt.Fprintf(&b, "%s %d, ", p.name, (u.cpu[i] / time.Duration(u.calls)).Microseconds())
	}
	fmt.Fprintf(&b, "together %d", (sum / time.Duration(u.calls)).Microseconds())
	return b.String()
}

// cpuTimes is what the threads of each process have used so far: from schedstat, which counts nanoseconds, where stat
// counts hundredths of a second.
func cpuTimes(processes []process) ([]time.Duration, error) {
	times := make([]time.Duration, len(processes))
	for i, p := range processes {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", p.pid))
		if err != nil || len(threads) == 0 {
			return nil, fmt.Errorf("no CPU times of the %s, process %d", p.name, p.pid)
		}
		for _, thread := range threads {
			b, err := os.ReadFile(thread)
			if errors.Is(err, os.ErrNotExist) { // it ended
				continue
			}
			if err != nil {
				return nil, err
			}
			running, _, _ := strings.Cut(string(b), " ")
			ns, err := strconv.ParseInt(running, 10, 64)
			if err != nil {
				return nil, err
			}
			times[i] += time.Duration(ns)
		}
	}
	return times, nil
}

// processes are those of an echo in the container named, and of an execution in the only session that there is.
func (b *bench) processes(ctx context.Context, echo string) (raw, ours []process, err error) {
	engine, err := b.engine.pid()
	if err != nil {
		return nil, nil, err
	}
	session, err := b.engine.findSession(ctx, b.daemon.owner)
	if err != nil {
		return nil, nil, err
	}
	program, err := b.engine.pidOf(ctx, echo)
	if err != nil {
		return nil, nil, err
	}
	supervisor, err := b.engine.pidOf(ctx, session.ID)
	if err != nil {
		return nil, nil, err
	}
	shims := [2]int{}
	for i, pid := range []int{program, supervisor} {
		if shims[i], err = parent(pid); err != nil {
			return nil, nil, err
		}
	}
	worker, err := child(supervisor)
	raw = []process{{"dockerd", engine}, {"shim", shims[0]}, {"program", program}}
	ours = []process{{"daemon", b.daemon.cmd.Process.Pid}, {"dockerd", engine}, {"shim", shims[1]}, {"supervisor", supervisor}, {"worker", worker}}
	return raw, ours, err
}

// pid is that of the engine, which listens on the socket.
func (e *engine) pid() (int, error) {
	conn, err := net.Dial("unix", e.socket)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	f, err := conn.(*net.UnixConn).File()
	if err != nil {
		return 0, err
	}
	defer f.Close()
	cred, err := syscall.GetsockoptUcred(int(f.Fd()), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	if err != nil {
		return 0, err
	}
	return int(cred.Pid), nil
}

// pidOf is a container's first process, as the host numbers it.
func (e *engine) pidOf(ctx context.Context, id string) (int, error) {
	var c struct{ State struct{ Pid int } }
	err := e.call(ctx, "GET", "/containers/"+id+"/json", nil, &c)
	return c.State.Pid, err
}

func parent(pid int) (int, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	return strconv.Atoi(fields[1])
}

func child(pid int) (int, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(b), " ")
	return strconv.Atoi(first)
}
