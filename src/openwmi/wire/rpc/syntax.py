"""Names of interfaces and of encodings: a UUID and a version ([C706] 12.6.3.1, p_syntax_id_t)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple
from uuid import UUID

if TYPE_CHECKING:
    from openwmi.wire.buffers import Reader, Writer


class SyntaxId(NamedTuple):
    """An interface, or an encoding of its calls. version: major in the low half, minor in the high one."""

    uuid: UUID
    version: int = 0

    @classmethod
    def read(cls, reader: Reader) -> SyntaxId:
        return cls(reader.guid(), reader.u32())

    def write(self, writer: Writer) -> None:
        writer.guid(self.uuid)
        writer.u32(self.version)

    @property
    def features(self) -> int | None:
        """The bit mask of a bind-time feature negotiation ([MS-RPCE] 3.3.1.5.3); None for any other syntax."""
        raw = self.uuid.bytes_le
        return raw[8] if raw.startswith(_FEATURES) else None


_FEATURES: Final = bytes.fromhex("2c1cb76c12984045")


def features(mask: int) -> SyntaxId:
    """The transfer syntax that offers bind-time features."""
    return SyntaxId(UUID(bytes_le=_FEATURES + bytes([mask]) + bytes(7)), 1)


NDR20: Final = SyntaxId(UUID("8a885d04-1ceb-11c9-9fe8-08002b104860"), 2)
NDR64: Final = SyntaxId(UUID("71710533-beba-4937-8319-b5dbef9ccc36"), 1)
NO_SYNTAX: Final = SyntaxId(UUID(int=0), 0)
