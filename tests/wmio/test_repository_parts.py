"""Class parts out of the repository of a Windows 11 machine: thousands of real ones, beside what dissect.cim reads.

Only for the sake of these parts the pages of OBJECTS.DATA are walked here: 8 KiB each, from the start rows of
(record, offset, size, CRC) up to a row of zeros. A record of a class is the name of its superclass (u32 length,
UTF-16), a FILETIME, its class part without what it inherits, and its methods part.
"""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from struct import unpack_from

import pytest

from openwmi.model.errors import InvalidStream
from openwmi.wmio.buffers import Reader
from openwmi.wmio.classparts import ClassPart, read_class_part
from openwmi.wmio.methods import read_methods

PAGE = 8192
# Two rows of one page lead to the same bytes, which begin like a class and go on like another record.
NO_CLASS = 6254860
# Properties may be named by a word of the dictionary, for which dissect.cim has names of its own.
WORDS = {"PRIMARY_KEY": "key", "PROVIDER": "provider", "DYNAMIC": "dynamic", "READ": "read", "WRITE": "write"}


def records(data: bytes) -> Iterator[tuple[int, int]]:
    """(start, end) of the records that lie within one page."""
    for page in range(0, len(data), PAGE):
        for row in range(page, page + PAGE - 16, 16):
            record, offset, size, _ = unpack_from("<IIII", data, row)
            if not record and not offset:
                break
            if 16 <= offset and offset + size <= PAGE:
                yield page + offset, page + offset + size


def class_records(data: bytes) -> Iterator[tuple[str, int, int]]:
    """(superclass in lower case, start of the class part, end) of those that look like a class."""
    for start, end in records(data):
        if end - start < 50:
            continue
        (length,) = unpack_from("<I", data, start)
        part = start + 4 + 2 * length + 8
        if length > 255 or part + 20 > end:
            continue
        name = data[start + 4 : start + 4 + 2 * length].decode("utf-16-le", "replace")
        derivation = 4 + (len(name) + 2 + 4 if name else 0)
        size, zero, _, _, listed = unpack_from("<IBIII", data, part)
        named = not name or name.isidentifier()
        if named and zero == 0 and listed == derivation and size <= end - part and part != NO_CLASS:
            yield name.lower(), part, end


def read_all(data: bytes) -> tuple[list[ClassPart], int]:
    """Every class whose superclass is none or known, and how many did not fit that superclass.

    A superclass is known by its name alone. Where other namespaces have another class of that name, its subclasses
    may not fit; the system classes are the same everywhere.
    """
    waiting: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for superclass, start, end in class_records(data):
        waiting[superclass].append((start, end))
    counts: dict[str, int] = {"": 0}
    found: list[ClassPart] = []
    misfits = 0
    level = [""]
    while level:
        below = []
        for superclass in level:
            for start, end in waiting.pop(superclass, ()):
                reader = Reader(data, start, end)
                try:
                    part = read_class_part(reader, inherited=counts[superclass])
                except InvalidStream:
                    if not superclass or superclass.startswith("__"):
                        raise
                    misfits += 1
                    continue
                read_methods(reader, (*part.derivation, part.name))
                assert reader.remaining == 0
                found.append(part)
                places = max([counts[superclass] - 1, *[one.order for one in part.columns]]) + 1
                counts.setdefault(part.name.lower(), places)
                below.append(part.name.lower())
        level = below
    return found, misfits


@pytest.mark.slow
def test_real_class_parts_of_a_repository(shared_data: Path) -> None:
    folder = shared_data / "repo" / "win11-dissect"
    found, misfits = read_all(gzip.decompress((folder / "OBJECTS.DATA.gz").read_bytes()))
    assert len(found) > 5_000
    assert misfits < len(found) / 20
    known = defaultdict(list)
    for part in found:
        rows = {
            (one.name, column.order, column.offset)
            for one, column in zip(part.properties, part.columns, strict=True)
        }
        known[part.name].append(rows)
    compared = equal = 0
    with gzip.open(folder / "oracle-dissect.jsonl.gz", "rt") as lines:
        for line in lines:
            one = json.loads(line)
            if "err" in one or one.get("class") not in known or "props" not in one:
                continue
            rows = {
                (WORDS.get(prop["name"], prop["name"]), prop["index"], prop["offset"])
                for prop in one["props"]
            }
            compared += 1
            equal += rows in known[one["class"]]
    assert compared > 4_000
    assert equal > compared * 0.98  # the rest has its namesakes here alone, or these on several pages
