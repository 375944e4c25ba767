"""The two messages of a Kerberos handshake, as far as their keys are in them: AP-REQ and AP-REP (RFC 4120 5.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from openwmi.wire.buffers import Reader
from openwmi.wire.decoding.kerberos.encryption import Key, decrypt
from openwmi.wire.errors import AuthenticationFailed, RemoteProtocolError
from openwmi.wire.spnego import der

if TYPE_CHECKING:
    from collections.abc import Iterable

    from openwmi.wire.decoding.kerberos.keytab import ServiceKey

_CLAUSE: Final = "RFC 4120 5"
_APPLICATION: Final = 0x60
_TICKET, _AUTHENTICATOR, _ENC_TICKET, _AP_REQ, _AP_REP, _ENC_AP_REP = 1, 2, 3, 14, 15, 27
_INTEGER: Final = 0x02
_MOST_MEMBERS: Final = 32
# What a key is used for (RFC 4120 7.5.1).
_USE_TICKET, _USE_AUTHENTICATOR, _USE_AP_REP = 2, 11, 12


def opened_request(token: bytes, keys: Iterable[ServiceKey]) -> tuple[Key, Key]:
    """(the session key, the client's subkey or the same) of an AP-REQ whose ticket one of the keys opens."""
    request = _members(token, _AP_REQ)
    ticket = _members(request[3], _TICKET)
    etype, sealed = _encrypted(ticket[3])
    for key in keys:
        if key.etype == etype:
            try:
                plain = decrypt(Key(etype, key.key), _USE_TICKET, sealed)
            except RemoteProtocolError:
                continue
            session = _key(_members(plain, _ENC_TICKET)[1])
            _, told = _encrypted(request[4])
            authenticator = _members(decrypt(session, _USE_AUTHENTICATOR, told), _AUTHENTICATOR)
            return session, _key(authenticator[6]) if 6 in authenticator else session
    raise AuthenticationFailed("a ticket for none of the services in the keytab", _CLAUSE)


def opened_reply(token: bytes, session: Key) -> Key | None:
    """The subkey that an AP-REP brings."""
    _, sealed = _encrypted(_members(token, _AP_REP)[2])
    reply = _members(decrypt(session, _USE_AP_REP, sealed), _ENC_AP_REP)
    return _key(reply[2]) if 2 in reply else None


class _Members(dict[int, bytes]):
    """The members of a sequence by the numbers of their tags; one that must be there and is not is the peer's doing."""

    def __missing__(self, number: int) -> bytes:
        raise Reader(b"", _CLAUSE).misbehaved(f"member {number} is missing")


def _members(data: bytes, application: int | None = None) -> _Members:
    reader = Reader(data, _CLAUSE)
    if application is not None:
        reader = der.expect(reader, _APPLICATION | application)
    body = der.expect(reader, der.SEQUENCE)
    found = _Members()
    while body.remaining:
        tag, content = der.read(body)
        found[tag - der.context(0)] = content
        if len(found) > _MOST_MEMBERS:
            raise body.misbehaved(f"more than {_MOST_MEMBERS} members")
    return found


def _encrypted(data: bytes) -> tuple[int, bytes]:
    """(encryption type, bytes) of an EncryptedData."""
    parts = _members(data)
    return _number(parts[0]), der.expect(Reader(parts[2], _CLAUSE), der.OCTET_STRING).rest()


def _key(data: bytes) -> Key:
    parts = _members(data)
    octets = der.expect(Reader(parts[1], _CLAUSE), der.OCTET_STRING).rest()
    return Key(_number(parts[0]), octets).checked()


def _number(data: bytes) -> int:
    return int.from_bytes(der.expect(Reader(data, _CLAUSE), _INTEGER).rest(), "big", signed=True)
