"""IWbemLevel1Login and its small relations: the way into a namespace ([MS-WMI] 3.1.4.1, 3.1.4.8, 3.1.4.9)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from openwmi.wire.dcom.method import ObjectMethod
from openwmi.wire.ndr import INT32, UINT8, UINT32, ConformantVaryingArray, Parameters, Unique, WideString
from openwmi.wire.wmi.types import OBJECT

if TYPE_CHECKING:
    from collections.abc import Sequence

_TEXT: Final = Unique(WideString())


@dataclass(frozen=True, slots=True)
class EstablishPosition:
    """Says nothing that anybody uses."""

    locales: str | None = None
    count: int = 0


@dataclass(frozen=True, slots=True)
class EstablishPositionAnswer:
    version: int = 1
    result: int = 0


@dataclass(frozen=True, slots=True)
class NtlmLogin:
    """Log on to a namespace; NTLM is in the name only."""

    namespace: str | None
    locale: str | None = None
    flags: int = 0
    context: bytes | None = None


@dataclass(frozen=True, slots=True)
class LoginAnswer:
    """services: an OBJREF, None after a failure."""

    services: bytes | None
    result: int = 0


@dataclass(frozen=True, slots=True)
class SetClientInfo:
    """Who calls, for the server's records."""

    machine: str | None
    process: int
    reserved: int = 0


@dataclass(frozen=True, slots=True)
class Unread:
    """Parameters that nobody has a use for: of methods that only say so."""


@dataclass(frozen=True, slots=True)
class Challenge:
    nonce: Sequence[int]
    result: int = 0


@dataclass(frozen=True, slots=True)
class Result:
    result: int = 0


ESTABLISH_POSITION: Final = ObjectMethod(
    "EstablishPosition",
    3,
    Parameters(EstablishPosition, "[MS-WMI] 3.1.4.1.1", locales=_TEXT, count=UINT32),
    Parameters(EstablishPositionAnswer, "[MS-WMI] 3.1.4.1.1", version=UINT32, result=UINT32),
)
NTLM_LOGIN: Final = ObjectMethod(
    "NTLMLogin",
    6,
    Parameters(NtlmLogin, "[MS-WMI] 3.1.4.1.4", namespace=_TEXT, locale=_TEXT, flags=INT32, context=OBJECT),
    Parameters(LoginAnswer, "[MS-WMI] 3.1.4.1.4", services=OBJECT, result=UINT32),
)
SET_CLIENT_INFO: Final = ObjectMethod(
    "SetClientInfo",
    3,
    Parameters(SetClientInfo, "[MS-WMI] 3.1.4.8.1", machine=_TEXT, process=INT32, reserved=INT32),
    Parameters(Result, "[MS-WMI] 3.1.4.8.1", result=UINT32),
)

_UNREAD: Final = Parameters(Unread, "[MS-WMI] 3.1.4.1")
_RESULT: Final = Parameters(Result, "[MS-WMI] 3.1.4.8", result=UINT32)

# Relics of earlier protocols, and what only servers' records would want to know.
REQUEST_CHALLENGE: Final = ObjectMethod(
    "RequestChallenge",
    4,
    _UNREAD,
    Parameters(Challenge, "[MS-WMI] 3.1.4.1.2", nonce=ConformantVaryingArray(UINT8), result=UINT32),
)
WBEM_LOGIN: Final = ObjectMethod("WBEMLogin", 5, _UNREAD, NTLM_LOGIN.response)
SET_CLIENT_INFO_EX: Final = ObjectMethod("SetClientInfoEx", 4, _UNREAD, _RESULT)
SET_EVENT: Final = ObjectMethod("SetEvent", 3, _UNREAD, _RESULT)
