"""Acting on processes: start, end, rank, and say whose they are. Each answers with the codes of G-26.

A process is started as a child in a session of its own, with /dev/null for its standard streams, and is waited for as
long as this program lives, so that no zombie stays; after that init takes it over. Its parent is the service, as on
Windows it is the provider host.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from openwmi.contract.caller import unix_sid
from openwmi.providers.linux.files import contents, text
from openwmi.providers.linux.processes import KERNEL_THREAD, kilobytes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openwmi.providers.linux.host import Host

SUCCESS = 0
ACCESS_DENIED = 2
PRIVILEGE = 3
UNKNOWN_FAILURE = 8
PATH_NOT_FOUND = 9
INVALID_PARAMETER = 21

# Priority classes of Windows -> nice values; processes.priority() turns them back.
NICE = {64: 19, 16384: 10, 32: 0, 32768: -5, 128: -10, 256: -20}
_LOOKS, _PAUSE = 100, 0.0005  # s; how long a new process may take to show its arguments


def create(params: Mapping[str, object]) -> dict[str, object]:
    """Win32_Process.Create.

    CommandLine is split as a POSIX shell splits words (quotes and backslashes, nothing is expanded); no shell runs.
    A program without a slash is looked for in PATH. Of Win32_ProcessStartup, EnvironmentVariables are added to the
    service's own and PriorityClass is set, as far as the caller may; the rest is about windows and is ignored.
    """
    from subprocess import DEVNULL, Popen
    from threading import Thread

    words = _words(params.get("CommandLine"))
    settings = _settings(params.get("ProcessStartupInformation"))
    if not words or settings is None:
        return _refused(INVALID_PARAMETER)
    environment, nice = settings
    directory = params.get("CurrentDirectory") or None
    try:
        child = Popen(
            words,
            cwd=None if directory is None else str(directory),
            env=environment,
            stdin=DEVNULL,
            stdout=DEVNULL,
            stderr=DEVNULL,
            start_new_session=True,
        )
    except (FileNotFoundError, NotADirectoryError):
        return _refused(PATH_NOT_FOUND)
    except PermissionError:
        return _refused(ACCESS_DENIED)
    except ValueError:  # a NUL inside a text
        return _refused(INVALID_PARAMETER)
    except OSError:
        return _refused(UNKNOWN_FAILURE)
    _wait_for_arguments(child.pid)
    if nice is not None:
        _renice(child.pid, nice)
    Thread(target=child.wait, name=f"openwmi-child-{child.pid}", daemon=True).start()
    return {"ReturnValue": SUCCESS, "ProcessId": child.pid}


def _wait_for_arguments(pid: int) -> None:
    """Until the kernel shows name and command line of the new program.

    Popen comes back when exec cannot fail any more, which is a moment earlier: a query that follows at once would find
    the old name and no command line. A program that has ended already shows none at all.
    """
    from time import sleep

    for _ in range(_LOOKS):
        try:
            if contents(f"/proc/{pid}/cmdline") or b") Z " in contents(f"/proc/{pid}/stat", 2048):
                return
        except OSError:
            return
        sleep(_PAUSE)


def _refused(code: int) -> dict[str, object]:
    return {"ReturnValue": code, "ProcessId": None}


def _words(command_line: object) -> list[str]:
    from shlex import split

    try:
        return split(command_line) if isinstance(command_line, str) else []
    except ValueError:  # a quotation that is not closed
        return []


def _settings(startup: object) -> tuple[dict[str, str], int | None] | None:
    """Environment and nice value that a Win32_ProcessStartup asks for; None when it asks for nonsense."""
    environment = dict(os.environ)
    if startup is None:
        return environment, None
    value = getattr(startup, "get_", None)
    if value is None:
        return None
    for assignment in value("EnvironmentVariables") or ():
        name, equals, setting = assignment.partition("=")
        if not name or not equals:
            return None
        environment[name] = setting
    priority_class = value("PriorityClass")
    if priority_class is not None and priority_class not in NICE:
        return None
    return environment, None if priority_class is None else NICE[priority_class]


def terminate(pid: int) -> int:
    """Win32_Process.Terminate: SIGKILL. Reason is lost: a killed process has no exit code on Linux."""
    from signal import SIGKILL, pidfd_send_signal

    try:
        # The descriptor keeps the number from being given to somebody else between look and deed.
        process = os.pidfd_open(pid)
        try:
            if _is_untouchable(pid):
                return ACCESS_DENIED
            pidfd_send_signal(process, SIGKILL)
        finally:
            os.close(process)
    except PermissionError:
        return ACCESS_DENIED
    except (FileNotFoundError, ProcessLookupError):
        return SUCCESS  # it ended by itself
    except OSError:
        return UNKNOWN_FAILURE
    return SUCCESS


def _is_untouchable(pid: int) -> bool:
    """Whether the kernel takes the signal and does nothing: its own threads and the first process."""
    if pid == 1:
        return True
    stat = contents(f"/proc/{pid}/stat", 2048)
    return bool(int(stat[stat.rindex(b")") + 2 :].split(None, 7)[6]) & KERNEL_THREAD)


def set_priority(pid: int, priority_class: object) -> int:
    """Win32_Process.SetPriority: the nice value of every thread of the process."""
    if not isinstance(priority_class, int) or priority_class not in NICE:
        return INVALID_PARAMETER
    return _renice(pid, NICE[priority_class])


def _renice(pid: int, nice: int) -> int:
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            os.setpriority(os.PRIO_PROCESS, int(thread), nice)
    except PermissionError as refusal:
        # EACCES: one's own process, but a rank that needs a privilege; EPERM: somebody else's process.
        return PRIVILEGE if refusal.errno == errno.EACCES else ACCESS_DENIED
    except (FileNotFoundError, ProcessLookupError):
        pass  # a thread, or the whole process, that ended meanwhile
    return SUCCESS


def user_id(host: Host, handle: str) -> int | None:
    """The effective user of a process: whose rights it has. None without the right to see it."""
    try:
        status = contents(f"{host.root}/proc/{handle}/status", 8192)
    except OSError:
        return None
    return int(status[status.index(b"\nUid:") + 5 :].split(None, 2)[1])


def owner(host: Host, handle: str) -> dict[str, object]:
    """Win32_Process.GetOwner: the name of the effective user, or its number where it has no name; and this host."""
    uid = user_id(host, handle)
    if uid is None:
        return {"ReturnValue": ACCESS_DENIED, "User": None, "Domain": None}
    return {"ReturnValue": SUCCESS, "User": user_name(uid), "Domain": host.name}


def owner_sid(host: Host, handle: str) -> dict[str, object]:
    """Win32_Process.GetOwnerSid: S-1-22-1-UID."""
    uid = user_id(host, handle)
    return {
        "ReturnValue": ACCESS_DENIED if uid is None else SUCCESS,
        "Sid": None if uid is None else unix_sid(uid),
    }


def user_name(uid: int) -> str:
    from pwd import getpwuid

    try:
        return getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def available_virtual_size(host: Host, handle: str) -> dict[str, object]:
    """Win32_Process.GetAvailableVirtualSize: what is left of the limit, or of the address space."""
    base = f"{host.root}/proc/{handle}"
    try:
        used = kilobytes(contents(base + "/status", 8192), b"\nVmSize:")
        limit = text(contents(base + "/limits")).partition("Max address space")[2].split(None, 1)[0]
    except (OSError, IndexError):
        return {"ReturnValue": ACCESS_DENIED, "AvailableVirtualSize": None}
    size = int(limit) if limit.isdecimal() else host.address_space
    if used is None or size is None:
        return {"ReturnValue": UNKNOWN_FAILURE, "AvailableVirtualSize": None}
    return {"ReturnValue": SUCCESS, "AvailableVirtualSize": max(0, size - used * 1024)}
