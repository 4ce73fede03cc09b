package hostile_test

import "testing"

// Descriptors that are closed, or replaced, under the driver's feet.

func TestHostile_Descriptors(t *testing.T) { launch(t, descriptors) }

var descriptors = onslaught{"Closed and replaced descriptors", []attack{
	{name: "StandardStreamsClosed", cells: []cell{
		{runc: "ok error", code: "for fd in (0, 1, 2): os.close(fd)\nprint('to nobody')"},
		{runc: "ok", prints: "back\n", code: "print('back')"},
	}},
	{name: "StreamObjectsClosed", cells: []cell{
		{runc: "ok", code: "sys.stdout.close(); sys.stderr.close(); sys.stdin.close()"},
		{runc: "ok", prints: "back\n", code: "print('back')"},
	}},
	{name: "StreamsDetached", cells: []cell{
		{runc: "ok", code: "sys.stdout.detach(); sys.stderr.detach(); sys.stdin.detach()"},
		{runc: "ok", prints: "back\n", code: "print('back')"},
	}},
	{name: "StdoutReplacedByAFile", cells: []cell{
		{runc: "ok", code: "os.dup2(os.open('/tmp/out', os.O_CREAT | os.O_WRONLY), 1)\nprint('to the file')", prints: ""},
		{runc: "ok", prints: "to the file\n\n", code: "print(open('/tmp/out').read())"},
	}},
	{name: "StdoutReplacedByAPipeThatIsFull", cells: []cell{
		{runc: "timeout killed", timeout: 1, code: "ends = os.pipe(); os.dup2(ends[1], 1)\nwhile True: print('x' * 1000)"},
		{runc: "ok", prints: "back\n", code: "print('back')"},
	}},
	one("AllClosed", cell{runc: "crashed", code: "os.closerange(0, 256)\ntime.sleep(30)"}),
	one("AllReplacedByNull", cell{
		runc: "crashed",
		code: "null = os.open('/dev/null', os.O_RDWR)\nfor fd in range(256): attempt(os.dup2, null, fd)\ntime.sleep(30)",
	}),
	one("AllReplacedByAPipe", cell{
		runc: "crashed",
		code: "reader, writer = os.pipe()\nfor fd in range(256):\n    if fd != writer: attempt(os.dup2, writer, fd)\ntime.sleep(30)",
	}),
	{name: "AllClosedButTheControlSocket", cells: []cell{
		{runc: "ok", code: "line = control()\nfor fd in range(256):\n    if fd != line: attempt(os.close, fd)"},
		{runc: "ok", prints: "back\n", code: "print('back')"},
		{runc: "ok", prints: "and again\n", code: "print('and again')"},
	}},
	{name: "AllButTheControlSocketReplacedByAFile", cells: []cell{
		{runc: "ok", code: "line = control()\nfile = os.open('/tmp/out', os.O_CREAT | os.O_WRONLY)\nfor fd in range(256):\n    if fd != line: attempt(os.dup2, file, fd)"},
		{runc: "ok", code: "print('to its own file, or back')"},
		{runc: "ok", code: "os.system('true')"}, // a birth: the next cell gets pipes of its own
		{runc: "ok", prints: "back\n", code: "print('back')"},
	}},
	one("ControlSocketClosed", cell{runc: "crashed", code: "os.close(control())"}),
	one("ControlSocketShutDown", cell{
		runc: "crashed",
		code: "socket.socket(fileno=os.dup(control())).shutdown(socket.SHUT_RDWR)\ntime.sleep(30)",
	}),
	one("ControlSocketReplacedByItsOwn", cell{
		runc: "crashed",
		code: "line = control()\npair = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)\nos.dup2(pair[0].fileno(), line)",
	}),
	one("ControlSocketHeldElsewhere", cell{
		runc: "killed", timeout: 1,
		code: "line = control()\nheld = os.dup(line)\npair = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)\nos.dup2(pair[0].fileno(), line)",
	}),
	one("ControlSocketHeldByADaemonAfterDeath", cell{
		runc: "crashed",
		code: "held = os.dup(control())\ndetach(lambda: time.sleep(60))\nos._exit(3)",
	}),
	one("CloexecTakenOffAndExec", cell{
		runc: "killed timeout", timeout: 1,
		code: "for fd in range(256): attempt(os.set_inheritable, fd, True)\nos.execv(sys.executable, [sys.executable, '-S', '-c', 'import time; time.sleep(60)'])",
	}),
}}
