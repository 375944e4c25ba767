"""Reading one property of an instance without the others: a function per property, made when it is first asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openwmi.model.cimtypes import CimType
from openwmi.model.values import present
from openwmi.wmio.buffers import LETTERS, STRUCTS
from openwmi.wmio.compiled import HEAD_SIZE
from openwmi.wmio.heaps import Heap

if TYPE_CHECKING:
    from collections.abc import Callable

    from openwmi.wmio.classparts import Column

    ReadOne = Callable[[bytes], Any]


def property_reader(column: Column, default: Any, table_at: int, heap_at: int) -> ReadOne:
    """`read(body)` -> the raw value of a property that is a scalar or a string; datetimes as the faces show them."""
    code, order, offset = column
    byte, shift = HEAD_SIZE + (order >> 2), 2 * (order & 3)
    either, by_default = 3 << shift, 2 << shift
    at = table_at + offset
    if code in LETTERS:
        return _scalar_reader(code, at, byte, either, by_default, default)

    reference_at = STRUCTS[CimType.UINT32].unpack_from
    text_at = heap_at + 1

    def read(body: bytes) -> Any:
        if body[byte] & either:
            return default if body[byte] & by_default else None
        start = text_at + reference_at(body, at)[0]
        try:
            if not body[start - 1]:
                return body[start : body.index(0, start)].decode("latin-1")
        except (IndexError, ValueError):
            pass
        return Heap(body, heap_at, len(body)).value(start - text_at, code)

    if code != CimType.DATETIME:
        return read
    return lambda body: present(read(body), code)


def _scalar_reader(code: int, at: int, byte: int, either: int, by_default: int, default: Any) -> ReadOne:
    value_at = STRUCTS[code].unpack_from

    def read(body: bytes) -> Any:
        if body[byte] & either:
            return default if body[byte] & by_default else None
        return value_at(body, at)[0]

    return read if code != CimType.BOOLEAN else lambda body: None if (one := read(body)) is None else one != 0
