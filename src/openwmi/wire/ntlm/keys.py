"""How NTLM version 2 makes its keys and proofs ([MS-NLMP] 3.3.2, 3.4.5)."""

from __future__ import annotations

import hmac
from hashlib import md5
from typing import Final

from openwmi.wire.ntlm.md4 import md4

_SIGNING: Final = b"session key to %b signing key magic constant\0"
_SEALING: Final = b"session key to %b sealing key magic constant\0"
_TO_SERVER: Final = b"client-to-server"
_TO_CLIENT: Final = b"server-to-client"


def nt_hash(password: str) -> bytes:
    """NTOWFv1 of a password: what accounts keep instead of it ([MS-NLMP] 3.3.1)."""
    return md4(password.encode("utf-16-le", "surrogatepass"))


def hmac_md5(key: bytes, *parts: bytes) -> bytes:
    state = hmac.new(key, digestmod="md5")
    for part in parts:
        state.update(part)
    return state.digest()


def response_key(hashed: bytes, user: str, domain: str) -> bytes:
    """NTOWFv2: the user in capitals, the domain as it was sent ([MS-NLMP] 3.3.2, wire.md 4.1)."""
    return hmac_md5(hashed, (user.upper() + domain).encode("utf-16-le", "surrogatepass"))


def proof(key: bytes, server_challenge: bytes, blob: bytes) -> bytes:
    """NTProofStr over the client's blob, byte for byte as it was or will be sent."""
    return hmac_md5(key, server_challenge, blob)


def signing_key(exported: bytes, *, to_server: bool) -> bytes:
    return _derived(exported, _SIGNING, to_server=to_server)


def sealing_key(exported: bytes, *, to_server: bool) -> bytes:
    """With 128-bit keys, the only ones that are agreed to here."""
    return _derived(exported, _SEALING, to_server=to_server)


def _derived(exported: bytes, text: bytes, *, to_server: bool) -> bytes:
    return md5(exported + text % (_TO_SERVER if to_server else _TO_CLIENT), usedforsecurity=False).digest()
