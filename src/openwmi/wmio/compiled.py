"""Code made for one class: from its bytes to a tuple of values, and from values to bytes.

What is generated knows type codes, offsets and places, and nothing that a peer or a user wrote: no names. A decoder is
made for a class and one pattern of NULLs and defaults, so that it has no branches; the pattern is the NdTable itself.
What a decoder for three properties (uint32, string, NULL) looks like:

    def decode(body, depth):
        v0, v1, = unpack(body, 10)
        text = body[24:].decode("latin-1")
        end = text.index
        return (v0, text[v1:end("\\0", v1)] if not body[v1 + 23] else read_text(body, v1 + 23, len(body))[0], None,)

The whole heap is decoded once and cut as text; strings that are UTF-16 are read one by one. An offset that leads
nowhere raises IndexError or ValueError, and shapes.py then reads the object step by step, to say what is wrong.
Encoders look for NULL only in columns where they have met one: a NULL anywhere else makes a new encoder, a few times.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from openwmi.model.cimtypes import CimType
from openwmi.wmio.buffers import LETTERS, TRUE, Struct, read_text, size_of, struct_error
from openwmi.wmio.heaps import DICTIONARY_BIT, Heap, HeapWriter

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType
    from typing import Any

    from openwmi.wmio.classparts import Column

    Decode = Callable[[bytes, int], tuple[Any, ...]]
    Encode = Callable[[tuple[Any, ...], int, int], bytes]
    Masked = Callable[[tuple[Any, ...], int], tuple[tuple[Any, ...], int, int]]

# What generated code raises where bytes or values are not what they should be.
FAULTS: Final = (struct_error, LookupError, ValueError, TypeError, AttributeError, OverflowError)

# The head of an instance in front of its tables, and what follows them (instances.py).
HEAD_SIZE: Final = 9
PLAIN_TAIL: Final = b"\4\0\0\0\1"
_FLAGS: Final = {True: TRUE, False: 0}
TEXTS: Final = frozenset((CimType.STRING, CimType.DATETIME, CimType.REFERENCE))


def bits_of(nd: bytes, order: int) -> int:
    """The two bits of a property: 1 NULL, 2 the class default."""
    return nd[order >> 2] >> 2 * (order & 3) & 3


@lru_cache(maxsize=512)
def _code(source: str) -> CodeType:
    return compile(source, "<wmio>", "exec")


def _function(source: str, name: str, scope: dict[str, Any]) -> Any:
    exec(_code(source), scope)  # noqa: S102 - made of numbers alone, see above
    return scope[name]


def _table_format(columns: list[Column]) -> str:
    """The value table with pads for what is left out; `columns` go by offset."""
    parts, at = [], 0
    for column in columns:
        if column.offset > at:
            parts.append(f"{column.offset - at}x")
        parts.append(LETTERS.get(column.code, "I"))
        at = column.offset + size_of(column.code)
    return "".join(parts)


def _by_offset(column: Column) -> int:
    return column.offset


# Decoding -----------------------------------------------------------------------------------------------------------


def decoder(
    columns: tuple[Column, ...], nd: bytes, table_at: int, heap_at: int, defaults: tuple[Any, ...]
) -> Decode:
    """`decode(body, depth)` -> values, for instances with this NdTable. `body` begins with the instance's length."""
    present = [at for at, column in enumerate(columns) if not bits_of(nd, column.order)]
    present.sort(key=lambda at: columns[at].offset)
    form = Struct("<" + _table_format([columns[at] for at in present]))
    lines = ["def decode(body, depth):"]
    if present:
        lines.append(f" {', '.join([f'v{at}' for at in present])}, = unpack(body, {table_at})")
    if any(columns[at].code in TEXTS for at in present):
        lines += [f' text = body[{heap_at + 1}:].decode("latin-1")', " end = text.index"]
    if any(columns[at].code not in TEXTS and columns[at].code not in LETTERS for at in present):
        lines.append(f" heap = Heap(body, {heap_at}, len(body), depth)")
    shown = [_read(at, column, bits_of(nd, column.order), heap_at) for at, column in enumerate(columns)]
    lines.append(f" return ({''.join([f'{one}, ' for one in shown])})")
    scope = {"unpack": form.unpack_from, "D": defaults, "Heap": Heap, "read_text": read_text}
    made: Decode = _function("\n".join(lines), "decode", scope)
    return made


def _read(at: int, column: Column, bits: int, heap_at: int) -> str:
    if bits:
        return f"D[{at}]" if bits & 2 else "None"
    if column.code == CimType.BOOLEAN:
        return f"v{at} != 0"
    if column.code in LETTERS:
        return f"v{at}"
    if column.code not in TEXTS:
        return f"heap.value(v{at}, {column.code})"
    flag = f"v{at} + {heap_at}"
    return f'text[v{at}:end("\\0", v{at})] if not body[{flag}] else read_text(body, {flag}, len(body))[0]'


# Encoding -----------------------------------------------------------------------------------------------------------


def encoder(
    columns: tuple[Column, ...], nullable: frozenset[int], nd_length: int, name: str, masked: Masked
) -> Encode:
    """`encode(values, defaults, depth)` -> the instance from its length on. `columns` go by place and offset.

    `nullable`: the columns that are looked at for NULL; NULL in another one is a fault. `masked(values, defaults)`
    gives the values without those that are defaults, a mask for the bits set so far, and the bits of the defaults. The
    encoder takes Latin-1 text alone and raises ValueError for any other.
    """
    form = Struct(f"<IBI{nd_length}s{_table_format(sorted(columns, key=_by_offset))}IBI")
    sure = [at for at, one in enumerate(columns) if one.code in TEXTS and at not in nullable]
    lines = [
        "def encode(values, defaults, depth):",
        " nd = 0",
        " if defaults: values, keep, more = masked(values, defaults)",
        *([f" {', '.join([f'v{at}' for at in range(len(columns))])}, = values"] if columns else []),
        f" texts = [NAME, {', '.join([f'v{at}' for at in sure])}]",
        f" at = {len(name) + 2}",
        *[f" v{at}, at = at, at + len(v{at}) + 2" for at in sure],
    ]
    kept = []
    for at, column in enumerate(columns):
        absent = [f" if v{at} is None: nd |= {1 << 2 * column.order}; v{at} = 0"] if at in nullable else []
        other = " else: " if absent else " "
        if column.code in TEXTS:
            if absent:
                lines += [*absent, f" else: texts.append(v{at}); v{at}, at = at, at + len(v{at}) + 2"]
        elif column.code == CimType.BOOLEAN:
            lines += [*absent, f"{other}v{at} = FLAGS[v{at}]"]
        elif column.code in LETTERS:
            lines += absent
        else:
            kept += [*absent, f"{other}v{at} = keep_value(v{at}, {column.code})"]
    lines.append(' heap = f"\\0{NUL_NUL.join(texts)}\\0".encode("latin-1")')
    lines.append(" if heap.count(0) != 2 * len(texts): raise ValueError")
    if kept:
        lines += [" writer = HeapWriter(heap, depth)", " keep_value = writer.value", *kept]
        lines.append(" heap = writer.data")
    lines.append(" if defaults: nd = nd & keep | more")
    values = "".join([f"v{at}, " for at in range(len(columns))])
    lines.append(
        f' return pack({form.size} + len(heap), 0, 0, nd.to_bytes({nd_length}, "little"), {values}'
        f"4, 1, {DICTIONARY_BIT} | len(heap)) + heap"
    )
    scope = {
        "pack": form.pack,
        "NAME": name,
        "NUL_NUL": "\0\0",
        "FLAGS": _FLAGS,
        "masked": masked,
        "HeapWriter": HeapWriter,
    }
    made: Encode = _function("\n".join(lines), "encode", scope)
    return made
