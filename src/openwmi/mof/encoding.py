"""The bytes of a MOF file as text: UTF-8, UTF-16 with or without byte order mark, ANSI (model.md C-01)."""

from __future__ import annotations

from typing import Final

_MARKS: Final = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_SAMPLE: Final = 512


def decode(data: bytes) -> str:
    """The text of a file. Never fails: what is neither UTF-16 nor UTF-8 is read as Windows-1252.

    Without a mark UTF-16 shows by its zero bytes, which MOF cannot hold otherwise.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace")
    sample = data[:_SAMPLE]
    if b"\0" in sample:
        low, high = sample[0::2].count(0), sample[1::2].count(0)
        return data.decode("utf-16-be" if low > high else "utf-16-le", "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return _ansi(data)


def _ansi(data: bytes) -> str:
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError:  # five byte values are undefined there
        return data.decode("latin-1")
