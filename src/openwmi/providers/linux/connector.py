"""The kernel's process connector: every fork, exec and exit of the machine, as messages on a netlink socket.

It answers a request to listen at once, or not at all: not outside the first network and process namespaces, and only
to who may administer the network. Whether it works is what that acknowledgement says, and nothing else.

    netlink header   length, type, flags, sequence, port
    connector        index, value, sequence (of each processor), acknowledgement, length, flags
    event            what, processor, nanoseconds since the boot, and by what it is:
                     fork   thread and process of the parent, thread and process of the child
                     exec   thread, process
                     exit   thread, process, status as wait(2) has it, signal, parent's thread and process
                     none   (the acknowledgement) an errno
"""

from __future__ import annotations

import errno
import os
import select
import socket
from struct import Struct
from time import monotonic
from typing import Final, NamedTuple

FORK: Final = 0x1
EXEC: Final = 0x2
EXIT: Final = 0x80000000
_NONE: Final = 0x0
_NO_PROCESSOR: Final = 0xFFFFFFFF
# How long the acknowledgement may take. The kernel queues it before send() returns; only silence costs this.
ACK_SECONDS: Final = 0.05
# What may wait in the socket, in bytes of the kernel's own memory: some 10,000 messages.
BUFFER: Final = 16 << 20
_AT_ONCE: Final = 256
_NETLINK: Final = 16  # AF_NETLINK
_CONNECTOR: Final = 11  # NETLINK_CONNECTOR
_BUFFER_FORCE: Final = 33  # SO_RCVBUFFORCE
_PROCESSES: Final = 1  # CN_IDX_PROC, CN_VAL_PROC
_LISTEN, _IGNORE = 1, 2  # PROC_CN_MCAST_*
_HEADER: Final = Struct("=IHHII")
_MESSAGE: Final = Struct("=IIIIHH")
_EVENT: Final = Struct("=IIQ")
_WORD: Final = Struct("=I")
_HEAD: Final = _HEADER.size + _MESSAGE.size
_BODIES: Final = {
    FORK: Struct("=iiii"),
    EXEC: Struct("=ii"),
    EXIT: Struct("=iiII"),
    _NONE: _WORD,
}


class Happening(NamedTuple):
    """One event. thread equals process where the first thread is meant. parent: 0 where the kernel does not say it.
    status: of an exit, as wait(2) has it. time: nanoseconds since the boot, on the monotonic clock."""

    what: int
    thread: int
    process: int
    parent: int
    status: int
    time: int


class Counted(NamedTuple):
    """A message with the processor that told it, and its number there. happening: None when it is none of ours."""

    processor: int
    number: int
    happening: Happening | None


class Acknowledgement(NamedTuple):
    """The answer to a request, which every listener hears. token: that of the request, plus one; error: an errno.

    processor and number: as of other messages, since newer kernels count it with them; older ones say no processor.
    """

    token: int
    error: int
    processor: int = _NO_PROCESSOR
    number: int = 0


def parsed(data: bytes) -> Counted | Acknowledgement | None:
    """What one datagram says; None when it is too short to say anything."""
    if len(data) < _HEAD + _EVENT.size:
        return None
    _, _, number, token, _, _ = _MESSAGE.unpack_from(data, _HEADER.size)
    what, processor, nanoseconds = _EVENT.unpack_from(data, _HEAD)
    body = _BODIES.get(what)
    at = _HEAD + _EVENT.size
    if body is None or len(data) < at + body.size:
        return Counted(processor, number, None)
    fields = body.unpack_from(data, at)
    if what == _NONE:
        return Acknowledgement(token, fields[0], processor, number)
    parent = status = 0
    if what == FORK:
        _, parent, thread, process = fields
    elif what == EXEC:
        thread, process = fields
    else:
        thread, process, status, _ = fields
    return Counted(processor, number, Happening(what, thread, process, parent, status, nanoseconds))


class Connector:
    """Listens from its making on. OSError where the kernel does not let this process listen."""

    def __init__(self, buffer: int = BUFFER) -> None:
        self._numbers: dict[int, int] = {}
        self._socket = socket.socket(_NETLINK, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, _CONNECTOR)
        try:
            try:
                self._socket.setsockopt(socket.SOL_SOCKET, _BUFFER_FORCE, buffer)
            except PermissionError:
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
            self._socket.bind((0, _PROCESSES))
            self._listen()
        except OSError:
            self._socket.close()
            raise

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        """Older kernels count listeners until they say that they go."""
        try:
            self._ask(_IGNORE)
        except OSError:
            pass
        self._socket.close()

    def read(self) -> tuple[list[Happening], int]:
        """What has happened and has not been read, some hundred events at a time; and how many messages were lost
        before them, because nobody read them in time."""
        found: list[Happening] = []
        lost = 0
        for _ in range(_AT_ONCE):
            try:
                data = self._socket.recv(1024)
            except BlockingIOError:
                break
            except OSError as reason:
                if reason.errno != errno.ENOBUFS:
                    raise
                continue  # the numbers of the messages that follow tell how many
            counted = parsed(data)
            if counted is None or counted.processor == _NO_PROCESSOR:
                continue
            lost += self._skipped(counted)
            if isinstance(counted, Counted) and counted.happening is not None:
                found.append(counted.happening)
        return found, lost

    def _skipped(self, counted: Counted | Acknowledgement) -> int:
        """How many messages of this processor are missing before this one: each processor counts its own."""
        expected = self._numbers.get(counted.processor, counted.number)
        self._numbers[counted.processor] = (counted.number + 1) & 0xFFFFFFFF
        return (counted.number - expected) & 0xFFFFFFFF

    def _ask(self, request: int, token: int = 0) -> None:
        message = _MESSAGE.pack(_PROCESSES, _PROCESSES, 0, token, _WORD.size, 0) + _WORD.pack(request)
        self._socket.send(_HEADER.pack(_HEADER.size + len(message), 3, 0, 0, 0) + message)  # 3: NLMSG_DONE

    def _listen(self) -> None:
        """PermissionError and the like from the kernel's own word; TimeoutError when it says nothing. What else is
        heard proves nothing: messages go to all, and they number processes as those see them who may listen."""
        token = int.from_bytes(os.urandom(3), "big")
        self._ask(_LISTEN, token)
        waiting = select.poll()
        waiting.register(self._socket, select.POLLIN)
        end = monotonic() + ACK_SECONDS
        while (left := end - monotonic()) > 0 and waiting.poll(left * 1000):
            answer = parsed(self._socket.recv(1024))
            if isinstance(answer, Acknowledgement) and answer.token == token + 1:
                if answer.error:
                    raise OSError(answer.error, os.strerror(answer.error))
                return
        raise TimeoutError(
            errno.ETIMEDOUT, "the kernel does not answer: another process namespace, or no connector"
        )
