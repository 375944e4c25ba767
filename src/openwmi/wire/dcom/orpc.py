"""What every object call carries around its parameters: COMVERSION, ORPCTHIS, ORPCTHAT and their extents.

[MS-DCOM] 2.2.11, 2.2.13, 2.2.21; wire.md 5.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple
from uuid import UUID

from openwmi.wire.buffers import Layout
from openwmi.wire.errors import RPC_E_VERSION_MISMATCH, PeerIncompatible
from openwmi.wire.ndr import (
    UINT16,
    UINT32,
    ConformantArray,
    NdrReader,
    NdrWriter,
    Structure,
    Type,
    Unique,
)


class ComVersion(NamedTuple):
    """[MS-DCOM] 2.2.11."""

    major: int = 5
    minor: int = 7


COM_VERSION: Final = Structure(ComVersion, major=UINT16, minor=UINT16)
OUR_VERSION: Final = ComVersion()


def agreed(theirs: ComVersion) -> ComVersion:
    """The version to answer with ([MS-DCOM] 1.7): the lower minor; another major is refused."""
    if theirs == OUR_VERSION:
        return OUR_VERSION
    if theirs.major != OUR_VERSION.major or theirs.minor > OUR_VERSION.minor:
        raise PeerIncompatible(
            f"DCOM version {theirs.major}.{theirs.minor}", "[MS-DCOM] 1.7", status=RPC_E_VERSION_MISMATCH
        )
    return ComVersion(OUR_VERSION.major, min(theirs.minor, OUR_VERSION.minor))


@dataclass(frozen=True, slots=True)
class Extent:
    """One extension: what it is, and its bytes ([MS-DCOM] 2.2.21)."""

    id: UUID
    data: bytes


class _ExtentType(Type[Extent]):
    """ORPC_EXTENT: its data stand in an array whose size is rounded up to 8."""

    alignment = 4
    minimum = 20
    conformant = True

    def read_count(self, reader: NdrReader) -> int:
        reader.align(4)
        return reader.u32()

    def read_head(self, reader: NdrReader, count: int) -> Extent:
        reader.align(4)
        identifier, size = reader.guid(), reader.u32()
        if size > count:
            raise reader.misbehaved(f"an extent of {size} bytes in {count}")
        data = reader.octets(count)
        return Extent(identifier, data[:size])

    def write_count(self, writer: NdrWriter, value: Extent) -> None:
        writer.align(4)
        writer.u32(_rounded(len(value.data), 8))

    def write_head(self, writer: NdrWriter, value: Extent) -> None:
        writer.align(4)
        writer.guid(value.id)
        writer.u32(len(value.data))
        writer.octets(value.data + bytes(-len(value.data) % 8))


def _rounded(number: int, to: int) -> int:
    return (number + to - 1) // to * to


class _ExtentsType(Type[tuple[Extent, ...]]):
    """ORPC_EXTENT_ARRAY: an even number of pointers, the odd one NULL."""

    alignment = 4
    minimum = 12
    _pointers = Unique(ConformantArray(Unique(_ExtentType())))

    def read_head(self, reader: NdrReader, count: int) -> int:
        reader.align(4)
        reader.u32()
        reader.skip(4)
        return int(self._pointers.read_head(reader, 0))

    def read_tail(self, reader: NdrReader, head: int) -> tuple[Extent, ...]:
        found = self._pointers.read_tail(reader, head) or ()
        return tuple([extent for extent in found if extent is not None])

    def write_head(self, writer: NdrWriter, value: tuple[Extent, ...]) -> None:
        writer.align(4)
        writer.u32(len(value))
        writer.u32(0)
        self._pointers.write_head(writer, value)

    def write_tail(self, writer: NdrWriter, value: tuple[Extent, ...]) -> None:
        padded: tuple[Extent | None, ...] = value + (None,) * (len(value) % 2)
        self._pointers.write_tail(writer, padded)


_EXTENTS: Final = Unique(_ExtentsType())


class OrpcThis:
    """The first parameter of every object call; cid: the causality it belongs to, as a UUID or as the 16 bytes of one,
    which become a UUID when somebody looks: nearly nobody does ([MS-DCOM] 2.2.13.3)."""

    __slots__ = ("_cid", "extensions", "flags", "version")

    def __init__(
        self,
        cid: UUID | bytes,
        version: ComVersion = OUR_VERSION,
        flags: int = 0,
        extensions: tuple[Extent, ...] | None = None,
    ) -> None:
        self._cid = cid
        self.version = version
        self.flags = flags
        self.extensions = extensions

    @property
    def cid(self) -> UUID:
        if isinstance(self._cid, bytes):
            self._cid = UUID(bytes_le=self._cid)
        return self._cid

    def _key(self) -> tuple[object, ...]:
        return self.cid, self.version, self.flags, self.extensions

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OrpcThis) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        return f"OrpcThis({self.cid}, {self.version}, {self.flags}, {self.extensions})"


@dataclass(frozen=True, slots=True)
class OrpcThat:
    """The first result of every object call ([MS-DCOM] 2.2.13.4)."""

    flags: int = 0
    extensions: tuple[Extent, ...] | None = None


_THIS: Final = Layout("HHII16sI")


def read_this(reader: NdrReader) -> OrpcThis:
    """ORPCTHIS at the start of a stub: the members in one look, then the extensions, where there are any."""
    reader.align(4)
    major, minor, flags, _, cid, referent = reader.fixed(_THIS)
    return OrpcThis(
        cid,  # type: ignore[arg-type]
        ComVersion(major, minor),
        flags,
        _EXTENTS.read_tail(reader, referent) if referent else None,
    )


def write_this(writer: NdrWriter, this: OrpcThis) -> None:
    """The same the other way round. Its causality is new with nearly every call: no cache of octets gains by it."""
    writer.align(4)
    referent = 0 if this.extensions is None else writer.referent()
    writer.fixed(_THIS, *this.version, this.flags, 0, this.cid.bytes_le, referent)
    if referent:
        _EXTENTS.write_tail(writer, this.extensions)


ORPC_THAT: Final = Structure(OrpcThat, flags=UINT32, extensions=_EXTENTS)
NO_THAT: Final = OrpcThat()
_PLAIN_THAT: Final = bytes(8)


def read_that(reader: NdrReader) -> OrpcThat:
    """ORPCTHAT at the start of a stub; nearly every one says nothing."""
    if not reader.position and reader.end >= 8 and reader.data[:8] == _PLAIN_THAT:
        reader.skip(8)
        return NO_THAT
    return ORPC_THAT.read(reader)


def write_that(writer: NdrWriter, that: OrpcThat) -> None:
    """The same the other way round."""
    if that is NO_THAT and not len(writer):
        writer.octets(_PLAIN_THAT)
    else:
        ORPC_THAT.write(writer, that)
