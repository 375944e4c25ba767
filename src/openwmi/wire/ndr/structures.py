"""Structures of NDR, and lists of parameters ([C706] 14.3.6, 14.4).

A declaration is the class of its Python values and the wire's members by name:

    COM_VERSION = Structure(ComVersion, major=UINT16, minor=UINT16)

Two kinds of member belong to the wire alone: a `Count` is the length of another member, and a `Reserved` is
written as one value and ignored when read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from openwmi.wire.errors import BAD_STUB_DATA, PeerMisbehaved
from openwmi.wire.ndr.streams import NdrReader, NdrWriter
from openwmi.wire.ndr.types import Type

if TYPE_CHECKING:
    from collections.abc import Callable

    from openwmi.wire.buffers import Buffer

T = TypeVar("T")
Member: TypeAlias = "Type[Any] | Count | Reserved"


class Reserved:
    """A member that says nothing."""

    def __init__(self, type_: Type[Any], value: Any = 0) -> None:
        self.type = type_
        self.value = value


class Count:
    """A member that is the length of another one; NULL has none. A peer that contradicts itself is refused."""

    def __init__(self, type_: Type[int], of: str) -> None:
        self.type = type_
        self.of = of


class _Members(Generic[T]):
    """Named members of a construct and the class that holds those which Python sees."""

    def __init__(self, holds: Callable[..., T], members: dict[str, Member]) -> None:
        self.holds = holds
        self.members = members
        self.names = tuple(members)
        self.types = tuple(m.type if isinstance(m, Count | Reserved) else m for m in members.values())
        self.counts = tuple(
            (name, member.of) for name, member in members.items() if isinstance(member, Count)
        )
        self.hidden = tuple(name for name, member in members.items() if isinstance(member, Count | Reserved))

    def made(self, values: dict[str, Any]) -> T:
        for name, of in self.counts:
            length = len(values[of] or ())
            if values[name] != length:
                raise PeerMisbehaved(f"{name} is {values[name]}, {of} has {length}", status=BAD_STUB_DATA)
        for name in self.hidden:
            del values[name]
        return self.holds(**values)

    def values(self, value: T) -> list[Any]:
        """The members' values in order, counts and reserved ones among them."""
        found: list[Any] = []
        for name, member in self.members.items():
            if isinstance(member, Count):
                found.append(len(getattr(value, member.of) or ()))
            elif isinstance(member, Reserved):
                found.append(member.value)
            else:
                found.append(getattr(value, name))
        return found


class Structure(Type[T]):
    """Members one after another; referents of all of them after the last ([C706] 14.3.6 and 14.3.12)."""

    def __init__(self, holds: Callable[..., T], /, **members: Member) -> None:
        self.members = _Members(holds, members)
        types = self.members.types
        self.alignment = max(type_.alignment for type_ in types)
        self.minimum = sum(type_.minimum for type_ in types)
        self.conformant = types[-1].conformant

    def read_count(self, reader: NdrReader) -> int:
        return self.members.types[-1].read_count(reader)

    def read_head(self, reader: NdrReader, count: int) -> list[Any]:
        reader.align(self.alignment)
        return [type_.read_head(reader, count) for type_ in self.members.types]

    def read_tail(self, reader: NdrReader, head: list[Any]) -> T:
        members = self.members
        pairs = zip(members.names, members.types, head, strict=True)
        return members.made({name: type_.read_tail(reader, state) for name, type_, state in pairs})

    def write_count(self, writer: NdrWriter, value: T) -> None:
        self.members.types[-1].write_count(writer, self.members.values(value)[-1])

    def write_head(self, writer: NdrWriter, value: T) -> None:
        writer.align(self.alignment)
        for type_, member in zip(self.members.types, self.members.values(value), strict=True):
            type_.write_head(writer, member)

    def write_tail(self, writer: NdrWriter, value: T) -> None:
        for type_, member in zip(self.members.types, self.members.values(value), strict=True):
            type_.write_tail(writer, member)


class Parameters(Generic[T]):
    """The [in] or the [out] parameters of a call: each whole before the next ([C706] 14.4).

    Bytes after the last one are ignored: peers leave stray data and verification trailers there (wire.md 2.4).
    """

    def __init__(self, holds: Callable[..., T], clause: str, /, **parameters: Member) -> None:
        self.members = _Members(holds, parameters)
        self.clause = clause

    def decode(self, stub: Buffer) -> T:
        """The parameters in a stub; PeerMisbehaved with BAD_STUB_DATA when it does not hold them."""
        return self.read(NdrReader(stub, self.clause))

    def read(self, reader: NdrReader) -> T:
        """The parameters at the reader's place, behind others."""
        reader.clause = self.clause
        try:
            return self.take(reader)
        except PeerMisbehaved as error:
            error.status = BAD_STUB_DATA
            raise

    def take(self, reader: NdrReader) -> T:
        """One after the other. Parameters that most calls carry say it in one look (`write` then, too)."""
        members = self.members
        pairs = zip(members.names, members.types, strict=True)
        return members.made({name: type_.read(reader) for name, type_ in pairs})

    def encode(self, value: T) -> bytes:
        writer = NdrWriter()
        self.write(writer, value)
        return bytes(writer)

    def write(self, writer: NdrWriter, value: T) -> None:
        for type_, member in zip(self.members.types, self.members.values(value), strict=True):
            type_.write(writer, member)
