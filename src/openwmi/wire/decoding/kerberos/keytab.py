"""Keytab files: the long-term keys of principals (MIT's format, version 2).

| size | what, big-endian |
|---|---|
| 2 | 05 02 |
| 4 | size of an entry; negative: so many bytes of a hole |
| 2 | components of the principal's name; then realm and components, each a 16-bit size and its bytes |
| 4 + 4 + 1 | name type, time, key version |
| 2 + 2 | encryption type, size of the key; then the key |
"""

from __future__ import annotations

from typing import Final, NamedTuple

from openwmi.wire.buffers import Layout, Reader

_CLAUSE: Final = "MIT keytab"
_VERSION: Final = b"\x05\x02"
_SIZE: Final = Layout("i", ">")
_SHORT: Final = Layout("H", ">")
_MOST_ENTRIES: Final = 4096


class ServiceKey(NamedTuple):
    """A key by its encryption type. Prints without it."""

    principal: str
    etype: int
    key: bytes

    def __repr__(self) -> str:
        return f"ServiceKey({self.principal!r}, {self.etype})"


def read_keytab(data: bytes) -> list[ServiceKey]:
    """All keys of a file; PeerMisbehaved for one that is no keytab."""
    reader = Reader(data, _CLAUSE)
    if reader.octets(2) != _VERSION:
        raise reader.misbehaved("not a keytab")
    found: list[ServiceKey] = []
    while reader.remaining >= _SIZE.size:
        size = reader.fixed(_SIZE)[0]
        entry = reader.part(abs(size))
        if size > 0:
            found.append(_entry(entry))
        if len(found) > _MOST_ENTRIES:
            raise reader.misbehaved(f"more than {_MOST_ENTRIES} keys")
    return found


def _entry(reader: Reader) -> ServiceKey:
    count = reader.fixed(_SHORT)[0]
    realm, *names = [_text(reader) for _ in range(count + 1)]
    reader.skip(9)
    etype = reader.fixed(_SHORT)[0]
    return ServiceKey(f"{'/'.join(names)}@{realm}", etype, _octets(reader))


def _octets(reader: Reader) -> bytes:
    return reader.octets(reader.fixed(_SHORT)[0])


def _text(reader: Reader) -> str:
    return _octets(reader).decode("utf-8", "replace")
