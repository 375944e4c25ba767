"""CommandLineEventConsumer: a program is started for each event (model.md E-71).

No shell comes between. The template is split into arguments before values of the event are put in, so that a value is
never more than (a part of) one argument, whatever stands in it:

    white space separates      "double quotes" hold together, and are no template (E-70); \\" is a quote inside them
    'single quotes' hold together, and are one
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import signal
import subprocess
import threading
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from openwmi.consumers.acting import user_of
from openwmi.consumers.running import Running
from openwmi.consumers.templates import expand
from openwmi.model.errors import error
from openwmi.model.status import (
    WBEM_E_ACCESS_DENIED,
    WBEM_E_FAILED,
    WBEM_E_INVALID_PARAMETER,
    WBEM_E_TIMED_OUT,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from openwmi.consumers.acting import User
    from openwmi.contract.provider import Delivery
    from openwmi.model.instances import Instance

_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Priority classes of Windows -> nice values.
_NICE: Final = {0x40: 19, 0x4000: 10, 0x20: 0, 0x8000: -5, 0x80: -10, 0x100: -20}
_PIECE: Final = re.compile(r"""\s+|"((?:\\"|[^"])*)"|'([^']*)'|[^\s"']+|["']""")
_LOG: Final = logging.getLogger("openwmi.consumers")


class Argument(NamedTuple):
    """One argument: its pieces, each with whether it is a template."""

    pieces: tuple[tuple[str, bool], ...]

    def text(self, event: Instance) -> str:
        return "".join([expand(text, event) if live else text for text, live in self.pieces])


def arguments(template: str) -> list[Argument]:
    """The arguments of a command line."""
    found: list[list[tuple[str, bool]]] = []
    apart = True
    for piece in _PIECE.finditer(template):
        if piece[0].isspace():
            apart = True
            continue
        if apart:
            found.append([])
            apart = False
        if piece[1] is not None:
            found[-1].append((piece[1].replace('\\"', '"'), False))
        elif piece[2] is not None:
            found[-1].append((piece[2], True))
        else:
            found[-1].append((piece[0], True))
    return [Argument(tuple(pieces)) for pieces in found]


class Command(NamedTuple):
    """What a consumer instance says to run."""

    executable: str | None
    words: list[Argument]
    folder: str
    nice: int
    group: bool
    seconds: int

    @property
    def shown(self) -> str:
        """The program, for messages; what its arguments were is nobody's business there."""
        return self.executable or "".join(text for text, _ in self.words[0].pieces)

    @classmethod
    def of(cls, consumer: Instance) -> Command:
        executable, template = consumer.raw_("ExecutablePath"), consumer.raw_("CommandLineTemplate")
        folder = consumer.raw_("WorkingDirectory") or "/"
        if not executable and not (template and template.strip()):
            raise error(
                WBEM_E_INVALID_PARAMETER, "neither ExecutablePath nor CommandLineTemplate says what to run"
            )
        words = arguments(template) if template else [Argument(((executable, False),))]
        return cls(
            os.path.join(folder, executable) if executable else None,
            words,
            folder,
            _NICE.get(consumer.raw_("Priority"), 0),
            consumer.raw_("CreateNewProcessGroup") is not False,
            consumer.raw_("KillTimeout") or 0,
        )


class CommandLineEventConsumer:
    """Starts programs and waits for their ends, each on a thread of its own."""

    name = "CommandLineEventConsumer"

    def __init__(self) -> None:
        self._running = Running()
        self.settle = self._running.settle

    def consume(self, request: Delivery, consumer: Instance, events: Sequence[Instance]) -> None:
        command = Command.of(consumer)
        user = user_of(request.caller)
        for event in events:
            key = self._running.enter(consumer)
            try:
                process = started(command, event, user)
            except BaseException:
                self._running.left(key)
                raise
            following = (key, process, command, request)
            threading.Thread(target=self._watch, args=following, name="openwmi-command", daemon=True).start()

    def _watch(self, key: str, process: subprocess.Popen[bytes], command: Command, request: Delivery) -> None:
        """Wait for the end of a program, and see to it where there is a limit."""
        try:
            code = process.wait(command.seconds or None)
        except subprocess.TimeoutExpired:
            kill(process, group=command.group)
            process.wait()
            request.late(error(WBEM_E_TIMED_OUT, f"{command.shown} was killed after {command.seconds} s"))
        else:
            if code:
                request.late(error(WBEM_E_FAILED, f"{command.shown} ended with {ending(code)}"))
        finally:
            self._running.left(key)


def ending(code: int) -> str:
    """An exit code in words."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def started(command: Command, event: Instance, user: User | None) -> subprocess.Popen[bytes]:
    """A running program; WbemError when it cannot be started."""
    words = [word.text(event).replace("\0", "") for word in command.words]
    return launched(words, command, user)


def launched(
    words: list[str], command: Command, user: User | None, *, becomes: bool = False, **streams: Any
) -> subprocess.Popen[bytes]:
    """Start a program with the surroundings that a consumer has. becomes: it will turn into that user by itself."""
    environment = dict(os.environ) if user is None else _surroundings(user)
    identity: dict[str, Any] = {}
    if user is not None and not becomes:
        identity = {"user": user.uid, "group": user.gid, "extra_groups": list(user.groups)}
    executable = command.executable
    if executable is None:
        executable = shutil.which(words[0], path=environment.get("PATH", _PATH)) if words[0] else None
        if executable is None:
            raise error(
                WBEM_E_FAILED, f"there is no program {words[0]!r:.200}", parameter="CommandLineTemplate"
            )
    silent = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
    try:
        process = subprocess.Popen(
            words,
            executable=executable,
            cwd=command.folder,
            env=environment,
            start_new_session=command.group,
            **{**silent, **streams},
            **identity,
        )
    except (OSError, ValueError) as reason:
        code = WBEM_E_ACCESS_DENIED if isinstance(reason, PermissionError) else WBEM_E_FAILED
        raise error(code, f"{executable} cannot be started: {reason}", parameter="ExecutablePath") from reason
    if command.nice:
        _renice(process, command.nice)
    return process


def _surroundings(user: User) -> dict[str, str]:
    """The environment of somebody else's program: nothing that the service knows."""
    return {
        "PATH": _PATH,
        "HOME": user.home,
        "USER": user.name,
        "LOGNAME": user.name,
        "LANG": os.environ.get("LANG", "C.UTF-8"),
    }


def _renice(process: subprocess.Popen[bytes], nice: int) -> None:
    try:
        os.setpriority(os.PRIO_PROCESS, process.pid, nice)
    except OSError as reason:
        _LOG.warning("%s keeps its priority: %s", process.args, reason.strerror)


def kill(process: subprocess.Popen[bytes], *, group: bool) -> None:
    """End a program, with those that it has started where it has a process group of its own."""
    try:
        if group:
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    except ProcessLookupError:
        pass
