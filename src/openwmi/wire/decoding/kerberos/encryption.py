"""AES as Kerberos uses it: keys derived per purpose, CBC with ciphertext stealing, HMAC-SHA1 cut to 96 bits.

RFC 3961 5.1 and 5.3, RFC 3962.
"""

from __future__ import annotations

import hmac
from math import lcm
from typing import Final, NamedTuple

from openwmi.wire.errors import AuthenticationFailed, PeerIncompatible

_BLOCK: Final = 16
_MAC: Final = 12
AES128: Final = 17
AES256: Final = 18
KEY_SIZES: Final = {AES128: 16, AES256: 32}
_ENCRYPTION, _INTEGRITY, _CHECKSUM = 0xAA, 0x55, 0x99


class Key(NamedTuple):
    """A key by its encryption type. Prints without it."""

    etype: int
    octets: bytes

    def __repr__(self) -> str:
        return f"Key({self.etype})"

    def checked(self) -> Key:
        """Itself; PeerIncompatible for another type than AES with SHA-1."""
        if KEY_SIZES.get(self.etype) != len(self.octets):
            raise PeerIncompatible(f"Kerberos encryption type {self.etype}", "RFC 3962")
        return self


def decrypt(key: Key, usage: int, data: bytes) -> bytes:
    """The plaintext of an EncryptedData; AuthenticationFailed when the key is not the right one."""
    if len(data) < _BLOCK + _MAC:
        raise AuthenticationFailed(f"{len(data)} encrypted bytes", "RFC 3962 6")
    plain = cipher(key, usage, data[:-_MAC])
    check_sealed(key, usage, plain, data[-_MAC:])
    return plain[_BLOCK:]


def cipher(key: Key, usage: int, data: bytes) -> bytes:
    """The bytes under the cipher, confounder included, unchecked."""
    return _stolen(_derived(key.checked(), usage, _ENCRYPTION), data)


def check_sealed(key: Key, usage: int, plain: bytes, mac: bytes) -> None:
    _check(_derived(key, usage, _INTEGRITY), plain, mac)


def check_signed(key: Key, usage: int, data: bytes, mac: bytes) -> None:
    _check(_derived(key.checked(), usage, _CHECKSUM), data, mac)


def _check(key: bytes, data: bytes, mac: bytes) -> None:
    if not hmac.compare_digest(hmac.digest(key, data, "sha1")[:_MAC], mac):
        raise AuthenticationFailed("not encrypted or signed with this key", "RFC 3961 5.3")


def _derived(key: Key, usage: int, purpose: int) -> bytes:
    """DK(key, usage | purpose): blocks of encrypted folds until there are enough (RFC 3961 5.1)."""
    block = nfold(usage.to_bytes(4, "big") + bytes([purpose]), _BLOCK)
    derived = b""
    while len(derived) < len(key.octets):
        block = _cbc(key.octets, block, decrypting=False)
        derived += block
    return derived[: len(key.octets)]


def nfold(text: bytes, size: int) -> bytes:
    """RFC 3961 5.1: copies of a text, each turned right by 13 bits more, added with end-around carry."""
    width = 8 * len(text)
    number = int.from_bytes(text, "big")
    copies = b""
    for turn in range(lcm(len(text), size) // len(text)):
        by = 13 * turn % width
        turned = (number >> by | number << (width - by)) & ((1 << width) - 1)
        copies += turned.to_bytes(len(text), "big")
    modulus = (1 << (8 * size)) - 1
    total = sum(int.from_bytes(copies[at : at + size], "big") for at in range(0, len(copies), size))
    while total > modulus:
        total = (total & modulus) + (total >> (8 * size))
    return total.to_bytes(size, "big")


def _cbc(key: bytes, data: bytes, *, decrypting: bool, vector: bytes = bytes(_BLOCK)) -> bytes:
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.algorithms import AES
    from cryptography.hazmat.primitives.ciphers.modes import CBC

    made = Cipher(AES(key), CBC(vector))
    return (made.decryptor() if decrypting else made.encryptor()).update(data)


def _stolen(key: bytes, data: bytes) -> bytes:
    """CBC with ciphertext stealing, the last two blocks swapped (RFC 3962 5)."""
    if len(data) <= _BLOCK:
        return _cbc(key, data, decrypting=True)
    short = len(data) % _BLOCK or _BLOCK
    front = data[: -short - _BLOCK]
    before, last = data[-short - _BLOCK : -short], data[-short:]
    opened = _cbc(key, before, decrypting=True)
    end = bytes(a ^ b for a, b in zip(opened, last, strict=False))
    previous = front[-_BLOCK:] if front else bytes(_BLOCK)
    middle = _cbc(key, last + opened[short:], decrypting=True, vector=previous)
    return (_cbc(key, front, decrypting=True) if front else b"") + middle + end
