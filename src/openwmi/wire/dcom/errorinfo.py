"""Error information in words, as servers of Windows send it beside a failing answer ([MS-DCOM] 2.2.21.1 to 2.2.21.3).

The extension's data are an OBJREF; one of CLSID_ErrorObject holds:

| size | what |
|---|---|
| 4 | version, 0 |
| 4 | help context |
| 16 | IID of the interface that failed |
| 4 + | source: 0xFFFFFFFF and a text, or 0 |
| 4 + | description, in the same way |
| 4 + | help file, in the same way |

A text is `u32 characters`, `u32 0`, `u32 characters`, UTF-16 with its NUL counted. No pad is foreseen after it; one to
a multiple of 4 is passed over.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from openwmi.wire.buffers import Reader
from openwmi.wire.dcom.guids import CLSID_ErrorExtension

if TYPE_CHECKING:
    from uuid import UUID

    from openwmi.wire.buffers import Buffer
    from openwmi.wire.dcom.orpc import Extent

CLAUSE: Final = "[MS-DCOM] 2.2.21.2"
_PRESENT: Final = 0xFFFFFFFF
_PADDED: Final = 0xFFFF0000  # two bytes of pad, and half of _PRESENT


@dataclass(frozen=True, slots=True)
class ErrorInfo:
    """What went wrong: iid of the interface whose method failed, who says so, and in which words."""

    iid: UUID
    source: str | None
    description: str | None
    help_file: str | None = None
    help_context: int = 0


def reference_in(extensions: tuple[Extent, ...] | None) -> bytes | None:
    """The OBJREF of the error information that comes with an answer."""
    return next((one.data for one in extensions or () if one.id == CLSID_ErrorExtension), None)


def read_error_info(data: Buffer) -> ErrorInfo:
    """The data of an OBJREF_CUSTOM of CLSID_ErrorObject."""
    reader = Reader(data, CLAUSE)
    version, context, iid = reader.u32(), reader.u32(), reader.guid()
    if version:
        raise reader.misbehaved(f"error information of version {version}")
    return ErrorInfo(iid, _text(reader), _text(reader), _text(reader), context)


def _text(reader: Reader) -> str | None:
    present = reader.u32()
    if not present:
        return None
    if present == _PADDED:
        reader.position -= 2
        present = reader.u32()
    if present != _PRESENT:
        raise reader.misbehaved(f"0x{present:08X} before a text")
    count, offset, actual = reader.u32(), reader.u32(), reader.u32()
    if offset or actual != count:
        raise reader.misbehaved(f"a text of {actual} characters from {offset} in {count}")
    return reader.utf16(count).rstrip("\0")
