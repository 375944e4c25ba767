"""DUALSTRINGARRAY: where an object or a resolver is reached, and how it may be authenticated to.

[MS-DCOM] 2.2.19. Packed: `u16 entries, u16 security offset`, then 16-bit units: string bindings, each a tower
identifier and zero-terminated text, a zero; security bindings, each a service, 0xFFFF and a zero-terminated principal,
a zero. As an NDR parameter the same stands behind the count of units.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from openwmi.wire.buffers import Reader, Writer
from openwmi.wire.errors import LocalProtocolError
from openwmi.wire.ndr import NdrReader, NdrWriter, Type

CLAUSE: Final = "[MS-DCOM] 2.2.19"
TOWER_TCP: Final = 7
TOWER_NAMED_PIPE: Final = 15
_AUTHZ_NONE: Final = 0xFFFF


class StringBinding(NamedTuple):
    """A protocol sequence and an address; `host[port]` for an exporter, `host` for a resolver on port 135."""

    tower: int
    address: str

    @property
    def host(self) -> str:
        return self._split()[0]

    @property
    def port(self) -> int | None:
        """The endpoint, None where the text has none or none that is a port."""
        text = self._split()[1]
        return int(text) if text.isascii() and text.isdigit() and int(text) <= 0xFFFF else None

    def _split(self) -> tuple[str, str]:
        """At the last bracket: an IPv6 address may have some of its own."""
        host, bracket, rest = self.address.rpartition("[")
        return (host, rest[:-1]) if bracket and rest.endswith("]") else (self.address, "")


def tcp(host: str, port: int | None = None) -> StringBinding:
    return StringBinding(TOWER_TCP, host if port is None else f"{host}[{port}]")


class SecurityBinding(NamedTuple):
    """An authentication service and the principal to expect there, often empty."""

    service: int
    principal: str = ""
    authorization: int = _AUTHZ_NONE


# SPNEGO, NTLM, Kerberos: what a server of ours can be authenticated to with.
OFFERED: Final = (SecurityBinding(9), SecurityBinding(10), SecurityBinding(16))


def _text(reader: Reader) -> str:
    units = bytearray()
    while (unit := reader.octets(2)) != b"\0\0":
        units += unit
    return units.decode("utf-16-le", "surrogatepass")


@dataclass(frozen=True, slots=True)
class DualStringArray:
    """String and security bindings, in order of preference."""

    strings: tuple[StringBinding, ...] = ()
    securities: tuple[SecurityBinding, ...] = ()

    @classmethod
    def read(cls, reader: Reader) -> DualStringArray:
        """The packed form."""
        entries, offset = reader.u16(), reader.u16()
        return cls._parse(reader, entries, offset)

    @classmethod
    def _parse(cls, reader: Reader, entries: int, offset: int) -> DualStringArray:
        if offset > entries:
            raise reader.misbehaved(f"security bindings at {offset} of {entries} units")
        raw = reader.octets(2 * entries)
        strings: list[StringBinding] = []
        part = Reader(raw, CLAUSE, 0, 2 * offset)
        while part.remaining and (tower := part.u16()):
            strings.append(StringBinding(tower, _text(part)))
        securities: list[SecurityBinding] = []
        part = Reader(raw, CLAUSE, 2 * offset)
        while part.remaining and (service := part.u16()):
            authorization = part.u16()
            securities.append(SecurityBinding(service, _text(part), authorization))
        return cls(tuple(strings), tuple(securities))

    def units(self) -> tuple[bytes, int]:
        """The units as bytes, and where among them the security bindings begin."""
        writer = Writer()
        for binding in self.strings:
            if not binding.tower or "\0" in binding.address:
                raise LocalProtocolError(f"no binding: {binding}", CLAUSE)
            writer.u16(binding.tower)
            writer.utf16(binding.address + "\0")
        writer.u16(0)
        if not self.strings:
            writer.u16(0)
        offset = len(writer) // 2
        for security in self.securities:
            writer.u16(security.service)
            writer.u16(security.authorization)
            writer.utf16(security.principal + "\0")
        writer.u16(0)
        if not self.securities:
            writer.u16(0)
        return bytes(writer), offset

    def write(self, writer: Writer) -> None:
        """The packed form."""
        units, offset = self.units()
        writer.u16(len(units) // 2)
        writer.u16(offset)
        writer.octets(units)


class _DualStringArrayType(Type[DualStringArray]):
    """The same as an NDR structure whose array is open."""

    alignment = 2
    minimum = 4
    conformant = True

    def read_count(self, reader: NdrReader) -> int:
        reader.align(4)
        return reader.u32()

    def read_head(self, reader: NdrReader, count: int) -> DualStringArray:
        reader.align(2)
        entries, offset = reader.u16(), reader.u16()
        if entries > count:
            raise reader.misbehaved(f"{entries} units in an array of {count}")
        found = DualStringArray._parse(reader, entries, offset)
        reader.skip(2 * (count - entries))
        return found

    def write_count(self, writer: NdrWriter, value: DualStringArray) -> None:
        writer.align(4)
        writer.u32(len(value.units()[0]) // 2)

    def write_head(self, writer: NdrWriter, value: DualStringArray) -> None:
        value.write(writer)


DUAL_STRING_ARRAY: Final = _DualStringArrayType()
