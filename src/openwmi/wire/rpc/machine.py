"""The states of an association, as one table for both roles ([C706] 9.3 and 11; [MS-RPCE] 3.3.2.4, 3.3.3.4).

The machine does not know which side it plays: a PDU that the table has no row for is our caller's mistake when we send
it and the peer's when we receive it. Handshakes of security contexts have no state here: there are many of them on
one association, and each keeps its own.
"""

from __future__ import annotations

from enum import Enum, IntEnum, auto
from typing import TYPE_CHECKING, Final

from openwmi.wire.errors import LocalProtocolError, PeerMisbehaved
from openwmi.wire.rpc.constants import PduType

if TYPE_CHECKING:
    from collections.abc import Mapping


class Role(Enum):
    CLIENT = auto()
    SERVER = auto()


class State(IntEnum):
    __hash__ = int.__hash__

    IDLE = auto()  # connected, nothing agreed
    BINDING = auto()  # a bind waits for its answer
    BOUND = auto()  # calls may travel
    ALTERING = auto()  # so may they, while an alter_context waits for its answer
    CLOSED = auto()  # nothing may travel any more


_P = PduType
_CALLS_OUT: Final = (_P.REQUEST, _P.CANCEL, _P.ORPHANED)
_CALLS_BACK: Final = (_P.RESPONSE, _P.FAULT)


def _table(**rows: Mapping[PduType, State]) -> Mapping[State, Mapping[PduType, State]]:
    """A row for every state; where none is given, nothing may travel."""
    return {state: rows.get(state.name, {}) for state in State}


def _rows(state: State, *kinds: PduType) -> dict[PduType, State]:
    return dict.fromkeys(kinds, state)


# From the client's point of view: what it sends, what it receives. The server's table is the mirror image.
_CLIENT_SENDS: Final = _table(
    IDLE={_P.BIND: State.BINDING},
    BOUND={_P.ALTER_CONTEXT: State.ALTERING, **_rows(State.BOUND, _P.AUTH3, *_CALLS_OUT)},
    ALTERING=_rows(State.ALTERING, _P.AUTH3, *_CALLS_OUT),
)
_CLIENT_RECEIVES: Final = _table(
    BINDING={_P.BIND_ACK: State.BOUND, _P.BIND_NAK: State.CLOSED, _P.FAULT: State.CLOSED},
    BOUND=_rows(State.BOUND, _P.SHUTDOWN, *_CALLS_BACK),
    ALTERING={
        _P.ALTER_CONTEXT_RESPONSE: State.BOUND,
        **_rows(State.ALTERING, _P.SHUTDOWN, *_CALLS_BACK),
    },
)
_SENT: Final = {Role.CLIENT: _CLIENT_SENDS, Role.SERVER: _CLIENT_RECEIVES}
_RECEIVED: Final = {Role.CLIENT: _CLIENT_RECEIVES, Role.SERVER: _CLIENT_SENDS}


class Machine:
    """The state of one association."""

    __slots__ = ("_received", "_sent", "role", "state")

    def __init__(self, role: Role) -> None:
        self.role = role
        self.state = State.IDLE
        self._sent = _SENT[role]
        self._received = _RECEIVED[role]

    def sends(self, kind: PduType) -> None:
        """We are about to send a PDU of this kind."""
        after = self._sent[self.state].get(kind)
        if after is None:
            raise LocalProtocolError(f"no {kind.name} may be sent while {self.state.name}", "[C706] 11")
        self.state = after

    def receives(self, kind: PduType) -> None:
        """A PDU of this kind has come."""
        after = self._received[self.state].get(kind)
        if after is None:
            raise PeerMisbehaved(f"a {kind.name} came while {self.state.name}", "[C706] 11")
        self.state = after

    def alter_refused(self) -> None:
        """A fault answered our alter_context, or is about to answer the peer's."""
        if self.state is State.ALTERING:
            self.state = State.BOUND

    def start_over(self) -> None:
        """The peer is about to bind once more."""
        self.state = State.IDLE

    def close(self) -> None:
        self.state = State.CLOSED
