"""The command line in this process on classes of the tests' own, and as a program on the real machine."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

import openwmi.testing
from openwmi.cli import main as openwmi_main

if TYPE_CHECKING:
    from tests.remote.server.serving import Served

ROOT = Path(__file__).resolve().parents[2]
NAMESPACE = r"root\CliTests"

# One class with every type and every way of being empty.
EVERYTHING = """
class Cli_Everything : Cli_Base {
    [key] uint32 Id;
    sint8 Small; uint64 Large; sint64 Low; real64 Real; real32 Single; boolean Truth; char16 Letter;
    string Text; datetime Moment; datetime Span; Cli_Base ref Link; object Part;
    string Texts[]; uint8 Bytes[]; boolean Truths[]; datetime Moments[];
};
"""
ROWS = [
    {
        "Id": 1,
        "Small": -8,
        "Large": 2**64 - 1,
        "Low": -(2**63),
        "Real": 0.5,
        "Single": 0.25,
        "Truth": True,
        "Letter": 65,
        "Text": 'a"b,c\td\\e\nf',
        "Moment": "20240501123456.500000+120",
        "Span": "00000001020304.500000:000",
        "Link": 'Cli_Base.Id="x"',
        "Texts": ["a", "b,c"],
        "Bytes": [0, 255],
        "Truths": [True, False],
        "Moments": ["20240501123456.000000-060"],
        "Label": "first",
    },
    {"Id": 2, "Text": "", "Texts": [], "Moment": "****0101******.******+***", "Label": "\x1b[31mred\x07"},
    {"Id": 3},
]


class Ended(NamedTuple):
    code: int
    out: str
    err: str


Main = Callable[..., Ended]
Program = Callable[..., Ended]


@pytest.fixture(scope="session", autouse=True)
def classes() -> None:
    """Serve the classes of these tests from this process."""
    openwmi.testing.provide(NAMESPACE, "[abstract] class Cli_Base { string Label; };")
    openwmi.testing.provide(NAMESPACE, EVERYTHING, lambda: iter(ROWS))
    openwmi.testing.provide(
        NAMESPACE, "class Cli_Other : Cli_Base { [key] string Name; };", lambda: [{"Name": "o"}]
    )
    openwmi.testing.provide(NAMESPACE, "class Cli_Empty { [key] string Name; };", list)

    def numbers() -> Iterator[dict[str, object]]:
        return ({"Number": number} for number in range(10))

    openwmi.testing.provide(NAMESPACE, "class Cli_Number { [key] uint32 Number; };", numbers)


@pytest.fixture
def main(capsys: pytest.CaptureFixture[str]) -> Main:
    """Run the command line in this process, in the namespace of these tests unless another is given."""

    def run(*arguments: str) -> Ended:
        capsys.readouterr()
        code = openwmi_main(["-n", NAMESPACE, *arguments])
        return Ended(code, *capsys.readouterr())

    return run


@pytest.fixture
def program() -> Program:
    """Run `./openwmi` as a user does, with its output into pipes."""

    def run(*arguments: str, **environment: str) -> Ended:
        ended = subprocess.run(
            [str(ROOT / "openwmi"), *arguments],
            capture_output=True,
            timeout=60,
            env={**os.environ, "LC_ALL": "C.UTF-8", **environment},
            stdin=subprocess.DEVNULL,
        )
        return Ended(ended.returncode, ended.stdout.decode(), ended.stderr.decode())

    return run


# Another machine: one that serves in this process.


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    from tests.remote.server.serving import Served

    made = Served(tmp_path_factory.mktemp("accounts"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def host(served: Served) -> str:
    address, port = served.listen()
    return f"{address}[{port}]"


@pytest.fixture
def password(tmp_path: Path) -> str:
    """The file with the password of its accounts."""
    from tests.remote.server.serving import PASSWORD

    file = tmp_path / "password"
    file.write_text(PASSWORD + "\n", encoding="utf-8")
    return str(file)
