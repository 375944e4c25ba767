"""Host processes, in which providers with such a HostingModel run: one for each account and group (F-03).

One thread of the service starts, feeds and watches them all. It lives as long as the service's process, because the
kernel ends a host process with the thread that started it. A host process that dies, on its own or by a signal at any
moment, fails the calls that run in it; the next call starts another one. What a host process uses is looked at every
second: too much ends it (calls.md H10, H12).
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from openwmi.model.errors import WbemError, error
from openwmi.model.status import (
    WBEM_E_PROVIDER_FAILURE,
    WBEM_E_PROVIDER_LOAD_FAILURE,
    WBEM_E_QUOTA_VIOLATION,
    WBEM_E_SHUTTING_DOWN,
)
from openwmi.service.registered import frames as fr
from openwmi.service.registered.registration import DECOUPLED

if TYPE_CHECKING:
    from collections.abc import Callable

    from openwmi.service.limits import HostQuotas
    from openwmi.service.registered.registration import HostName

POLL_SECONDS: Final = 1.0
# How soon to look again after a process that has been killed.
BURIAL_SECONDS: Final = 0.01
# Bytes that may wait in either direction before the other side counts as broken.
MAX_WAITING: Final = 64 << 20
# Calls that have ended and may still tell of a failure.
MOST_LATE: Final = 1000
# Exit codes of hosted.py.
OUT_OF_MEMORY: Final = 75
NOT_THE_USER: Final = 77
_START: Final = (
    "import sys; sys.path[:] = sys.argv[7:]; from openwmi.service.registered.hosted import main;"
    " main(sys.argv[1], *map(int, sys.argv[2:6]), sys.argv[6])"
)
# What a host process sees of the service's environment, which may hold secrets.
_KEPT: Final = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "OPENWMI_HOME")


class Channel:
    """What a host process says to one call: read by the call's thread, filled by the watching one."""

    __slots__ = ("_changed", "_closed", "_failure", "_waiting", "frames", "late", "progress")

    def __init__(
        self,
        progress: Callable[[bytes], object] | None = None,
        *,
        late: Callable[[bytes], object] | None = None,
    ) -> None:
        """late: takes what fails after the call's end."""
        self._changed = threading.Condition()
        self.frames: list[tuple[bytes, bytes]] = []
        self._waiting = 0
        self._failure: WbemError | None = None
        self._closed = False
        self.progress = progress
        self.late = late

    def put(self, kind: bytes, payload: bytes) -> bool:
        """Take a frame; False when too much is waiting."""
        if kind == fr.PROGRESS:
            if self.progress is not None:
                self.progress(payload)
            return True
        with self._changed:
            if not self._closed:
                self.frames.append((kind, payload))
                self._waiting += len(payload)
                self._changed.notify()
            return self._waiting <= MAX_WAITING

    def fail(self, failure: WbemError) -> None:
        """The process is gone: what has come is still read."""
        with self._changed:
            self._failure = failure
            self._changed.notify()

    def close(self) -> None:
        """Nobody reads any more; one who waits is woken."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def take(self, seconds: float | None) -> tuple[bytes, bytes] | None:
        """The next frame; None when time ran out or the channel was closed. Raises the process's end."""
        with self._changed:
            self._changed.wait_for(lambda: self.frames or self._failure or self._closed, seconds)
            if self._closed:
                return None
            if self.frames:
                kind, payload = self.frames.pop(0)
                self._waiting -= len(payload)
                return kind, payload
            if self._failure is not None:
                raise self._failure
            return None


class HostProcess:
    """One host process. Calls are begun on any thread; bytes move on the watching one.

    counted: towards the number of processes that there may be.
    """

    counted = True

    def __init__(self, name: HostName, quotas: HostQuotas, watch: HostProcesses) -> None:
        self.name = name
        self.quotas = quotas
        self.failure: WbemError | None = None  # why it is gone, or to be gone
        self.pid: int | None = None
        self.out = bytearray()
        self.objects = 0
        self._watch = watch
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._frames = fr.Frames()
        self._channels: dict[int, Channel] = {}
        self._late: dict[int, Callable[[bytes], object]] = {}  # of calls that have ended, the oldest first
        self._classes: dict[str, Any] = {}
        self._calls = 0
        self._lock = threading.RLock()

    @property
    def alive(self) -> bool:
        return self.failure is None

    @property
    def usable(self) -> bool:
        """Whether calls may begin in it."""
        return self.alive

    def fileno(self) -> int:
        return self._socket.fileno() if self._socket is not None else -1

    # Any thread

    def begin(
        self, channel: Channel, kind: bytes, content: Any, class_: tuple[str, Any, Any] | None = None
    ) -> int:
        """Send what begins a call; its number. class_: key, class and the content that defines it, sent if new."""
        with self._lock:
            if self.failure is not None:
                raise self.failure
            self._calls = self._calls % 0xFFFFFFFF + 1
            call = self._calls
            message = b""
            try:
                if class_ is not None and self._classes.get(class_[0]) is not class_[1]:
                    message = fr.frame(fr.CLASS, 0, class_[2]())
                    self._classes[class_[0]] = class_[1]
                message += fr.frame(kind, call, content)
            except (fr.FrameError, TypeError) as failure:
                raise error(
                    WBEM_E_PROVIDER_FAILURE, f"the request cannot travel to its host: {failure}"
                ) from None
            self._channels[call] = channel
            self._send(message)
            return call

    def say(self, kind: bytes, call: int, content: Any = None) -> None:
        """Send something that has no answer; a process that is gone does not mind."""
        with self._lock:
            if self.failure is None and (call == 0 or call in self._channels):
                self._send(fr.frame(kind, call, content))

    def forget(self, call: int) -> None:
        """The call has ended, or nobody waits for it any more."""
        with self._lock:
            channel = self._channels.pop(call, None)
            if channel is not None and channel.late is not None:
                self._late[call] = channel.late
                if len(self._late) > MOST_LATE:
                    del self._late[next(iter(self._late))]

    def _send(self, message: bytes) -> None:
        if len(self.out) > MAX_WAITING:
            raise error(
                WBEM_E_PROVIDER_FAILURE, f"the host process of {self.name.account} takes no more requests"
            )
        self.out += message
        self._watch.wake()

    def end(self, failure: WbemError) -> None:
        """Kill it and all it has started; its calls fail for this reason."""
        with self._lock:
            if self.failure is not None:
                return
            self.failure = failure
            channels = list(self._channels.values())
            self._channels.clear()
        for channel in channels:
            channel.fail(failure)
        self._kill()
        self._watch.wake()

    def _kill(self) -> None:
        if self.pid is not None:
            try:
                os.killpg(self.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass

    # The watching thread

    def start(self) -> None:
        """Start the process. Whatever keeps it from starting is the failure of its calls."""
        ours, theirs = socket.socketpair()
        try:
            if not sys.executable:
                raise OSError("this program does not know its interpreter")
            path = [os.path.abspath(one or os.curdir) for one in sys.path]
            limits = (self.quotas.threads, self.quotas.handles, self.quotas.memory)
            arguments = (self.name.account, os.getpid(), *limits, self.name.group)
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _START, *map(str, arguments), *path],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env={name: os.environ[name] for name in _KEPT if name in os.environ},
                start_new_session=True,
            )
        except OSError as failure:
            ours.close()
            self.end(error(WBEM_E_PROVIDER_LOAD_FAILURE, f"no host process can be started: {failure}"))
            return
        finally:
            theirs.close()
        ours.setblocking(False)
        self._socket = ours
        self.pid = self._process.pid
        if self.failure is not None:  # the service has ended meanwhile
            os.killpg(self.pid, signal.SIGKILL)

    def on_readable(self) -> None:
        assert self._socket is not None
        try:
            data = self._socket.recv(1 << 18)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.on_gone()
            return
        try:
            for kind, call, payload in self._frames.received(data):
                channel = self._channels.get(call)
                if kind == fr.LATE:
                    self._on_late(channel, call, payload)
                elif channel is not None and not channel.put(kind, payload):
                    raise fr.FrameError("it sends more than it was asked for")
        except fr.FrameError as failure:
            self.end(
                error(
                    WBEM_E_PROVIDER_FAILURE, f"the host process of {self.name.account} is broken: {failure}"
                )
            )

    def _on_late(self, channel: Channel | None, call: int, payload: bytes) -> None:
        with self._lock:
            tell = self._late.get(call) if channel is None else channel.late
        if tell is not None:
            tell(payload)

    def on_writable(self) -> None:
        assert self._socket is not None
        try:
            with self._lock:
                sent = self._socket.send(memoryview(self.out)[: 1 << 18])
                del self.out[:sent]
        except BlockingIOError:
            return
        except OSError:
            self.on_gone()

    def on_gone(self) -> None:
        """The process has ended by itself, or somebody ended it."""
        status = self._process.wait(1) if self._process is not None and self._exited() else None
        what = "was killed" if status is None or status < 0 else f"ended with exit code {status}"
        if status == NOT_THE_USER:
            what = "ended, since it could not become that user for good,"
        if status == OUT_OF_MEMORY:
            self.end(self.breach(f"more than {self.quotas.memory} bytes of memory"))
        self.end(
            error(
                WBEM_E_PROVIDER_FAILURE,
                f"the host process of {self.name.account} {what} while it served the call",
            )
        )

    def _exited(self) -> bool:
        """Whether the process is gone; one that only closed its socket is made to go."""
        assert self._process is not None
        try:
            self._process.wait(0.2)
        except subprocess.TimeoutExpired:
            return False
        return True

    @property
    def exited(self) -> bool:
        """Whether the process has ended."""
        return self._process is not None and self._process.poll() is not None

    def reaped(self) -> bool:
        """After its end: whether nothing is left of it."""
        if self._process is None:
            return True
        if self._process.poll() is None:
            return False
        if self._socket is not None:
            self._socket.close()
        return True

    def breach(self, what: str) -> WbemError:
        """A quota of host processes is exceeded: the failure, noted in the log as event 5612 is (H12)."""
        import logging

        log = logging.getLogger("openwmi.hosts")
        if not log.hasHandlers():
            log.addHandler(logging.NullHandler())
        log.warning("5612: host process %s (%s:%s) used %s", self.pid, *self.name, what)
        return error(WBEM_E_QUOTA_VIOLATION, f"the host process of {self.name.account} used {what}")

    def usage(self) -> tuple[int, int, int] | None:
        """(threads, handles, bytes of memory) in use; None where they cannot be seen."""
        try:
            with open(f"/proc/{self.pid}/statm", encoding="ascii") as file:
                fields = file.read().split()
            memory = (int(fields[1]) - int(fields[2])) * os.sysconf(
                "SC_PAGE_SIZE"
            )  # without what files share
            threads = len(os.listdir(f"/proc/{self.pid}/task"))
            return threads, len(os.listdir(f"/proc/{self.pid}/fd")), memory
        except (OSError, ValueError, IndexError):
            return None


class HostProcesses:
    """All host processes of a service, and the thread that watches them.

    folder: of the store, where the programs of decoupled providers are met; None without one.
    """

    def __init__(self, quotas: Callable[[], HostQuotas], folder: str | None = None) -> None:
        self._quotas = quotas
        self._folder = folder
        self._hosts: dict[HostName, HostProcess] = {}
        self._all: list[HostProcess] = []
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._ended = False
        self._bell: tuple[socket.socket, socket.socket] | None = None

    @property
    def running(self) -> list[HostProcess]:
        """Those that are alive."""
        return [one for one in self._all if one.alive]

    def named(self, name: HostName) -> HostProcess:
        """The process of an account and group, started if there is none; QUOTA_VIOLATION past the limit."""
        quotas = self._quotas()
        with self._lock:
            if self._ended:
                raise error(WBEM_E_SHUTTING_DOWN, "the service is shutting down")
            found = self._hosts.get(name)
            if found is not None and found.usable:
                return found
            if sum(one.counted for one in self.running) >= quotas.processes:
                raise error(
                    WBEM_E_QUOTA_VIOLATION, f"{quotas.processes} host processes are running, the limit"
                )
            found = self._hosts[name] = self._made(name, quotas)
            self._all.append(found)
            if self._thread is None:
                bell = socket.socketpair()
                for one in bell:
                    one.setblocking(False)
                self._bell = bell
                self._thread = threading.Thread(target=self._watch, name="openwmi-hosts", daemon=True)
                self._thread.start()
            self.wake()
            return found

    def _made(self, name: HostName, quotas: HostQuotas) -> HostProcess:
        if name.account != DECOUPLED:
            return HostProcess(name, quotas, self)
        from openwmi.service.registered.visited import VisitedProgram

        return VisitedProgram(name, quotas, self, self._folder)

    def release(self, host: HostProcess) -> None:
        """One object fewer; a process without any ends."""
        with self._lock:
            host.objects -= 1
            if host.objects > 0 or self._hosts.get(host.name) is not host:
                return
            del self._hosts[host.name]
        host.end(error(WBEM_E_PROVIDER_FAILURE, "the host process is not needed any more"))

    def hold(self, name: HostName) -> HostProcess:
        """The process of that name with one object more."""
        while True:
            host = self.named(name)
            with self._lock:
                if self._hosts.get(name) is host:
                    host.objects += 1
                    return host

    def wake(self) -> None:
        if self._bell is not None:
            try:
                self._bell[1].send(b"!")
            except (BlockingIOError, OSError):
                pass  # it is awake, or gone

    def close(self) -> None:
        """End every process; their calls get SHUTTING_DOWN."""
        with self._lock:
            self._ended = True
            hosts = list(self._all)
        for host in hosts:
            host.end(error(WBEM_E_SHUTTING_DOWN, "the service is shutting down"))
        self.wake()
        if self._thread is not None:
            self._thread.join(1)

    def poll(self) -> None:
        """Look at what every process uses, and end those that use too much (H10)."""
        total = 0
        largest: tuple[int, HostProcess] | None = None
        for host in self.running:
            if host.exited:
                host.on_gone()  # something it started keeps its socket open
                continue
            usage = host.usage()
            if usage is None:
                continue
            threads, handles, memory = usage
            quotas = host.quotas
            for used, limit, what in (
                (memory, quotas.memory, "bytes of memory"),
                (handles, quotas.handles, "handles"),
                (threads, quotas.threads, "threads"),
            ):
                if used > limit:
                    host.end(host.breach(f"{used} {what}, more than {limit}"))
            total += memory
            if largest is None or memory > largest[0]:
                largest = (memory, host)
        if largest is not None and total > (limit := largest[1].quotas.memory_all):
            largest[1].end(largest[1].breach(f"{largest[0]} bytes of memory, of {limit} for all"))

    def _watch(self) -> None:
        assert self._bell is not None
        selector = selectors.DefaultSelector()
        selector.register(self._bell[0], selectors.EVENT_READ)
        following = time.monotonic() + POLL_SECONDS
        while not (self._ended and not self._all):
            self._tend(selector)
            patience = max(0.0, following - time.monotonic()) if self._all else None
            if any(not one.alive for one in self._all):
                patience = BURIAL_SECONDS
            events = selector.select(patience)
            for key, mask in events:
                self._on_event(key.fileobj, mask)
            if time.monotonic() >= following:
                following = time.monotonic() + POLL_SECONDS
                self.poll()
        selector.close()
        for one in self._bell:
            one.close()

    def _on_event(self, source: Any, mask: int) -> None:
        if not isinstance(source, HostProcess):
            try:
                while source.recv(4096):
                    pass
            except BlockingIOError:
                pass
            return
        if mask & selectors.EVENT_WRITE and source.alive:
            source.on_writable()
        if mask & selectors.EVENT_READ and source.alive:
            source.on_readable()

    def _tend(self, selector: selectors.BaseSelector) -> None:
        """Start what is new, bury what has ended, and listen for what there is to send."""
        registered = {key.fileobj: key for key in selector.get_map().values()}
        for host in list(self._all):
            if host.alive and host.pid is None:
                host.start()
            if not host.alive:
                if host in registered:
                    selector.unregister(host)
                if host.reaped():
                    self._all.remove(host)
                continue
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if host.out else 0)
            key = registered.get(host)
            if key is None:
                selector.register(host, wanted)
            elif key.events != wanted:
                selector.modify(host, wanted)
