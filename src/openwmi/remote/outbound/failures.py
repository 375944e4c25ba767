"""What goes wrong on the way to another machine, as errors of the seam: code, host, phase, the peer's fault as cause.

Phases, in the order in which one gets there: `name`, `connect`, `bind`, then the names of the methods called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from openwmi.model import status as codes
from openwmi.model.errors import error
from openwmi.wire.errors import (
    ACCESS_DENIED,
    BAD_STUB_DATA,
    INVALID_PRESENTATION_CONTEXT,
    OPNUM_OUT_OF_RANGE,
    PROTOCOL_ERROR,
    SERVER_TOO_BUSY,
    UNKNOWN_INTERFACE,
    AuthenticationFailed,
    LocalProtocolError,
    ProtocolError,
)
from openwmi.wire.rpc.constants import NakReason

if TYPE_CHECKING:
    from openwmi.model.errors import WbemError
    from openwmi.remote.places import Address

# Statuses of faults ([C706] appendix E) as the HRESULTs that a client of Windows sees for them.
_FAULTS: Final = {
    ACCESS_DENIED: codes.E_ACCESSDENIED,
    BAD_STUB_DATA: codes.RPC_X_BAD_STUB_DATA,
    INVALID_PRESENTATION_CONTEXT: codes.RPC_S_UNKNOWN_IF,
    OPNUM_OUT_OF_RANGE: codes.RPC_S_PROCNUM_OUT_OF_RANGE,
    PROTOCOL_ERROR: codes.RPC_S_PROTOCOL_ERROR,
    SERVER_TOO_BUSY: codes.RPC_S_SERVER_TOO_BUSY,
    UNKNOWN_INTERFACE: codes.RPC_S_UNKNOWN_IF,
}
_NAKS: Final = {
    NakReason.TEMPORARY_CONGESTION: (codes.RPC_S_SERVER_TOO_BUSY, "it is congested"),
    NakReason.LOCAL_LIMIT_EXCEEDED: (codes.RPC_S_SERVER_TOO_BUSY, "a limit of its own is reached"),
    NakReason.VERSION_NOT_SUPPORTED: (codes.RPC_S_PROTOCOL_ERROR, "it speaks another version of RPC"),
    NakReason.AUTHENTICATION_TYPE_NOT_RECOGNIZED: (
        codes.RPC_S_UNKNOWN_AUTHN_SERVICE,
        "it does not take this kind of authentication",
    ),
    NakReason.INVALID_CHECKSUM: (codes.RPC_S_SEC_PKG_ERROR, "it finds our token damaged"),
}


def failure(
    code: int, message: str, address: Address | None, phase: str, cause: BaseException | None = None
) -> WbemError:
    """An error with its place."""
    made = error(code, message)
    made.host = address.host if address else None
    made.phase = phase
    made.__cause__ = cause
    return made


def unreachable(address: Address, phase: str, reason: str) -> WbemError:
    """0x800706BA: the host has no such name, or nothing answers there (calls.md A29)."""
    message = f"{address.host} cannot be reached on port {address.port}: {reason}"
    return failure(codes.RPC_S_SERVER_UNAVAILABLE, message, address, phase)


def silent(address: Address, phase: str, seconds: float) -> WbemError:
    """The peer took a message and said nothing for too long."""
    message = f"{address.host} did not answer within {seconds:g} s: {phase} on port {address.port}"
    return failure(codes.WBEM_E_TIMED_OUT, message, address, phase)


def faulted(address: Address, phase: str, status: int, *, executed: bool = True) -> WbemError:
    """The peer answered a call with a fault."""
    code = _FAULTS.get(status)
    if code is None:
        code = 0x80070000 | status if status < 0x10000 else status
    ran = "" if executed else "; nothing was executed"
    return failure(code, f"{address.host} answered {phase} with fault 0x{status:08X}{ran}", address, phase)


def naked(address: Address, reason: int) -> WbemError:
    """The peer refused the association as a whole."""
    code, why = _NAKS.get(NakReason(reason), (0, "")) if reason in set(NakReason) else (0, "")
    code = code or codes.E_ACCESSDENIED
    why = why or f"it gives no reason (bind_nak {reason})"
    return failure(
        code, f"{address.host} refuses the connection on port {address.port}: {why}", address, "bind"
    )


def rejected(address: Address, interface: object, result: tuple[int, int]) -> WbemError:
    """The peer does not have an interface."""
    message = (
        f"{address.host} does not offer interface {interface} on port {address.port} (reason {result[1]})"
    )
    return failure(codes.RPC_S_UNKNOWN_IF, message, address, "bind")


def broken(address: Address, phase: str, cause: ProtocolError) -> WbemError:
    """The peer broke the protocol, or a check of ours failed."""
    if isinstance(cause, AuthenticationFailed):
        code = codes.SEC_E_LOGON_DENIED if phase == "bind" else codes.SEC_E_MESSAGE_ALTERED
        return failure(code, f"{address.host}, {phase}: {cause}", address, phase, cause)
    if isinstance(cause, LocalProtocolError):
        code, who = codes.RPC_S_CALL_FAILED_DNE, "this call cannot be sent"
        return failure(code, f"{who} to {address.host}, {phase}: {cause}", address, phase, cause)
    code = codes.RPC_X_BAD_STUB_DATA if cause.status == BAD_STUB_DATA else codes.RPC_S_PROTOCOL_ERROR
    return failure(code, f"{address.host} broke the protocol, {phase}: {cause}", address, phase, cause)


def cut(address: Address, phase: str, cause: BaseException | None) -> WbemError:
    """The connection ended under a call."""
    reason = f": {cause}" if cause is not None else ""
    message = f"{address.host} closed the connection on port {address.port} during {phase}{reason}"
    return failure(codes.RPC_S_CALL_FAILED, message, address, phase, cause)


def closed(address: Address, phase: str, reason: WbemError | None = None) -> WbemError:
    """The connection had ended before, for a reason that may be known."""
    message = f"the connection to {address.host} on port {address.port} is closed"
    if reason is not None and reason.code != codes.RPC_E_DISCONNECTED:
        message += f": {reason.message}"
    return failure(codes.RPC_E_DISCONNECTED, message, address, phase, reason)


def busy(address: Address, phase: str) -> WbemError:
    """More calls wait on the connection than one of ours may have."""
    return failure(codes.RPC_S_SERVER_TOO_BUSY, f"too many calls wait for {address.host}", address, phase)
