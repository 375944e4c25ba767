"""Pointers of NDR: reference, unique and full ([C706] 14.3.10 to 14.3.12).

A referent identifier is tested for zero and for nothing else: peers send small random numbers, and duplicates of them
(wire.md 5.1). Only full pointers give it a meaning: the same number is the same object.
"""

from __future__ import annotations

from typing import TypeVar

from openwmi.wire.errors import LocalProtocolError, PeerIncompatible
from openwmi.wire.ndr.streams import NdrReader, NdrWriter, Promise
from openwmi.wire.ndr.types import Type

T = TypeVar("T")


class Unique(Type[T | None]):
    """A pointer that may be NULL and shares its referent with no other."""

    alignment = 4
    minimum = 4

    def __init__(self, target: Type[T]) -> None:
        self.target = target

    def read_head(self, reader: NdrReader, count: int) -> int:
        reader.align(4)
        return reader.u32()

    def read_tail(self, reader: NdrReader, head: int) -> T | None:
        return self.target.read(reader) if head else None

    def write_head(self, writer: NdrWriter, value: T | None) -> None:
        writer.align(4)
        writer.u32(0 if value is None else writer.referent())

    def write_tail(self, writer: NdrWriter, value: T | None) -> None:
        if value is not None:
            self.target.write(writer, value)


class Ref(Type[T]):
    """A reference pointer inside a structure or an array: never NULL. One that is a parameter has no bytes at all."""

    alignment = 4
    minimum = 4

    def __init__(self, target: Type[T]) -> None:
        self.target = target

    def read_head(self, reader: NdrReader, count: int) -> int:
        reader.align(4)
        referent = reader.u32()
        if not referent:
            raise reader.misbehaved("a reference pointer is NULL")
        return referent

    def read_tail(self, reader: NdrReader, head: int) -> T:
        return self.target.read(reader)

    def write_head(self, writer: NdrWriter, value: T) -> None:
        if value is None:
            raise LocalProtocolError("a reference pointer cannot be NULL", "[C706] 14.3.10")
        writer.align(4)
        writer.u32(writer.referent())

    def write_tail(self, writer: NdrWriter, value: T) -> None:
        self.target.write(writer, value)


class Full(Type[T | None]):
    """A pointer that may be NULL and may point at what another full pointer points at. Cycles are refused."""

    alignment = 4
    minimum = 4
    _BEGUN = object()

    def __init__(self, target: Type[T]) -> None:
        self.target = target

    def read_head(self, reader: NdrReader, count: int) -> int:
        reader.align(4)
        return reader.u32()

    def read_tail(self, reader: NdrReader, head: int) -> T | None:
        if not head:
            return None
        if head not in reader.referents:
            reader.referents[head] = self._BEGUN
            reader.referents[head] = self.target.read(reader)
        value = reader.referents[head]
        if value is self._BEGUN:
            raise PeerIncompatible("full pointers that form a cycle", "[C706] 14.3.11")
        found: T = value
        return found

    def write_head(self, writer: NdrWriter, value: T | None) -> None:
        writer.align(4)
        if value is None:
            writer.u32(0)
            return
        if id(value) not in writer.referents:
            writer.referents[id(value)] = Promise(writer.referent(), value)
        writer.u32(writer.referents[id(value)].referent)

    def write_tail(self, writer: NdrWriter, value: T | None) -> None:
        if value is None:
            return
        promise = writer.referents[id(value)]
        if not promise.written:
            promise.written = True
            self.target.write(writer, value)
