"""Rows of processes from /proc/PID: one function is compiled per set of columns and reads only the files they need.

Why compiled: with seven columns a scan spends more than 80 % of its time in the kernel, and a loop over getters would
double the rest. The source is put together from the constants of this module alone, never from names of a query.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from openwmi.providers.linux.clock import boot_seconds, datetime_text
from openwmi.providers.linux.files import contents, rest, text

if TYPE_CHECKING:
    from collections.abc import Callable

    from openwmi.contract.provider import Row
    from openwmi.providers.linux.host import Host

    ReadProcess = Callable[[str], Row | None]

UINT32 = 0xFFFFFFFF
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PAGE_SIZE = os.sysconf("SC_PAGE_SIZE")
_UNITS_PER_TICK = 10_000_000 // TICKS_PER_SECOND
_TWO_DIGITS = [f"{number:02}" for number in range(60)]
_FRACTIONS = [f".{tick * (1_000_000 // TICKS_PER_SECOND):06}" for tick in range(TICKS_PER_SECOND)]
_LONGEST_NAME = 15  # bytes that the kernel keeps of a program's name


class Column(NamedTuple):
    """How a property is computed: a Python expression and the files it uses, with the last field of stat it needs.

    Fields of stat are counted from the state behind the name: f[0] is what proc(5) calls field 3. A guarded column is
    one that the kernel shows to the owner of the process alone, or that says more than strangers should know.
    """

    expression: str
    files: tuple[str, ...] = ()
    field: int = 0
    guarded: bool = False


def _field(number: int, expression: str = "int(f[{}])") -> Column:
    return Column(expression.format(number), ("stat",), number)


def _status(name: str, expression: str) -> Column:
    return Column(expression.format(f'kilobytes(status, b"\\n{name}:")'), ("status",))


def _io(name: str) -> Column:
    return Column(f'io.get(b"{name}:")', ("io",), guarded=True)


_NAME = Column("name", ("stat", "name"))

# Declared name -> how it is read. A property of Win32_Process that is not here is NULL.
COLUMNS: dict[str, Column] = {
    "Caption": _NAME,
    "CommandLine": Column("text(raw) if raw else None", ("cmdline",), guarded=True),
    "CreationClassName": Column('"Win32_Process"'),
    "CreationDate": _field(19, "started(int(f[{}]))"),
    "CSCreationClassName": Column('"Win32_ComputerSystem"'),
    "CSName": Column("host.name"),
    "Description": _NAME,
    "ExecutablePath": Column("program(base)", guarded=True),
    "ExecutionState": _field(0, "STATES.get(f[{}])"),
    "Handle": Column("pid"),
    "HandleCount": Column("open_files(base)", guarded=True),
    "KernelModeTime": _field(12, f"int(f[{{}}]) * {_UNITS_PER_TICK}"),
    "Name": _NAME,
    "OSCreationClassName": Column('"Win32_OperatingSystem"'),
    "OSName": Column("host.system_name"),
    "PageFaults": _field(9, f"(int(f[7]) + int(f[{{}}])) & {UINT32}"),
    "PageFileUsage": _status("VmSwap", "uint32({})"),
    "ParentProcessId": _field(1),
    "PeakVirtualSize": _status("VmPeak", "in_bytes({})"),
    "PeakWorkingSetSize": _status("VmHWM", "uint32({})"),
    "Priority": _field(38, "priority(int(f[16]), f[{}])"),
    "PrivatePageCount": Column("private(status)", ("status",)),
    "ProcessId": Column("int(pid)"),
    "ReadOperationCount": _io("syscr"),
    "ReadTransferCount": _io("rchar"),
    "SessionId": _field(3),
    "ThreadCount": _field(17),
    "UserModeTime": _field(11, f"int(f[{{}}]) * {_UNITS_PER_TICK}"),
    "VirtualSize": _field(20),
    "WindowsVersion": Column("host.version"),
    "WorkingSetSize": _field(21, f"int(f[{{}}]) * {PAGE_SIZE}"),
    "WriteOperationCount": _io("syscw"),
    "WriteTransferCount": _io("wchar"),
}

_NULL = Column("None")
# A number that is not the first thread's opens too, though no listing shows it. The kernel's own test for a leader:
# its exit signal (field 38 of proc(5)) is not negative.
_LEADER = Column("", ("stat", "leader"), 35)

# Threads of the kernel have no command line, so where their flags are at hand that file stays closed.
_FLAGS = 6
KERNEL_THREAD = 0x00200000  # PF_KTHREAD

# In this order; each reads one file and binds the names that expressions use. The two that nearly every query wants
# are read without a call.
_FILES = {
    "stat": """
            descriptor = open_(base + "/stat", 0)
            try:
                stat = read_(descriptor, 2048)
            finally:
                close_(descriptor)
            end = stat.rindex(b")")
            f = stat[end + 2:].split(None, {splits})""",
    "leader": """
            if f[35][:1] == b"-":
                return None""",
    "cmdline": """
            raw = b""
            if {is_program}:
                descriptor = open_(base + "/cmdline", 0)
                try:
                    raw = read_(descriptor, 4096)
                    if len(raw) == 4096:
                        raw += rest(descriptor)
                finally:
                    close_(descriptor)
                raw = raw.rstrip(b"\\0").replace(b"\\0", b" ")""",
    "name": """
            begin = len(pid) + 2
            name = text(stat[begin:end] if end - begin != 15 else full_name(base, stat[begin:end]))""",
    "status": """
            status = contents(base + "/status", 8192)""",
    "io": """
            io = counters(base)""",
}
_SOURCE = """
def bind(host):
    prefix = host.root + "/proc/"
    started = {started}
    def read(pid):
        base = prefix + pid
        try:{files}
            return ({values})
        except GONE:
            return None
    return read
"""
_CACHED = 256
_compiled: dict[tuple[tuple[str, ...], bool, bool], Callable[[Host], ReadProcess]] = {}


def process_reader(
    host: Host, columns: tuple[str, ...], *, guarded: bool = True, leaders_only: bool = False
) -> ReadProcess:
    """A function from the digits of a process to its row, or to None when there is no such process (any more).

    guarded: read files that the kernel shows to the owner alone; otherwise their columns are NULL.
    leaders_only: give None for the number of a thread. A listing shows no threads, so a scan need not ask.
    """
    key = (columns, guarded, leaders_only)
    bind = _compiled.get(key)
    if bind is None:
        if len(_compiled) >= _CACHED:
            _compiled.clear()
        bind = _compiled[key] = _compile(columns, guarded=guarded, leaders_only=leaders_only)
    return bind(host)


def _compile(columns: tuple[str, ...], *, guarded: bool, leaders_only: bool) -> Callable[[Host], ReadProcess]:
    chosen = [COLUMNS.get(name, _NULL) for name in columns]
    chosen = [_NULL if column.guarded and not guarded else column for column in chosen]
    needs = [*chosen, _LEADER] if leaders_only else chosen
    files = [file for file in _FILES if any(file in column.files for column in needs)]
    splits = 1 + max(_FLAGS, *(column.field for column in needs), 0)
    is_program = f"not int(f[{_FLAGS}]) & {KERNEL_THREAD}" if "stat" in files else "True"
    source = _SOURCE.format(
        started="moments(boot_seconds(host.root))" if "CreationDate" in columns else "None",
        files="".join(
            _FILES[file].replace("{splits}", str(splits)).replace("{is_program}", is_program)
            for file in files
        ),
        values="".join(f"{column.expression}, " for column in chosen),
    )
    scope: dict[str, object] = dict(_SCOPE)
    exec(compile(source, "<process reader>", "exec"), scope)  # noqa: S102 - made of this module's constants
    bind: Callable[[Host], ReadProcess] = scope["bind"]  # type: ignore[assignment]
    return bind


def full_name(base: str, name: bytes) -> bytes:
    """The name of the program where the kernel kept only its first 15 bytes: completed from the command line."""
    try:
        first = contents(base + "/cmdline").partition(b"\0")[0].rpartition(b"/")[2]
    except PermissionError:
        return name
    return first if first.startswith(name) else name


def program(base: str) -> str | None:
    """The path of the program file; None for kernel threads and without the right to see it."""
    try:
        target = os.readlink(os.fsencode(base + "/exe"))
    except PermissionError:
        return None
    except FileNotFoundError:
        os.stat(base)
        return None
    return text(target.removesuffix(b" (deleted)"))


def open_files(base: str) -> int | None:
    try:
        return len(os.listdir(base + "/fd"))
    except PermissionError:
        return None


def counters(base: str) -> dict[bytes, int]:
    """/proc/PID/io by name with its colon; empty without the right to see it."""
    try:
        words = contents(base + "/io", 1024).split()
    except PermissionError:
        return {}
    return dict(zip(words[::2], map(int, words[1::2]), strict=True))


def kilobytes(status: bytes, label: bytes) -> int | None:
    """A size of /proc/PID/status in KB; None for kernel threads and zombies, which have no memory of their own."""
    at = status.find(label)
    return None if at < 0 else int(status[at + len(label) : at + 40].split(None, 1)[0])


def uint32(size: int | None) -> int | None:
    """The size, or the largest number that the property holds."""
    return None if size is None else min(size, UINT32)


def in_bytes(size: int | None) -> int | None:
    return None if size is None else size * 1024


def private(status: bytes) -> int | None:
    """Bytes that no other process shares: anonymous pages in memory and in swap space."""
    resident = kilobytes(status, b"\nRssAnon:")
    return None if resident is None else (resident + (kilobytes(status, b"\nVmSwap:") or 0)) * 1024


def moments(boot: int | None) -> Callable[[int], str | None]:
    """A function from clock ticks since the boot to local time. Offsets change on quarters of an hour at most, so
    what the C library says is asked once for each."""
    quarters: dict[int, tuple[str, int, str]] = {}

    def started(ticks: int) -> str | None:
        if boot is None:
            return None
        seconds, part = divmod(ticks, TICKS_PER_SECOND)
        quarter, within = divmod(boot + seconds, 900)
        known = quarters.get(quarter)
        if known is None:
            text = datetime_text(quarter * 900)
            known = quarters[quarter] = (text[:10], int(text[10:12]) * 60 + int(text[12:14]), text[21:])
        hour, offset, zone = known
        minute, second = divmod(offset + within, 60)
        return f"{hour}{_TWO_DIGITS[minute]}{_TWO_DIGITS[second]}{_FRACTIONS[part]}{zone}"

    return started


def priority(nice: int, policy: bytes) -> int:
    """The base priority 0..31 that stands for a nice value; the bounds invert NICE of linux.control (G-25)."""
    if policy in _REALTIME or nice <= -20:
        return 24
    if nice < 0:
        return 13 if nice <= -10 else 10
    if nice > 0:
        return 4 if nice >= 19 else 6
    return 8


_REALTIME = frozenset((b"1", b"2", b"6"))  # SCHED_FIFO, SCHED_RR, SCHED_DEADLINE
# Letters of /proc/PID/stat -> CIM_Process.ExecutionState: 3 running, 4 blocked, 7 terminated, 8 stopped.
_STATES = {b"R": 3, b"S": 4, b"D": 4, b"I": 4, b"T": 8, b"t": 8, b"Z": 7, b"X": 7, b"x": 7}
_SCOPE: dict[str, object] = {
    "GONE": (FileNotFoundError, ProcessLookupError, PermissionError),
    "STATES": _STATES,
    "boot_seconds": boot_seconds,
    "close_": os.close,
    "contents": contents,
    "counters": counters,
    "full_name": full_name,
    "in_bytes": in_bytes,
    "kilobytes": kilobytes,
    "moments": moments,
    "open_": os.open,
    "open_files": open_files,
    "priority": priority,
    "private": private,
    "program": program,
    "read_": os.read,
    "rest": rest,
    "text": text,
    "uint32": uint32,
}
