"""Tokens of handshakes, without what is secret in them: NTLM, SPNEGO, Kerberos.

A token becomes what it is called, who logs on, and what is negotiated. Responses, session keys, MICs, tickets and
challenges are left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from openwmi.wire.errors import RemoteProtocolError
from openwmi.wire.ntlm import constants as c
from openwmi.wire.ntlm.avpairs import value_of
from openwmi.wire.ntlm.messages import Authenticate, Challenge, ClientBlob, Negotiate
from openwmi.wire.spnego.mechanisms import KERBEROS, KERBEROS_MICROSOFT, NTLM, without_frame
from openwmi.wire.spnego.tokens import NegState, NegTokenInit, NegTokenResp

if TYPE_CHECKING:
    from collections.abc import Callable

_MECHANISMS: Final = {
    KERBEROS: "Kerberos",
    KERBEROS_MICROSOFT: "Kerberos (Microsoft's number)",
    NTLM: "NTLM",
    bytes.fromhex("2b06010401823702021e"): "NEGOEX",
}
_NAMES: Final = {
    c.AV_NETBIOS_COMPUTER: "netbios_computer",
    c.AV_NETBIOS_DOMAIN: "netbios_domain",
    c.AV_DNS_COMPUTER: "dns_computer",
    c.AV_DNS_DOMAIN: "dns_domain",
    c.AV_DNS_TREE: "dns_forest",
    c.AV_TARGET_NAME: "target_name",
}
_AP_REQ, _AP_REP, _KRB_ERROR = 0x6E, 0x6F, 0x7E


def described(token: bytes) -> dict[str, Any]:
    """What a token says; what cannot be read is told by its size, and by what is wrong with it."""
    for begins, read in _READERS:
        if token.startswith(begins):
            try:
                return read(token)
            except RemoteProtocolError as error:
                return {"token": f"{len(token)} bytes", "error": str(error)}
    return {"token": f"{len(token)} bytes"}


def inner(token: bytes) -> tuple[bytes | None, bool]:
    """The mechanism's own token, unwrapped from SPNEGO; and whether a MIC of SPNEGO came with it."""
    try:
        if token.startswith(b"\x60") and not _framed_kerberos(token):
            return NegTokenInit.decode(token).token, False
        if token.startswith(b"\xa1"):
            answer = NegTokenResp.decode(token)
            return answer.token, answer.mic is not None
    except RemoteProtocolError:
        return None, False
    return token, False


def _framed_kerberos(token: bytes) -> bool:
    return KERBEROS in token[:20] or KERBEROS_MICROSOFT in token[:20]


def _ntlm(token: bytes) -> dict[str, Any]:
    kind = token[8:9]
    if kind == b"\1":
        return {"ntlm": "NEGOTIATE", "flags": _flags(Negotiate.decode(token).flags)}
    if kind == b"\2":
        asked = Challenge.decode(token)
        document = {"ntlm": "CHALLENGE", "flags": _flags(asked.flags), "target": asked.target}
        return {**document, **(_attributes(asked.pairs()) if asked.info else {})}
    return _authenticate(Authenticate.decode(token))


def _authenticate(told: Authenticate) -> dict[str, Any]:
    document = {
        "ntlm": "AUTHENTICATE",
        "flags": _flags(told.flags),
        "domain": told.domain,
        "user": told.user,
        "workstation": told.workstation,
    }
    if len(told.nt_response) > 24:
        blob = ClientBlob.decode(told.nt_response[16:])
        target = value_of(blob.pairs, c.AV_TARGET_NAME)
        if target:
            document["target_name"] = target.decode("utf-16-le", "replace")
    elif told.nt_response:
        document["version"] = "NTLMv1"
    return document


def _flags(flags: int) -> str:
    return f"0x{flags:08X}"


def _attributes(pairs: tuple[tuple[int, bytes], ...]) -> dict[str, str]:
    return {_NAMES[n]: value.decode("utf-16-le", "replace") for n, value in pairs if n in _NAMES}


def _opening(token: bytes) -> dict[str, Any]:
    if _framed_kerberos(token):
        return _kerberos(without_frame(token))
    opening = NegTokenInit.decode(token)
    document: dict[str, Any] = {
        "spnego": "NegTokenInit",
        "mechanisms": [_MECHANISMS.get(name, name.hex()) for name in opening.mechanisms],
    }
    if opening.token is not None:
        document["token"] = described(opening.token)
    return document


def _answer(token: bytes) -> dict[str, Any]:
    answer = NegTokenResp.decode(token)
    document: dict[str, Any] = {"spnego": "NegTokenResp"}
    if answer.state is not None:
        known = answer.state in list(NegState)
        document["state"] = NegState(answer.state).name.lower() if known else answer.state
    if answer.mechanism is not None:
        document["mechanism"] = _MECHANISMS.get(answer.mechanism, answer.mechanism.hex())
    if answer.token is not None:
        document["token"] = described(answer.token)
    if answer.mic is not None:
        document["mic"] = "present"
    return document


def _kerberos(token: bytes) -> dict[str, Any]:
    names = {_AP_REQ: "AP-REQ", _AP_REP: "AP-REP", _KRB_ERROR: "KRB-ERROR"}
    return {"kerberos": names.get(token[0] if token else 0, "token"), "size": len(token)}


_READERS: Final[tuple[tuple[bytes, Callable[[bytes], dict[str, Any]]], ...]] = (
    (c.SIGNATURE, _ntlm),
    (b"\x60", _opening),
    (b"\xa1", _answer),
    (bytes([_AP_REQ]), _kerberos),
    (bytes([_AP_REP]), _kerberos),
    (bytes([_KRB_ERROR]), _kerberos),
)
