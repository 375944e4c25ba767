"""Numbers of connection-oriented RPC: PDU types, flags, authentication types and levels, reasons."""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class PduType(IntEnum):
    """[C706] 12.6.1, [MS-RPCE] 2.2.2.1."""

    __hash__ = (
        int.__hash__
    )  # an enumeration's own is a Python function, and every PDU is looked up by its type

    REQUEST = 0
    RESPONSE = 2
    FAULT = 3
    BIND = 11
    BIND_ACK = 12
    BIND_NAK = 13
    ALTER_CONTEXT = 14
    ALTER_CONTEXT_RESPONSE = 15
    AUTH3 = 16
    SHUTDOWN = 17
    CANCEL = 18
    ORPHANED = 19


CALL_PDUS: Final = frozenset({PduType.REQUEST, PduType.RESPONSE, PduType.FAULT})

# Header flags ([C706] 12.6.3.1, [MS-RPCE] 2.2.2.3). Bit 4 has two meanings.
FIRST: Final = 0x01
LAST: Final = 0x02
SUPPORT_HEADER_SIGN: Final = 0x04  # in bind, alter_context, their answers and auth3
PENDING_CANCEL: Final = 0x04  # elsewhere
CONCURRENT: Final = 0x10
DID_NOT_EXECUTE: Final = 0x20
MAYBE: Final = 0x40
OBJECT: Final = 0x80
WHOLE: Final = FIRST | LAST


class AuthType(IntEnum):
    """[MS-RPCE] 2.2.1.1.7."""

    NONE = 0
    SPNEGO = 9
    NTLM = 10
    KERBEROS = 16


class AuthLevel(IntEnum):
    """[MS-RPCE] 2.2.1.1.8. CALL is treated as PACKET; PACKET and INTEGRITY look alike on the wire (wire.md 3)."""

    NONE = 1
    CONNECT = 2
    CALL = 3
    PACKET = 4
    INTEGRITY = 5
    PRIVACY = 6


class ContextResult(IntEnum):
    """What became of one element of a bind ([C706] 12.6.3.1, [MS-RPCE] 2.2.2.4)."""

    ACCEPTANCE = 0
    USER_REJECTION = 1
    PROVIDER_REJECTION = 2
    NEGOTIATE_ACK = 3


# Reasons of a provider rejection.
ABSTRACT_SYNTAX_NOT_SUPPORTED: Final = 1
TRANSFER_SYNTAXES_NOT_SUPPORTED: Final = 2
LOCAL_LIMIT_EXCEEDED: Final = 3


class NakReason(IntEnum):
    """Why a bind is refused altogether ([C706] 12.6.3.1, [MS-RPCE] 2.2.2.5)."""

    NOT_SPECIFIED = 0
    TEMPORARY_CONGESTION = 1
    LOCAL_LIMIT_EXCEEDED = 2
    VERSION_NOT_SUPPORTED = 4
    AUTHENTICATION_TYPE_NOT_RECOGNIZED = 8
    INVALID_CHECKSUM = 9


# Bind-time features ([MS-RPCE] 2.2.2.14).
FEATURE_SECURITY_MULTIPLEXING: Final = 1
FEATURE_KEEP_ON_ORPHAN: Final = 2

# What every implementation takes in one fragment ([C706] 12.6.2), what Windows offers, what the field can hold.
MUST_RECEIVE: Final = 1432
DEFAULT_FRAGMENT: Final = 5840
LARGEST_FRAGMENT: Final = 65528
