"""How much a view holds, and how long it waits: the numbers, and their forms on the way in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from openwmi.contract.flags import WBEM_FLAG_FORWARD_ONLY, WBEM_FLAG_RETURN_IMMEDIATELY, WBEM_INFINITE
from openwmi.contract.operations import AnyOperation, Mode, checked_arguments, checked_flags, described
from openwmi.contract.outcome import Outcome
from openwmi.model.errors import error
from openwmi.model.status import WBEM_E_ACCESS_DENIED, WBEM_E_INVALID_PARAMETER, WBEM_E_QUOTA_VIOLATION

if TYPE_CHECKING:
    from openwmi.contract.caller import Caller

# Objects that lie between a provider and a reader that takes them in order. Enough to keep both busy.
WINDOW: Final = 1000
# Objects that one result may hold when all of it has to be kept (B83; DESIGN.md section 5, "Quotas").
HELD: Final = 1_000_000
# Seconds one callback of a sink may take (C7).
SINK_PATIENCE: Final = 30.0
# Seconds that a call which does not wait for results waits for a subscription to get its baseline (B88): what the
# program does next is heard then.
BASELINE_PATIENCE: Final = 1.0

# How an operation ends whose result is larger than may be held.
OVERFULL: Final = Outcome(WBEM_E_QUOTA_VIOLATION)

_MAX_COUNT: Final = 0xFFFFFFFF


def seconds(timeout: int) -> float | None:
    """A COM timeout in seconds; None waits for ever. 0xFFFFFFFF and -1 are WBEM_INFINITE; any other negative number
    is INVALID_PARAMETER (F6, F7)."""
    if not isinstance(timeout, int) or isinstance(timeout, bool):
        raise error(WBEM_E_INVALID_PARAMETER, f"not a timeout: {timeout!r}", parameter="lTimeout")
    if timeout in (WBEM_INFINITE, -1):
        return None
    if not 0 <= timeout <= 0x7FFFFFFF:
        raise error(WBEM_E_INVALID_PARAMETER, f"not a timeout: {timeout}", parameter="lTimeout")
    return timeout / 1000


def counted(count: int) -> int:
    """A number of objects, as an unsigned 32-bit parameter may hold it."""
    if not isinstance(count, int) or isinstance(count, bool) or not 0 <= count <= _MAX_COUNT:
        raise error(WBEM_E_INVALID_PARAMETER, f"not a number of objects: {count!r}", parameter="uCount")
    return count


def admitted(owner: Caller, caller: Caller | None) -> None:
    """Only the principal that made a view may use it (F1). `caller` None: the owner itself."""
    if caller is not None and caller.sid != owner.sid:
        raise error(WBEM_E_ACCESS_DENIED, f"{caller.name} is not who made this object")


def source_flags(operation: AnyOperation, flags: int, mode: Mode) -> int:
    """The flags to start with, once the arguments and flags of a synchronous or semisynchronous call were checked
    (B1-B7): those that only say how the result is read are taken away."""
    checked_arguments(operation)
    flags = checked_flags(operation, flags, mode)
    row = described(operation)
    reading = WBEM_FLAG_RETURN_IMMEDIATELY | (WBEM_FLAG_FORWARD_ONLY if row.enumerator else 0)
    return flags & ~reading
