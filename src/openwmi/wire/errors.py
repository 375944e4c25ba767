"""What goes wrong on the wire: rules that we broke, and rules that the peer broke.

`LocalProtocolError` is our own caller's mistake: a call in the wrong state, a value that has no encoding.
`RemoteProtocolError` is the peer's doing. Its two kinds call for different answers: a peer that *misbehaved* sent
what no version of the protocol allows, and its connection is closed; one that is *incompatible* keeps the rules but
wants something that we do not do, and is told so.
"""

from __future__ import annotations

from openwmi.model.errors import WmiError

# Fault codes that go to the peer ([C706] appendix E, [MS-RPCE] 3.1.1.5.5, [MS-DCOM] 2.2.8.1).
ACCESS_DENIED = 0x00000005
BAD_STUB_DATA = 0x000006F7
OPNUM_OUT_OF_RANGE = 0x1C010002
UNKNOWN_INTERFACE = 0x1C010003
PROTOCOL_ERROR = 0x1C01000B
SERVER_TOO_BUSY = 0x1C010014
INVALID_PRESENTATION_CONTEXT = 0x1C00001C
SECURITY_PACKAGE_ERROR = 0x00000721
RPC_E_DISCONNECTED = 0x80010108
RPC_E_VERSION_MISMATCH = 0x80010110


class ProtocolError(WmiError):
    """A rule of a wire protocol was broken. clause: the paragraph with the rule; status: what a fault would say."""

    status: int = PROTOCOL_ERROR

    def __init__(self, message: str, clause: str = "", *, status: int | None = None) -> None:
        super().__init__(f"{message} ({clause})" if clause else message)
        self.message = message
        self.clause = clause
        if status is not None:
            self.status = status


class LocalProtocolError(ProtocolError):
    """Our side asked for something that the protocol does not allow now, or not at all."""


class RemoteProtocolError(ProtocolError):
    """The peer's side did."""


class PeerMisbehaved(RemoteProtocolError):
    """The peer sent what no conforming implementation sends: truncated, contradictory, out of order, forged."""


class PeerIncompatible(RemoteProtocolError):
    """The peer keeps to the rules, but needs a version or an option that this side does not have."""


class AuthenticationFailed(RemoteProtocolError):
    """The peer could not prove who it is, or a message of it fails its check. Says nothing about the secret."""

    status = ACCESS_DENIED
