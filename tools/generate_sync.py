"""The synchronous mirror, written from the asynchronous face: openwmi/faces/aio -> openwmi/faces/sync.

    python -m tools.generate_sync            write the modules
    python -m tools.generate_sync --check    fail when one is not what would be written

Every module but bridge.py is generated; bridge.py holds what differs in kind. The text is changed token by token, so
that comments and layout survive: `async` and `await` go, names that say async change, methods that only make sense
with await are left out; then the formatter puts lines and imports right.
"""

from __future__ import annotations

import argparse
import ast
import io
import subprocess
import sys
import tokenize
from itertools import pairwise
from pathlib import Path

FACES = Path(__file__).resolve().parent.parent / "src" / "openwmi" / "faces"
SOURCE, TARGET = FACES / "aio", FACES / "sync"
BY_HAND = frozenset({"bridge.py"})

NAMES = {
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "__aiter__": "__iter__",
    "__anext__": "__next__",
    "aclose": "close",
    "AsyncIterator": "Iterator",
    "StopAsyncIteration": "StopIteration",
    "aio": "sync",
}
# Methods that a face without await has no use for.
DROPPED = frozenset({"__await__"})
# What the tokens cannot know: types that differ, and sentences of docstrings.
TEXTS = (
    ("Opening[Connection]", "Connection"),
    ("import Opening, ", "import "),
    (
        "`async with openwmi.connect() as wmi`, or `wmi = await openwmi.connect()`",
        "`with openwmi.sync.connect() as wmi`",
    ),
    ("`async with openwmi.connect() as wmi`", "`with openwmi.sync.connect() as wmi`"),
    ("The asynchronous face", "The synchronous face"),
    ("`async for`", "`for`"),
    ("`async with`", "`with`"),
    ("by cancelling the task", "by Ctrl-C"),
    ("on\n        this loop, plain or async, one at a time", "on\n        worker threads, one at a time"),
    ("Awaiting it waits for the outcome", "`wait` waits for the outcome"),
    ("`aclose`", "`close`"),
)
HEADER = "# Written from openwmi/faces/aio/{name} by tools/generate_sync.py: change that one.\n"

_Edit = tuple[tuple[int, int], tuple[int, int], str]


def mirrored(text: str, name: str) -> str:
    """The synchronous form of a module of the asynchronous face."""
    text = _edited(_without(text, DROPPED))
    for old, new in TEXTS:
        text = text.replace(old, new)
    return _formatted(HEADER.format(name=name) + text)


def _without(text: str, methods: frozenset[str]) -> str:
    """The text without the functions of these names."""
    lines = text.splitlines(keepends=True)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name in methods:
            assert node.end_lineno is not None
            lines[node.lineno - 1 : node.end_lineno] = [""] * (node.end_lineno - node.lineno + 1)
    return "".join(lines)


def _edited(text: str) -> str:
    edits: list[_Edit] = []
    tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    for token, following in pairwise(tokens):
        if token.type == tokenize.NAME and token.string in ("async", "await"):
            edits.append((token.start, following.start, ""))
        elif token.type == tokenize.NAME and token.string in NAMES:
            edits.append((token.start, token.end, NAMES[token.string]))
    lines = text.splitlines(keepends=True)
    for (row, start), (_, end), new in reversed(edits):
        line = lines[row - 1]
        lines[row - 1] = line[:start] + new + line[end:]
    return "".join(lines)


def _formatted(text: str) -> str:
    ruff = Path(sys.executable).parent / "ruff"
    for arguments in (("check", "--quiet", "--select", "I,F401,TC,UP", "--fix-only"), ("format", "--quiet")):
        text = subprocess.run(
            [ruff, *arguments, "--stdin-filename", TARGET / "generated.py", "-"],
            input=text,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    return text


def generated() -> dict[Path, str]:
    """The modules as they should be."""
    return {
        TARGET / path.name: mirrored(path.read_text("utf-8"), path.name)
        for path in sorted(SOURCE.glob("*.py"))
        if path.name not in BY_HAND
    }


def main() -> int:
    parser = argparse.ArgumentParser(description="Write the synchronous mirror of the asynchronous face.")
    parser.add_argument("--check", action="store_true", help="only compare")
    checking = parser.parse_args().check
    stale = []
    wanted = generated()
    for path, text in wanted.items():
        if not path.exists() or path.read_text("utf-8") != text:
            stale.append(path)
            if not checking:
                path.write_text(text, encoding="utf-8")
    left = [p for p in TARGET.glob("*.py") if p not in wanted and p.name not in BY_HAND]
    stale += left
    if not checking:
        for path in left:
            path.unlink()
        return 0
    for path in stale:
        print(
            f"{path.relative_to(FACES.parent.parent.parent)} is stale: python -m tools.generate_sync",
            file=sys.stderr,
        )
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
