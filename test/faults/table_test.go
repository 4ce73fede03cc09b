package faults_test

import (
	"os"
	"path/filepath"
	"syscall"
	"time"
)

const second = time.Second

// goesOn is what it means for most faults, that a session goes on; the code itself takes 2 s.
func goesOn(within time.Duration) cell { return cell{ends: "ok", within: within} }

func refused(within time.Duration, says string) cell {
	return cell{ends: "503", within: within, says: says}
}

func lost(within time.Duration, says string) cell {
	return cell{ends: "lost", within: within, says: says}
}

const (
	engineFailed = "the container engine failed: "
	engineSilent = "the container engine did not answer in time: "
	tryAgain     = "a container could not be removed; it will be tried again"
)

var faults = []fault{
	{
		name: "DaemonKilled", what: "the daemon is killed (kill -9), and started again",
		begin: func(s *scene) error { s.d.kill(); return nil }, end: func(s *scene) error { s.d.start(); return nil }, away: true,
		cells: [states]cell{idle: goesOn(20 * second), executing: goesOn(20 * second), streaming: goesOn(20 * second),
			creating: goesOn(20 * second), resetting: goesOn(20 * second)},
	},
	{
		name: "DaemonTerminated", what: "the daemon is stopped (SIGTERM, `on_shutdown: keep`), and started again",
		begin: func(s *scene) error { s.d.signal(syscall.SIGTERM); return nil },
		end:   func(s *scene) error { <-s.d.exited; s.d.start(); return nil }, away: true,
		cells: [states]cell{idle: goesOn(25 * second), executing: goesOn(25 * second), streaming: goesOn(25 * second),
			creating: goesOn(25 * second), resetting: goesOn(25 * second)},
	},
	{
		name: "DaemonOutOfFiles", what: "clients open more connections than a daemon of few files (`ulimit -n 160`) can have, for 3 s",
		begin: crowd, lasts: 3 * second, end: disperse, away: true, refuses: true,
		cells: [states]cell{idle: goesOn(10 * second), executing: goesOn(10 * second), streaming: goesOn(10 * second),
			creating: goesOn(10 * second), resetting: goesOn(10 * second)},
	},
	{
		name: "DaemonStarved", what: "the daemon may open no more files than it has (its limit is lowered), for 3 s",
		begin: starve, lasts: 3 * second, end: feed, away: true,
		cells: [states]cell{idle: goesOn(15 * second), executing: goesOn(15 * second), streaming: goesOn(15 * second),
			creating: goesOn(20 * second), resetting: goesOn(20 * second)},
	},
	{
		name: "EngineKilled", what: "the engine is killed, and started again after 2 s",
		begin: func(*scene) error { return rig.engine.kill() }, lasts: 2 * second, end: func(s *scene) error { return rig.engine.start(s.ctx) },
		endsAll: true,
		cells: [states]cell{idle: lost(20*second, "its container ended with status 137"), executing: lost(20*second, "its container ended with status 137"),
			streaming: lost(20*second, "its container ended with status 137"), creating: refused(20*second, engineFailed),
			resetting: {ends: "ok 503", within: 20 * second, says: tryAgain}},
	},
	{
		name: "EngineAway", what: "the engine is killed, and started again after 9 s, which is longer than `sessions.reconnect_timeout` is here",
		begin: func(*scene) error { return rig.engine.kill() }, lasts: 9 * second, end: func(s *scene) error { return rig.engine.start(s.ctx) },
		endsAll: true, long: true,
		cells: [states]cell{idle: lost(20*second, "its container could not be reached"), executing: lost(20*second, "its container could not be reached"),
			streaming: lost(20*second, "its container could not be reached"), creating: refused(20*second, engineFailed),
			resetting: refused(20*second, tryAgain)},
	},
	{
		name: "EngineStopped", what: "the engine does nothing for 6 s (SIGSTOP)",
		begin: func(*scene) error { return rig.engine.signal(syscall.SIGSTOP) }, lasts: 6 * second,
		end: func(*scene) error { return rig.engine.signal(syscall.SIGCONT) },
		cells: [states]cell{idle: goesOn(15 * second), executing: goesOn(15 * second), streaming: goesOn(15 * second),
			creating: refused(15*second, engineSilent), resetting: refused(15*second, tryAgain)},
	},
	{
		name: "SocketGone", what: "the engine's socket is removed for 3 s; what is connected stays so",
		begin: func(*scene) error { return rig.proxy.gone() }, lasts: 3 * second, end: func(*scene) error { return rig.proxy.open() },
		cells: [states]cell{idle: goesOn(5 * second), executing: goesOn(10 * second), streaming: goesOn(10 * second),
			creating: refused(10*second, engineFailed), resetting: {ends: "ok 503", within: 15 * second, says: tryAgain}},
	},
	{
		name: "SocketForbidden", what: "the daemon may not use the engine's socket for 3 s; what is connected stays so",
		begin: func(*scene) error { return rig.proxy.forbidden() }, lasts: 3 * second,
		end: func(*scene) error { return os.Chmod(rig.proxy.path, 0o666) },
		cells: [states]cell{idle: goesOn(5 * second), executing: goesOn(10 * second), streaming: goesOn(10 * second),
			creating: refused(10*second, engineFailed), resetting: {ends: "ok 503", within: 15 * second, says: tryAgain}},
	},
	{
		name: "ConnectionsCut", what: "every connection to the engine breaks",
		begin: func(*scene) error { return rig.proxy.cut() },
		cells: [states]cell{idle: goesOn(10 * second), executing: goesOn(10 * second), streaming: goesOn(10 * second),
			creating: refused(10*second, engineFailed), resetting: goesOn(10 * second)},
	},
	{
		name: "StreamsStalled", what: "nothing that containers say or are told gets through for 4 s",
		begin: func(s *scene) error { s.undo = rig.proxy.stall(); return nil }, lasts: 4 * second,
		end: func(s *scene) error { s.undo(); return nil },
		cells: [states]cell{idle: goesOn(15 * second), executing: goesOn(15 * second), streaming: goesOn(15 * second),
			creating: goesOn(20 * second), resetting: goesOn(10 * second)},
	},
	{
		name: "StreamsBroken", what: "the engine's framing of what containers say is corrupted once",
		begin: func(s *scene) error { return s.garble(0) }, started: true,
		cells: [states]cell{idle: goesOn(10 * second), executing: goesOn(10 * second), streaming: goesOn(10 * second),
			creating: refused(10*second, "the session's driver did not come up"), resetting: goesOn(10 * second)},
	},
	{
		name: "StreamsCorrupted", what: "a byte of what containers say is changed once",
		begin: func(s *scene) error { return s.garble(60) }, started: true,
		cells: [states]cell{idle: lost(10*second, "its container broke the protocol"), executing: lost(10*second, "its container broke the protocol"),
			streaming: lost(10*second, "its container broke the protocol"),
			creating:  refused(20*second, "the session's driver did not come up"), resetting: goesOn(10 * second)},
	},
	{
		name: "ReadersStalled", what: "four clients ask for streams without end, and do not read them",
		begin: stallReaders, lasts: 4 * second, end: leaveReaders,
		cells: [states]cell{idle: goesOn(5 * second), executing: goesOn(10 * second), streaming: goesOn(10 * second),
			creating: goesOn(10 * second), resetting: goesOn(10 * second)},
	},
	{
		name: "AnswersCorrupted", what: "the engine's answers are nonsense for 3 s; streams are not",
		begin: func(s *scene) error { s.undo = rig.proxy.spoils(); return nil }, lasts: 3 * second,
		end: func(s *scene) error { s.undo(); return nil }, create: true,
		cells: [states]cell{idle: goesOn(5 * second), executing: goesOn(10 * second), streaming: goesOn(10 * second),
			creating: refused(10*second, engineFailed), resetting: {ends: "ok 503", within: 15 * second, says: tryAgain}},
	},
	{
		name: "ContainersKilled", what: "containers are killed from outside",
		begin: func(s *scene) error { return s.each(s.engine("kill")) }, started: true,
		cells: [states]cell{idle: lost(10*second, "its container ended with status 137"), executing: lost(10*second, "its container ended with status 137"),
			streaming: lost(10*second, "its container ended with status 137"), creating: refused(10*second, "the session's driver did not come up"), resetting: goesOn(10 * second)},
	},
	{
		name: "ContainersRemoved", what: "containers are removed from outside",
		begin: func(s *scene) error { return s.each(s.engine("rm", "--force")) }, started: true,
		cells: [states]cell{idle: lost(10*second, "its container ended with status 137"), executing: lost(10*second, "its container ended with status 137"),
			streaming: lost(10*second, "its container ended with status 137"), creating: refused(10*second, "the session's driver did not come up"), resetting: goesOn(10 * second)},
	},
	{
		name: "ContainersPaused", what: "containers are paused from outside for 4 s",
		begin: func(s *scene) error { return s.each(s.engine("pause")) }, started: true, lasts: 4 * second,
		end: func(s *scene) error { return s.each(s.engine("unpause")) },
		cells: [states]cell{idle: goesOn(12 * second), executing: goesOn(15 * second), streaming: goesOn(15 * second),
			creating: goesOn(15 * second), resetting: goesOn(10 * second)},
	},
	{
		name: "ContainersPausedForLong", what: "containers are paused from outside for 32 s, which is longer than an execution here may take",
		begin: func(s *scene) error { return s.each(s.engine("pause")) }, started: true, lasts: 32 * second,
		end: func(s *scene) error { _ = s.each(s.engine("unpause")); return nil }, long: true, // those that were given up are gone
		cells: [states]cell{idle: lost(35*second, "its driver did not answer in time"), executing: lost(35*second, "its driver did not answer in time"),
			streaming: lost(35*second, "its driver did not answer in time"),
			creating:  refused(20*second, "the session's driver did not come up"), resetting: goesOn(10 * second)},
	},
	{
		name: "ImagesRemoved", what: "images are removed (`docker rmi -f`); the engine keeps those of containers that run",
		begin: removeImages, end: bringImages, create: true, image: "other",
		cells: [states]cell{idle: goesOn(5 * second), executing: goesOn(10 * second), streaming: goesOn(10 * second),
			creating: refused(15*second, "is not here and cannot be pulled"), resetting: goesOn(10 * second)},
	},
	{
		name: "RuntimeBroken", what: "the engine's OCI runtime fails for 3 s",
		begin: func(*scene) error { return os.WriteFile(rig.engine.brokenRuntime(), nil, 0o644) }, lasts: 3 * second,
		end: func(*scene) error { return os.Remove(rig.engine.brokenRuntime()) },
		cells: [states]cell{idle: goesOn(5 * second), executing: goesOn(10 * second), streaming: goesOn(10 * second),
			creating: refused(10*second, engineFailed), resetting: {ends: "ok 503", within: 15 * second, says: tryAgain}},
	},
	{
		name: "DiskFull", what: "the disk under the engine, and under the daemon's state, is full for 3 s",
		begin: func(*scene) error { return fill(rig.engine.disk) }, lasts: 3 * second,
		end: func(*scene) error { return os.Remove(filepath.Join(rig.engine.disk, "filler")) },
		cells: [states]cell{idle: goesOn(5 * second), executing: goesOn(10 * second), streaming: goesOn(10 * second),
			creating: refused(10*second, engineFailed), resetting: goesOn(10 * second)},
	},
}
