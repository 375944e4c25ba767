"""The host process: runs providers, one service on the other end of its standard input, and ends when that is gone.

Started by hostprocess; it drops its rights and sets its limits before any provider's code is imported.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING, Any, Final

from openwmi.becoming import become, gain_nothing
from openwmi.contract.caller import Caller, UnixUser
from openwmi.contract.context import Context
from openwmi.contract.provider import Condition, Delivery, Initialization, Request, batch_of
from openwmi.model.classes import derive
from openwmi.model.errors import WbemError, error
from openwmi.model.status import WBEM_E_NOT_SUPPORTED, WBEM_E_PROVIDER_NOT_CAPABLE
from openwmi.repository.encoding import packed, unpacked, unpacked_class
from openwmi.service.feed import Feed, Segment
from openwmi.service.registered import code
from openwmi.service.registered import frames as fr
from openwmi.threads import Threads

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable

    from openwmi.model.batches import Batch
    from openwmi.model.classes import Class
    from openwmi.model.instances import Instance

# Exit codes that the service understands.
OUT_OF_MEMORY: Final = 75
PARENT_GONE: Final = 76
NOT_THE_USER: Final = 77
# Rows of one message; a message is sent earlier when its rows are long.
BATCH_ROWS: Final = 500
BATCH_BYTES: Final = 1 << 20
STACK_BYTES: Final = 1 << 20
# What consumer providers are asked.
_OF_EVENTS: Final = frozenset({"consume", "delivery_limit"})


class _Answer:
    """One call: reads its feed, sends what it gives. Implements feed.Reader."""

    def __init__(self, host: Serving, call: int, credit: int) -> None:
        self._host = host
        self._call = call
        self._credit = credit
        self.feed: Feed | None = None

    def allow(self, count: int) -> None:
        self._credit += count
        if self.feed is not None and self._credit > 0:
            self.feed.allow(self._credit)

    def on_batch(self, batch: Batch) -> None:
        rows: list[Any] = list(batch)
        self._credit -= len(rows)
        try:
            self._send(rows)
        except (fr.FrameError, TypeError, ValueError) as failure:
            self._host.stop(self._call)
            self._host.fail(self._call, failure)

    def _send(self, rows: list[Any]) -> None:
        packed_rows = [_packed_row(row) for row in rows]
        while packed_rows:
            count = BATCH_ROWS
            while True:
                message = fr.frame(fr.ROWS, self._call, packed_rows[:count])
                if len(message) <= BATCH_BYTES or count == 1:
                    break
                count = max(1, min(count, len(packed_rows)) // 4)
            del packed_rows[:count]
            self._host.send(message)

    def on_end(self, fault: BaseException | None, status: int) -> None:
        if fault is None:
            self._host.end(self._call, None)
        else:
            self._host.fail(self._call, fault)


def _packed_row(row: Any) -> Any:
    if isinstance(row, dict):  # out-parameters
        return {name: packed(_tupled(value)) for name, value in row.items()}
    return [packed(_tupled(value)) for value in row]


def _tupled(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def error_content(failure: BaseException) -> list[Any]:
    """A failure as it travels."""
    if isinstance(failure, WbemError):
        return [failure.code, failure.message]
    text = str(failure)[:2000]
    return [0, type(failure).__name__ + (f": {text}" if text else "")]


class Serving:
    """The objects, classes and calls that one service has here; everything on the loop."""

    def __init__(
        self, connection: socket.socket, loop: asyncio.AbstractEventLoop, threads: int, *, acting: bool
    ) -> None:
        """acting: this process is the Unix user of whoever calls."""
        self._connection = connection
        self._acting = acting
        self._loop = loop
        self._threads = Threads(threads, name="openwmi-provider")
        self._frames = fr.Frames()
        self._classes: dict[str, Class] = {}
        self._objects: dict[int, Any] = {}
        self._answers: dict[int, _Answer] = {}
        self._out = bytearray()
        loop.add_reader(connection.fileno(), self._on_readable)

    # Bytes

    def send(self, message: bytes) -> None:
        if self._connection.fileno() < 0:  # it has been left
            return
        idle = not self._out
        self._out += message
        if idle:
            self._on_writable()

    def _on_writable(self) -> None:
        try:
            sent = self._connection.send(self._out)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.gone()
            return
        del self._out[:sent]
        if self._out:
            self._loop.add_writer(self._connection.fileno(), self._on_writable)
        else:
            self._loop.remove_writer(self._connection.fileno())

    def _on_readable(self) -> None:
        try:
            data = self._connection.recv(1 << 18)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.gone()
            return
        try:
            for kind, call, payload in self._frames.received(data):
                self._taken(kind, call, payload)
        except fr.FrameError:
            self.gone()

    def _taken(self, kind: bytes, call: int, payload: bytes) -> None:
        try:
            self._on_frame(kind, call, fr.content_of(payload))
        except Exception as failure:  # noqa: BLE001 - it ends this call alone
            self.end(call, self._content_of(failure))

    def gone(self) -> None:
        """The service is gone; this process is only there for it."""
        os._exit(PARENT_GONE)

    def leave(self) -> None:
        """Listen to the service no longer, and stop what it has asked for."""
        if self._connection.fileno() < 0:
            return
        self._loop.remove_reader(self._connection.fileno())
        self._loop.remove_writer(self._connection.fileno())
        for call in list(self._answers):
            self.stop(call)
        self._connection.close()
        self._out.clear()

    # Frames

    def _on_frame(self, kind: bytes, call: int, content: Any) -> None:
        if kind == fr.CALL:
            self._on_call(call, content)
        elif kind == fr.GRANT:
            if call in self._answers:
                self._answers[call].allow(content)
        elif kind == fr.CANCEL:
            self.stop(call)
        elif kind == fr.CLASS:
            self._on_class(*content)
        elif kind == fr.LOAD:
            number, module, class_name, initialization = content
            self._run(
                call, lambda: self._load(number, module, class_name, Initialization(*initialization)), None, 1
            )
        elif kind == fr.UNLOAD:
            self._released(self._objects.pop(content, None))

    def _on_class(self, key: str, namespace: str, server: str, line: list[Any]) -> None:
        made: Class | None = None
        for stored in line:
            made = derive(unpacked_class(stored), made, namespace=namespace, server=server)
        assert made is not None
        self._classes[key] = made

    def _find(self, name: str) -> Class | None:
        return next((one for one in self._classes.values() if one.name.lower() == name.lower()), None)

    def _load(self, number: int, module: str, class_name: str, initialization: Initialization) -> list[Any]:
        """What the service must know of it comes back: how it takes events."""
        made = self._objects[number] = self._loaded(module, class_name, initialization)
        return [{"batch": batch_of(made), "limits": hasattr(made, "delivery_limit")}]

    def _loaded(self, module: str, class_name: str, initialization: Initialization) -> Any:
        return code.initialized(code.load(module, class_name), initialization)

    def _released(self, provider: Any) -> None:
        close = getattr(provider, "close", None)
        if close is not None:
            self._threads.submit(lambda: _quietly(close))

    def _content_of(self, failure: BaseException) -> list[Any]:
        """A failure as it travels; running out of memory ends the process instead (H12)."""
        if isinstance(failure, MemoryError):
            os._exit(OUT_OF_MEMORY)
        return error_content(failure)

    def _on_call(self, call: int, content: list[Any]) -> None:
        number, method, key, columns, conditions, caller, context, arguments, reports, credit, publisher = (
            content
        )
        request: Request
        if method in _OF_EVENTS:
            request = self._delivery(call, key, caller, publisher)
        else:
            request = Request(
                self._classes[key],
                tuple(columns),
                tuple(Condition(name, op, unpacked(value, self._find)) for name, op, value in conditions),
                caller=_caller(caller),
                context=None
                if context is None
                else Context({name: unpacked(value, self._find) for name, value in context}),
                report=(lambda *progress: self._report(call, progress)) if reports else None,
                as_caller=True if self._acting else None,
            )
        arguments = [self._argument(one) for one in arguments]

        def opened() -> Any:
            function = getattr(self._objects[number], method, None)
            if function is None:
                raise error(
                    WBEM_E_PROVIDER_NOT_CAPABLE,
                    f"the provider is registered for it, but has no method {method}",
                )
            return _as_rows(method, function(request, *arguments))

        self._run(call, opened, request, credit)

    def _delivery(self, call: int, key: str, caller: list[Any], publisher: list[Any] | None) -> Delivery:
        return Delivery(
            self._classes[key],
            caller=_caller(caller),
            publisher=None if publisher is None else _caller(publisher),
            late=lambda failure: self._late(call, failure),
            singleton=_no_singleton,
        )

    def _late(self, call: int, failure: Exception) -> None:
        message = fr.frame(fr.LATE, call, self._content_of(failure))
        self._loop.call_soon_threadsafe(self.send, message)

    def _argument(self, content: Any) -> Any:
        """Keys and parameters travel as {"m": mapping}, all else as a raw value."""
        if isinstance(content, dict) and "m" in content:
            return {name: unpacked(value, self._find) for name, value in content["m"].items()}
        return unpacked(content, self._find)

    def _run(self, call: int, opened: Callable[[], Any], request: Request | None, credit: int) -> None:
        answer = self._answers[call] = _Answer(self, call, 0)
        segment = Segment(opened, threads=self._threads, request=request, drops=True)
        answer.feed = Feed(self._loop, iter((segment,)), self._threads, answer)
        answer.allow(credit)

    def _report(self, call: int, progress: tuple[Any, ...]) -> None:
        message = fr.frame(fr.PROGRESS, call, list(progress))
        self._loop.call_soon_threadsafe(self.send, message)

    def stop(self, call: int) -> None:
        answer = self._answers.pop(call, None)
        if answer is not None and answer.feed is not None:
            answer.feed.stop()

    def fail(self, call: int, failure: BaseException) -> None:
        self.end(call, self._content_of(failure))

    def end(self, call: int, content: list[Any] | None) -> None:
        self._answers.pop(call, None)
        self.send(fr.frame(fr.END, call, content))


def _no_singleton(namespace: str, class_name: str) -> Instance | None:
    raise error(WBEM_E_NOT_SUPPORTED, "a provider in a process of its own is told of no other instances")


def _caller(content: list[Any]) -> Caller:
    caller = Caller(*content)
    user = caller.runs_as
    if user is not None:
        unix, uid, gid, belongs = user
        user = UnixUser(unix, uid, gid, tuple(belongs))
    return caller._replace(groups=tuple(caller.groups), runs_as=user)


def _as_rows(method: str, answer: Any) -> Any:
    """Every role's answer as rows: of an enumeration as they are, else one or none."""
    if method == "instances":
        return answer
    if method == "delivery_limit":
        return _one(None if answer is None else {"seconds": answer})
    if hasattr(answer, "__await__"):
        return _awaited(answer)
    return _one(answer)


def _one(answer: Any) -> tuple[Any, ...]:
    return () if answer is None else (answer,)


async def _awaited(answer: Any) -> Any:
    return _one(await answer)


def _quietly(close: Callable[[], object]) -> None:
    try:
        close()
    except Exception:  # noqa: S110, BLE001 - the object is gone, there is nobody to tell
        pass


# Rights and limits


def _limit(handles: int, memory: int, threads: int) -> None:
    """The limits that the kernel keeps; what it cannot count, the service looks at from outside (H10)."""
    import resource
    import threading

    threading.stack_size(STACK_BYTES)

    def lower(which: int, value: int) -> None:
        _, hard = resource.getrlimit(which)
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(which, (value, value))

    lower(resource.RLIMIT_NOFILE, max(handles, 32))
    lower(resource.RLIMIT_CORE, 0)
    if sys.platform == "linux":
        lower(resource.RLIMIT_DATA, memory + threads * STACK_BYTES)


def _become(account: str) -> None:
    """The two lesser accounts have no rights of the service's: they are `nobody` where the service is root (F-03)."""
    if account == "LocalSystem" or os.geteuid() != 0:
        return
    import pwd

    nobody = pwd.getpwnam("nobody")
    _for_good(nobody.pw_uid, nobody.pw_gid, ())


def _whole(*rooms: str) -> None:
    """Load all of these packages, what they load when they need it included: as `_prepared`."""
    import datetime  # noqa: F401 - what values are made of
    import pkgutil
    from importlib import import_module

    for room in rooms:
        for module in pkgutil.iter_modules(import_module(room).__path__, f"{room}."):
            import_module(module.name)


def _prepared(code_name: str) -> None:
    """Load what will run here while its files can be read for certain: they may be out of the user's reach."""
    module, _, class_name = code_name.partition(":")
    prepare = getattr(code.load(module, class_name), "prepare", None)
    if prepare is not None:
        prepare()


def _act_as(account: str) -> None:
    """Be a Unix user and nothing more, for good; the process ends when that fails (service.acting)."""
    _, name, *numbers = account.split(":")
    uid, gid = int(numbers[0]), int(numbers[1])
    groups = [int(one) for one in numbers[2].split(",") if one]
    _surroundings(name, uid)
    _for_good(uid, gid, groups)


def _for_good(uid: int, gid: int, groups: Iterable[int]) -> None:
    try:
        become(uid, gid, groups)
    except OSError:
        os._exit(NOT_THE_USER)


def _surroundings(name: str, uid: int) -> None:
    """The variables that a log-on sets: what is started here takes them over."""
    import pwd

    try:
        found = pwd.getpwuid(uid)
    except KeyError:
        return
    os.environ.update({"HOME": found.pw_dir, "SHELL": found.pw_shell, "USER": name, "LOGNAME": name})
    os.environ.pop("OPENWMI_HOME", None)


def _c_library() -> Any:
    if sys.platform != "linux":
        return None
    import ctypes

    return ctypes.CDLL(None, use_errno=True)


def _die_with(parent: int, libc: Any) -> None:
    """Have the kernel end this process with its parent, even while a provider's code keeps it from noticing."""
    if libc is not None:
        libc.prctl(1, 9, 0, 0, 0)  # PR_SET_PDEATHSIG, SIGKILL
    if os.getppid() != parent:
        os._exit(PARENT_GONE)


def main(account: str, parent: int, threads: int, handles: int, memory: int, group: str) -> None:
    """Serve the connection that is standard input until it ends.

    account: of F-03, or "unix:name:uid:gid:groups" for the process of a caller, whose group is the code that runs here.
    """
    import socket

    connection = socket.socket(fileno=os.dup(0))
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    os.close(nothing)
    connection.setblocking(False)
    os.umask(0o077)
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda loop, context: None)
    libc = _c_library()  # while the files of the interpreter can still be read for certain
    _whole("openwmi.model", "openwmi.contract")
    gain_nothing()
    acting = account.startswith("unix:")
    if acting:  # without limits of its own: what is started here would inherit them
        _prepared(group)
        _act_as(account)
    else:
        _limit(handles, memory, threads)
        _become(account)
    _die_with(parent, libc)  # last, since a change of user undoes it
    Serving(connection, loop, threads, acting=acting)
    loop.run_forever()
