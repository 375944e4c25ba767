"""What both ends of a Kerberos handshake offer to RPC and to SPNEGO: messages under its keys (RFC 4121 4.2).

| agreed with the peer | under the signature | sealed at PRIVACY (wire.md 3) |
|---|---|---|
| header signing | head, stub, pad, trailer | stub, pad |
| none (impacket, aiowmi) | stub, pad | stub, pad |
"""

from __future__ import annotations

from typing import Any

from openwmi.wire.errors import AuthenticationFailed, LocalProtocolError
from openwmi.wire.kerberos.gss import CLAUSE, library, refused, required_flags
from openwmi.wire.rpc.constants import AuthType

_BLOCK = bytes(16)


class KerberosContext:
    """A handshake and, once it is over, its keys."""

    auth_type: int = AuthType.KERBEROS

    def __init__(self) -> None:
        self._context: Any = None
        self._done = False
        self._sizes: dict[bool, int] = {}
        self.identity: Any = None

    def __repr__(self) -> str:
        state = "complete" if self.complete else "under way"
        return f"<{type(self).__module__}.{type(self).__name__} {state}>"

    @property
    def complete(self) -> bool:
        return self._done

    def _advance(self, token: bytes, failure: str) -> bytes:
        """One leg of the library's; the last one settles whether the context can do what RPC needs."""
        gssapi = library()
        # Else a leg that failed would give its error token now and its error at the next touch.
        self._context.__DEFER_STEP_ERRORS__ = False
        try:
            answer: bytes = self._context.step(token) or b""
        except gssapi.exceptions.GSSError as error:
            raise refused(error, failure) from None
        if self._context.complete:
            self._finish()
        return answer

    def _finish(self) -> None:
        if required_flags() & ~int(self._context.actual_flags):
            raise AuthenticationFailed("a Kerberos context without DCE's three legs or without order", CLAUSE)
        self._done = True

    def _session(self) -> Any:
        if not self._done:
            raise LocalProtocolError("the Kerberos handshake is not over")
        return self._context

    def token_size(self, *, seal: bool) -> int:
        size = self._sizes.get(seal)
        if size is None:
            size = self._sizes[seal] = self._measured(seal=seal)
        return size

    def _measured(self, *, seal: bool) -> int:
        raw, context = library().raw, self._session()
        kind = raw.IOVBufferType
        if seal:
            pieces = raw.IOV((kind.header, False), (kind.data, _BLOCK), std_layout=False)
            raw.wrap_iov_length(context, pieces, confidential=True)
            return len(pieces[0].value)
        pieces = raw.IOV((kind.data, _BLOCK), (kind.mic_token, False), std_layout=False)
        raw.get_mic_iov_length(context, pieces)
        return len(pieces[1].value)

    def wrap(
        self, head: bytes, stub: bytes, end: bytes, *, seal: bool, sign_head: bool
    ) -> tuple[bytes, bytes]:
        context = self._session()
        if not seal:
            return stub, self.mic(b"".join((head, stub, end)) if sign_head else stub)
        gssapi = library()
        pieces, data, token = _pieces(gssapi.raw, head, stub, end, None, sign_head=sign_head)
        try:
            gssapi.raw.wrap_iov(context, pieces, confidential=True)
        except gssapi.exceptions.GSSError as error:
            raise refused(error, "a message could not be sealed") from None
        return pieces[data].value, pieces[token].value

    def unwrap(
        self, head: bytes, stub: bytes, end: bytes, token: bytes, *, sealed: bool, sign_head: bool
    ) -> bytes:
        context = self._session()
        if not sealed:
            self.check_mic(b"".join((head, stub, end)) if sign_head else stub, token)
            return stub
        gssapi = library()
        pieces, data, _ = _pieces(gssapi.raw, head, stub, end, token, sign_head=sign_head)
        try:
            result = gssapi.raw.unwrap_iov(context, pieces)
        except gssapi.exceptions.GSSError as error:
            raise refused(error, "a message was changed or is out of order") from None
        if not result.encrypted:
            raise AuthenticationFailed("a message that should be sealed is not", CLAUSE)
        plain: bytes = pieces[data].value
        return plain

    # What SPNEGO needs besides.

    def mic(self, data: bytes) -> bytes:
        gssapi = library()
        try:
            token: bytes = gssapi.raw.get_mic(self._session(), data)
        except gssapi.exceptions.GSSError as error:
            raise refused(error, "a message could not be signed") from None
        return token

    def check_mic(self, data: bytes, token: bytes) -> None:
        gssapi = library()
        try:
            gssapi.raw.verify_mic(self._session(), data, token)
        except gssapi.exceptions.GSSError as error:
            raise refused(error, "a message was changed or is out of order") from None

    def restart(self, *, outgoing: bool) -> None:
        """Nothing begins anew: the sequence numbers go on."""


def _pieces(
    raw: Any, head: bytes, stub: bytes, end: bytes, token: bytes | None, *, sign_head: bool
) -> tuple[Any, int, int]:
    """The library's view of a PDU, and where in it the stub and the token are."""
    kind = raw.IOVBufferType
    last = (kind.header, True, None) if token is None else (kind.header, False, token)
    if not sign_head:
        return raw.IOV((kind.data, stub), last, std_layout=False), 0, 1
    parts = ((kind.sign_only, head), (kind.data, stub), (kind.sign_only, end), last)
    return raw.IOV(*parts, std_layout=False), 1, 3
