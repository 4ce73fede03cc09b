"""Messages between the supervisor, its template and its worker.

They travel over SEQPACKET sockets, whose packets arrive whole or not at all. A message is one packet, or several: the first says
the size of the whole, the others begin with MORE.
"""

from __future__ import annotations

from .private import BUILTINS  # first: see there

__builtins__ = BUILTINS

import struct

import _socket  # the socket module would bring selectors along

# Supervisor to worker, and to the template.
EXECUTE = 0x01  # TASK, options as a marshalled tuple, and the code in UTF-8; with the cell's stdout and stderr, or for those of the last
BLOB = 0x02  # the next bytes of the execution's context, then of its stdin; one packet each
ACK = 0x03  # the message of this number was passed on
INPUT = 0x04  # answer to the INPUT_REQUEST of this number: NO_INPUT or HAS_INPUT and text
LIMITS = 0x05  # LIMITS_BODY
FORK = 0x06  # make a worker of the socket that comes along
MAKE_ROOM = 0x07  # descriptors come next: make room for them
QUESTION = 0x08  # the type and the payload of a question

# Worker to supervisor. DISPLAY, RESULT, ERROR, LOCALS and INPUT_REQUEST have the numbers they have in wire.
READY = 0x11
DONE = 0x12  # REPORT
CLEARED = 0x13  # no interrupt of an earlier execution is pending: interrupts count for this one from now on
ANSWER = 0x15  # to the QUESTION of this number, in one packet; empty when there is none
LEFT_OUT = 0x14  # COUNT: so many bytes of DISPLAYs, or of the RESULT, ERROR, LOCALS or an INPUT_REQUEST, are not sent

MORE = 0x7F
HAS_INPUT, NO_INPUT = b"+", b"-"

MAX_PACKET = 64 << 10  # bytes
FIRST = struct.Struct(">BII")  # kind, number, size of the whole message
ROOM = MAX_PACKET - FIRST.size  # bytes of a message that its first packet carries

TASK = struct.Struct(">IdBI")  # number of the cell, deadline, whether an interrupt of an earlier one may be pending, bytes of the options

# How a cell ended, as the worker says: raised, whether it can go on with these stdout and stderr, duration, CPU time, peak of memory.
# The supervisor decides on every other outcome.
REPORT = struct.Struct(">BcddQ")
KEPT, NOT_KEPT = b"+", b"-"
COUNT = struct.Struct(">BQ")  # kind, bytes
LIMITS_BODY = struct.Struct(">Qd")  # of the container: bytes of memory, and cores; 0 is unknown

SCM_CREDENTIALS = 2
CREDENTIALS = struct.Struct("iII")  # of the sender, as the kernel knows it: pid, uid, gid
CREDENTIALS_SPACE = _socket.CMSG_SPACE(CREDENTIALS.size)  # exactly: no room for descriptors that a worker might attach
DESCRIPTOR = struct.Struct("i")


def pair() -> tuple[_socket.socket, _socket.socket]:
    """Returns two connected ends; the first learns who sent what it receives."""
    here, there = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET | _socket.SOCK_CLOEXEC)
    here.setsockopt(_socket.SOL_SOCKET, _socket.SO_PASSCRED, 1)
    return here, there


def packets(kind: int, number: int, body: bytes) -> list[bytes]:
    """Cuts a message into packets."""
    cut = [FIRST.pack(kind, number, len(body)) + body[:ROOM]]
    for start in range(ROOM, len(body), MAX_PACKET - 1):
        cut.append(b"\x7f" + body[start : start + MAX_PACKET - 1])
    return cut


def descriptors(*fds: int) -> list[tuple[int, int, bytes]]:
    """Returns the ancillary data that hands descriptors over."""
    return [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, b"".join(map(DESCRIPTOR.pack, fds)))]


def received(ancillary: list[tuple[int, int, bytes]]) -> list[int]:
    """Returns the descriptors that came with a packet."""
    fds = []
    for level, kind, data in ancillary:
        if level == _socket.SOL_SOCKET and kind == _socket.SCM_RIGHTS:
            fds += [fd for (fd,) in DESCRIPTOR.iter_unpack(data)]
    return fds


def sender(ancillary: list[tuple[int, int, bytes]]) -> int:
    """Returns the pid of a packet's sender, 0 when the packet does not tell."""
    for level, kind, data in ancillary:
        if level == _socket.SOL_SOCKET and kind == SCM_CREDENTIALS and len(data) == CREDENTIALS.size:
            return CREDENTIALS.unpack(data)[0]
    return 0
