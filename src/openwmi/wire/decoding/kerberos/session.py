"""Messages under the keys of a handshake that was overheard (RFC 4121 4.2, as DCE arranges them: wire.md 4.5).

A sealed message's token: 16 bytes of header; the end of the ciphertext, which is filler, the header again and 12 bytes
of MAC; and the first 16 bytes of the ciphertext, the confounder. What is between stands where the stub was.
"""

from __future__ import annotations

from typing import Final

from openwmi.wire.buffers import Layout
from openwmi.wire.decoding.kerberos.encryption import Key, check_sealed, check_signed, cipher
from openwmi.wire.errors import PeerMisbehaved

_CLAUSE: Final = "RFC 4121 4.2"
_HEADER: Final = 16
_CONFOUNDER: Final = 16
_MAC: Final = 12
_START: Final = Layout("HBBHH", ">")
_SIGNED, _SEALED = 0x0404, 0x0504
_FROM_ACCEPTOR, _IS_SEALED, _ACCEPTOR_SUBKEY = 1, 2, 4
# What a key is used for (RFC 4121 2), by who sends.
_SEAL_USE: Final = {True: 22, False: 24}
_SIGN_USE: Final = {True: 23, False: 25}


class Reading:
    """Both directions, as `rpc.security.Security` wants a context; each message says by which key it goes."""

    complete = True
    identity = None

    def __init__(self, auth_type: int, initiator: Key, acceptor: Key | None) -> None:
        self.auth_type = auth_type
        self._initiator = initiator
        self._acceptor = acceptor

    def unwrap(
        self, head: bytes, stub: bytes, end: bytes, token: bytes, *, sealed: bool, sign_head: bool
    ) -> bytes:
        kind, flags, filler = self._start(token)
        if kind != (_SEALED if sealed else _SIGNED) or bool(flags & _IS_SEALED) is not sealed:
            raise PeerMisbehaved(f"a token of the kind 0x{kind:04X}", _CLAUSE)
        key = self._acceptor if flags & _ACCEPTOR_SUBKEY and self._acceptor is not None else self._initiator
        by_acceptor = bool(flags & _FROM_ACCEPTOR)
        before, after = (head, end) if sign_head else (b"", b"")
        if not sealed:
            signed = b"".join((before, stub, after, token[:_HEADER]))
            check_signed(key, _SIGN_USE[by_acceptor], signed, token[_HEADER:])
            return stub
        if len(token) != 2 * _HEADER + filler + _MAC + _CONFOUNDER:
            raise PeerMisbehaved(f"a token of {len(token)} bytes", _CLAUSE)
        use = _SEAL_USE[by_acceptor]
        confounder, tail, mac = (
            token[-_CONFOUNDER:],
            token[_HEADER : -_CONFOUNDER - _MAC],
            token[-_CONFOUNDER - _MAC : -_CONFOUNDER],
        )
        plain = cipher(key, use, confounder + stub + tail)
        opened = plain[_CONFOUNDER : _CONFOUNDER + len(stub)]
        rest = plain[_CONFOUNDER + len(stub) :]
        check_sealed(key, use, b"".join((plain[:_CONFOUNDER], before, opened, after, rest)), mac)
        return opened

    def _start(self, token: bytes) -> tuple[int, int, int]:
        """(kind, flags, bytes of filler)."""
        if len(token) < _HEADER + _MAC:
            raise PeerMisbehaved(f"a token of {len(token)} bytes", _CLAUSE)
        kind, flags, _, filler, _ = _START.unpack_from(token, 0)
        return kind, flags, filler if kind == _SEALED else 0
