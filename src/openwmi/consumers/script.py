"""ActiveScriptEventConsumer: Python scripts, where whoever runs the service allows them (model.md E-73).

The engines of Windows are not to be had, and a script in the repository is code that a remote administrator may have
put there. So nothing runs unless OPENWMI_SCRIPT_ENGINES names the engine `python` in the service's own environment. A
script is a process of its own, with the rights of who created the consumer; it sees the event as `TargetEvent`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from openwmi.consumers.acting import user_of
from openwmi.consumers.commandline import Argument, Command, ending, kill, launched
from openwmi.consumers.helper import ROOT
from openwmi.consumers.running import Running
from openwmi.model.classes import Class
from openwmi.model.errors import error
from openwmi.model.instances import Instance
from openwmi.model.status import (
    WBEM_E_FAILED,
    WBEM_E_INVALID_PARAMETER,
    WBEM_E_NOT_SUPPORTED,
    WBEM_E_TIMED_OUT,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from openwmi.contract.provider import Delivery

VARIABLE: Final = "OPENWMI_SCRIPT_ENGINES"
ENGINE: Final = "python"
# How long a script that has no limit is waited for; less than a delivery has.
PATIENCE: Final = 10.0
# What is kept of a script's complaint.
COMPLAINT: Final = 2000

# The event is read from standard input, which is empty after that. Only then does the process become somebody else, who
# may not be allowed to start this interpreter; and only then is the script looked at. Of this program it sees nothing.
BOOTSTRAP: Final = """
import json, sys
sys.path.insert(0, sys.argv.pop())
from openwmi.becoming import become
del sys.path[0]
class Object(dict):
    "An object of WMI: its properties in any case as attributes, NULL is None."
    def __getattr__(self, name):
        for key, value in self.items():
            if key.lower() == name.lower():
                return value
        raise AttributeError(name)
content = json.load(sys.stdin, object_hook=Object)
if content.user is not None:
    _, uid, gid, groups, _ = content.user
    become(uid, gid, groups)
if content.file is not None:
    with open(content.file, "rb") as file:
        content["script"] = file.read()
scope = {"__name__": "__main__", "TargetEvent": content["event"]}
exec(compile(content["script"], content.file or "ScriptText", "exec"), scope)
"""


class ActiveScriptEventConsumer:
    """Runs scripts; a failing one is a failing consumer, as on Windows.

    One that has a limit is waited for. One that may run for ever is left to itself after PATIENCE, and what becomes of
    it is told later.
    """

    name = "ActiveScriptEventConsumer"

    def __init__(self) -> None:
        self._running = Running()
        self.settle = self._running.settle

    def delivery_limit(self, request: Delivery, consumer: Instance) -> float | None:
        """A script is killed after that many seconds; until then it is waited for."""
        return command_of(request, consumer).seconds or None

    def consume(self, request: Delivery, consumer: Instance, events: Sequence[Instance]) -> None:
        engine = consumer.raw_("ScriptingEngine")
        allowed = [one.strip().lower() for one in os.environ.get(VARIABLE, "").split(",")]
        if engine.lower() != ENGINE or ENGINE not in allowed:
            raise error(
                WBEM_E_NOT_SUPPORTED,
                f"scripting engine {engine!r:.100} does not run here: there is {ENGINE} alone, where {VARIABLE} of the"
                " service allows it",
                parameter="ScriptingEngine",
            )
        user = user_of(request.caller)
        command = command_of(request, consumer)
        text, file = script_of(consumer)
        words = [sys.executable, "-I", "-S", "-c", BOOTSTRAP, ROOT]
        for event in events:
            given = json.dumps(
                {"script": text, "file": file, "user": user, "event": document(event)}
            ).encode()
            key = self._running.enter(consumer)
            try:
                process = launched(
                    words, command, user, becomes=True, stdin=subprocess.PIPE, stderr=subprocess.PIPE
                )
            except BaseException:
                self._running.left(key)
                raise
            self._seen_to(_Run(process, given, command, partial(self._running.left, key)), request)

    def _seen_to(self, run: _Run, request: Delivery) -> None:
        try:
            run.outcome.result(None if run.limited else PATIENCE)
        except TimeoutError:
            run.outcome.add_done_callback(partial(_told, request))


def command_of(request: Delivery, consumer: Instance) -> Command:
    """The process of a script. How many seconds it may run, 0 for ever, its consumer says, else the setting for all, in
    minutes (model.md E-73).

    On Windows the setting is about the process that all scripts share: after Timeout, or after MaximumScripts, another
    one takes its place. Here each script has one of its own: it lives no longer than Timeout, and of more scripts than
    one there is nothing to count.
    """
    seconds: int = consumer.raw_("KillTimeout") or 0
    setting = request.singleton("root\\cimv2", "ScriptingStandardConsumerSetting") if not seconds else None
    if setting is not None:
        seconds = 60 * (setting.raw_("Timeout") or 0)
    return Command(None, [Argument(((sys.executable, False),))], "/", 0, True, seconds)


def script_of(consumer: Instance) -> tuple[str | None, str | None]:
    """The text or the file of a script: exactly one of the two. The file is read by the script's own process, with the
    rights that it has."""
    # Clients that cannot say NULL send empty texts.
    text, file = consumer.raw_("ScriptText") or None, consumer.raw_("ScriptFileName") or None
    if (text is None) == (file is None):
        raise error(WBEM_E_INVALID_PARAMETER, "exactly one of ScriptText and ScriptFileName says what to run")
    return text, file


def _told(request: Delivery, outcome: Future[None]) -> None:
    failure = outcome.exception()
    if isinstance(failure, Exception):
        request.late(failure)


class _Run:
    """A script at work, and a thread that waits for its end. outcome: None, or the failure that it ended with."""

    def __init__(
        self, process: subprocess.Popen[bytes], given: bytes, command: Command, left: Callable[[], None]
    ) -> None:
        self.limited = bool(command.seconds)
        self.outcome: Future[None] = Future()

        def wait() -> None:
            try:
                _ended(process, given, command)
            except Exception as reason:  # noqa: BLE001 - it is raised where the outcome is asked for
                self.outcome.set_exception(reason)
            else:
                self.outcome.set_result(None)
            finally:
                left()

        threading.Thread(target=wait, name="openwmi-script", daemon=True).start()


def _ended(process: subprocess.Popen[bytes], given: bytes, command: Command) -> None:
    """Wait for the end of a script; of what it says on the way, the last is kept."""
    complaint = _Tail(process)
    assert process.stdin is not None
    try:
        with process.stdin:
            process.stdin.write(given)
    except BrokenPipeError:
        pass  # it has ended already, which its code tells
    try:
        code = process.wait(command.seconds or None)
    except subprocess.TimeoutExpired:
        kill(process, group=True)
        process.wait()
        raise error(WBEM_E_TIMED_OUT, f"the script was killed after {command.seconds} s") from None
    finally:
        last = complaint.last_line()
    if code:
        raise error(WBEM_E_FAILED, f"the script ended with {ending(code)}: {last}")


class _Tail:
    """The end of what a process writes to its standard error, read on a thread."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._end = b""
        self._thread = threading.Thread(target=self._read, name="openwmi-script", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        stream: Any = self._process.stderr
        with stream:
            while piece := stream.read1(65536):
                self._end = (self._end + piece)[-COMPLAINT:]

    def last_line(self) -> str:
        """Waits a little: what the script has started may keep the stream open."""
        self._thread.join(1.0)
        return self._end.decode("utf-8", "replace").strip().rpartition("\n")[2]


def document(value: Any) -> Any:
    """A raw value as JSON: objects with their class beside their properties."""
    if isinstance(value, Instance):
        names = value.layout_.names
        content = {name: document(one) for name, one in zip(names, value.values_, strict=False)}
        return {"__CLASS": value.classname_, "__RELPATH": value.relpath_, **content}
    if isinstance(value, Class):
        return {"__CLASS": value.name}
    if isinstance(value, tuple):
        return [document(one) for one in value]
    return value
