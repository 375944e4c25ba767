"""tshark as a judge of our traffic: what it finds wrong, and what it reads with the password."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

_ERROR = 0x800000  # PI_ERROR of its expert information


class Judgement(NamedTuple):
    """protocols: of each packet, in order; wrong: packets that are malformed or in error; sealed: how many stubs are;
    opened: those which were opened and are shown as they are, in hexadecimal."""

    protocols: list[str]
    wrong: list[str]
    opened: list[str]
    sealed: int


def told(capture: Path, fields: tuple[str, ...], *options: str) -> list[list[str]]:
    """The fields of each packet of a capture. options: of tshark, such as `-o ntlmssp.nt_password:...`."""
    program = shutil.which("tshark")
    if program is None:
        pytest.skip("tshark is not installed (Debian: tshark)")
    command = [program, "-r", str(capture), *options, "-T", "fields", "-E", "separator=|"]
    for field in fields:
        command += ["-e", field]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    rows = [line.split("|") for line in done.stdout.splitlines()]
    assert rows, "tshark saw no packet"
    return rows


_FIELDS = (
    "frame.number",
    "_ws.col.Protocol",
    "_ws.malformed",
    "_ws.expert.severity",
    "_ws.expert.message",
    "dcerpc.encrypted_stub_data",
    "dcerpc.decrypted_stub_data",
)


def judged(capture: Path, *options: str) -> Judgement:
    """What tshark says about a capture."""
    rows = told(capture, _FIELDS, *options)
    return Judgement(
        protocols=[row[1] for row in rows],
        wrong=[f"{row[0]} {row[1]}: {row[4] or row[2]}" for row in rows if row[2] or _failed(row[3])],
        opened=[row[6] for row in rows if row[6]],
        sealed=sum(bool(row[5]) for row in rows),
    )


def _failed(severities: str) -> bool:
    return any(int(one) >= _ERROR for one in severities.split(",") if one)
