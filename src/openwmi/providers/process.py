"""Win32_Process on Linux: every property from /proc, and the methods that start, end and rank processes (G-25, G-26).

What the properties hold where it is not plain:

=========================================  =============================================================================
Name, Caption, Description                 the program's name, completed from the command line beyond 15 bytes
CommandLine                                the arguments with blanks between; NULL for kernel threads and zombies
CreationDate                               to the clock tick (10 ms), as local time
ExecutionState                             3 running, 4 blocked, 7 terminated (zombie), 8 stopped
HandleCount                                open file descriptors
KernelModeTime, UserModeTime               100 ns units
PageFileUsage                              KB in swap space
PrivatePageCount                           bytes of anonymous memory, resident or in swap space
Priority                                   4, 6, 8, 10, 13 or 24 by the nice value; 24 for real-time policies
ReadTransferCount, WriteTransferCount      bytes through read and write calls, whatever they went to
SessionId                                  the POSIX session
WindowsVersion                             Win32_OperatingSystem.Version
WorkingSetSize                             bytes, as ps shows them: the kernel adds up per-processor counts lazily
VirtualSize, PeakVirtualSize               bytes; PeakWorkingSetSize KB (G-06)
=========================================  =============================================================================

NULL always, since Linux has no such fact: InstallDate, Status, TerminationDate, MaximumWorkingSetSize,
MinimumWorkingSetSize (there are no limits of the working set), OtherOperationCount, OtherTransferCount,
PeakPageFileUsage, QuotaNonPagedPoolUsage, QuotaPagedPoolUsage, QuotaPeakNonPagedPoolUsage, QuotaPeakPagedPoolUsage.
NULL without the right to look: ExecutablePath, HandleCount and the Read and Write counters of other users' processes;
for callers of other machines who act as no user of this one CommandLine, too, and of every process.
"""

from __future__ import annotations

import os
from itertools import islice
from typing import TYPE_CHECKING

from openwmi.contract.provider import Guard
from openwmi.model.errors import error
from openwmi.model.status import WBEM_E_NOT_FOUND
from openwmi.providers.columns import not_capable
from openwmi.providers.linux.host import Host
from openwmi.providers.linux.processes import COLUMNS, process_reader

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from openwmi.contract.provider import Request, Row

_REPORT_EVERY = 64


class Processes:
    """The processes below `root`/proc. Methods act on this machine, whatever the root."""

    @property
    def guard(self) -> Guard:
        return GUARD

    def __init__(self, root: str = "") -> None:
        self._root = root

    def instances(self, request: Request) -> Iterator[Row]:
        """All processes; the one that the conditions name is read without listing any (D-55)."""
        handle = _named(request)
        return self._scan(request) if handle is None else self._single(request, handle)

    def instance(self, request: Request, keys: Mapping[str, object]) -> Row | None:
        return self._one(request, str(keys.get("Handle")))

    def _one(self, request: Request, handle: str) -> Row | None:
        if not _is_handle(handle):
            return None
        read = process_reader(Host(self._root), request.columns, guarded=request.as_caller, leaders_only=True)
        return read(handle)

    def _single(self, request: Request, handle: str) -> Iterator[Row]:
        row = self._one(request, handle)
        if row is not None:
            yield row

    def _scan(self, request: Request) -> Iterator[Row]:
        """The first rows come before /proc is listed to its end; from then on the total is known and reported.

        One flat loop: each layer of generators would cost a microsecond per row, of the twenty that the kernel takes.
        """
        read = process_reader(Host(self._root), request.columns, guarded=request.as_caller)
        with os.scandir(f"{self._root}/proc") as entries:
            numbers = (entry.name for entry in entries if entry.name.isdecimal())
            chunk = list(islice(numbers, _REPORT_EVERY))
            waiting: list[str] | None = None
            done = total = 0
            while chunk:
                for row in map(read, chunk):
                    if row is not None:
                        yield row
                    if request.cancelled:
                        return
                done += len(chunk)
                if waiting is None:
                    waiting = [name for entry in entries if (name := entry.name).isdecimal()]
                    total = done + len(waiting)
                    waiting.reverse()
                request.progress(done, total)
                chunk, waiting[-_REPORT_EVERY:] = waiting[: -_REPORT_EVERY - 1 : -1], []

    def method(
        self,
        request: Request,
        method: str,
        keys: Mapping[str, object] | None,
        params: Mapping[str, object],
    ) -> Mapping[str, object]:
        """G-26. What the action says is in ReturnValue; a process that is not there is NOT_FOUND."""
        from openwmi.providers.linux import control

        action = method.lower()
        if action in GUARD.methods and not request.as_caller:
            # Nobody remote acts as the service (DESIGN.md section 5).
            return {"ReturnValue": control.ACCESS_DENIED}
        if action == "create":
            return control.create(params)
        handle = str((keys or {}).get("Handle"))
        host = Host(self._root)
        if not _is_handle(handle) or process_reader(host, (), leaders_only=True)(handle) is None:
            raise error(WBEM_E_NOT_FOUND, f"there is no process {handle}", operation="ExecMethod")
        if action == "terminate":
            return {"ReturnValue": control.terminate(int(handle))}
        if action == "setpriority":
            return {"ReturnValue": control.set_priority(int(handle), params.get("Priority"))}
        if action == "getowner":
            return control.owner(host, handle)
        if action == "getownersid":
            return control.owner_sid(host, handle)
        if action == "getavailablevirtualsize":
            return control.available_virtual_size(host, handle)
        raise not_capable(request, method)


def _named(request: Request) -> str | None:
    """The one process that the conditions leave, or None when they leave more."""
    for name, operator, value in request.conditions:
        if operator == "=" and name in ("ProcessId", "Handle") and value is not None:
            return str(value)
    return None


def _is_handle(handle: str) -> bool:
    """Whether a text can be a handle: the decimal digits that the kernel would print."""
    return handle.isascii() and handle.isdecimal() and handle[0] != "0" and len(handle) <= 10


_REFUSED = {"ReturnValue": 2}
GUARD = Guard(
    columns=frozenset(name for name, column in COLUMNS.items() if column.guarded),
    methods={"create": _REFUSED, "terminate": _REFUSED, "setpriority": _REFUSED},
)
family = Processes
