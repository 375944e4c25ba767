"""Small files: read whole, any bytes, quotes and comments."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from openwmi.providers.linux.files import assignments, contents, fields, line, listing, number, text


@pytest.mark.parametrize("size", [0, 1, 4095, 4096, 4097, 70_000, 140_000])
def test_a_file_is_read_whole(tmp_path: Path, size: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(os.urandom(size))
    assert contents(str(path)) == path.read_bytes()


def test_no_descriptor_stays_open(tmp_path: Path) -> None:
    before = set(os.listdir("/proc/self/fd"))
    contents("/proc/self/stat")
    with pytest.raises(IsADirectoryError):
        contents(str(tmp_path))
    assert set(os.listdir("/proc/self/fd")) == before


def test_any_bytes_become_a_text_that_can_be_printed() -> None:
    assert text(b"caf\xc3\xa9 \xff\xfe") == "café \\xff\\xfe"
    assert text(bytes(range(256))).encode("utf-8")


@pytest.mark.parametrize(("raw", "expected"), [(b"x\n", "x"), (b"a b\0", "a b"), (b"", None), (b" \n", None)])
def test_a_line(tmp_path: Path, raw: bytes, expected: str | None) -> None:
    path = tmp_path / "file"
    path.write_bytes(raw)
    assert line(str(path)) == expected


@pytest.mark.parametrize(("raw", "expected"), [("42\n", 42), ("-1", -1), ("x", None), ("", None)])
def test_a_number(tmp_path: Path, raw: str, expected: int | None) -> None:
    path = tmp_path / "file"
    path.write_text(raw)
    assert number(str(path)) == expected


def test_what_is_not_there_is_nothing(tmp_path: Path) -> None:
    nowhere = str(tmp_path / "nowhere")
    assert (line(nowhere), number(nowhere), listing(nowhere), assignments(nowhere), fields(nowhere)) == (
        None,
        None,
        [],
        {},
        {},
    )


def test_assignments(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text(
        'A=1\nB=\'it\'\'s\'\nC="say \\"\\$x\\" \\\\"\nexport D=4\n# E=5\nF\n=6\n G = 7 \nH="open\nA=last\n',
        "utf-8",
    )
    assert assignments(str(path)) == {
        "A": "last",
        "B": "it''s",
        "C": 'say "$x" \\',
        "D": "4",
        "G": "7",
        "H": '"open',
    }


def test_fields(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("MemTotal:  24684096 kB\nHugePages_Total:  0\nbroken\nX: y\nEmpty:\n")
    assert fields(str(path)) == {"MemTotal": 24684096, "HugePages_Total": 0}
