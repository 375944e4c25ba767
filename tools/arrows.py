"""The arrows between the rooms: one table, turned into import-linter contracts for the rooms that exist.

import-linter refuses contracts that name a module which is not there, and most of its forms cannot say
"may import exactly these". So the table below is the source; the contracts are written from it into .test-state/
and linted. Imports for types alone are no arrows. A room that the table does not know fails the check.

    python -m tools.arrows
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "openwmi"
STATE = ROOT / ".test-state"

SEAM = frozenset({"model", "contract"})
FACES = SEAM | {"mof", "wql", "host", "remote", "threads", "portal"}

# What each room may import directly, whether at the top of a module or inside a function. `None`: anything.
# Where an import must stand inside a function, tests/test_structure.py checks that.
ARROWS: dict[str, frozenset[str] | None] = {
    "model": frozenset(),
    "accounts": SEAM | {"replacing"},
    "mof": frozenset({"model"}),
    "wmio": frozenset({"model"}),
    "wql": frozenset({"model"}),
    "contract": frozenset({"model"}),
    "repository": SEAM | {"mof", "wmio", "replacing"},
    "threads": frozenset(),
    "becoming": frozenset(),
    "replacing": frozenset(),
    "portal": frozenset({"threads"}),
    "calls": SEAM,
    "service": SEAM | {"mof", "wmio", "wql", "threads", "calls", "becoming"},
    "providers": SEAM,
    "consumers": SEAM | {"mof", "becoming"},
    "host": SEAM
    | {"accounts", "mof", "wql", "service", "repository", "providers", "consumers", "threads", "portal"}
    | {"recovery"},
    "recovery": SEAM | {"mof", "repository", "service", "host", "threads"},
    "wire": SEAM | {"wmio"},
    "remote": SEAM | {"mof", "wql", "wmio", "wire", "faces", "threads", "calls", "portal"},
    "faces": FACES,
    # The public names that faces are reached under.
    "com": FACES | {"faces"},
    "sync": FACES | {"faces"},
    "scripting": FACES | {"faces"},
    "compat": FACES | {"faces", "scripting"},
    "errors": SEAM,
    "cli": None,
    "testing": None,
    "__main__": frozenset({"cli"}),
}

# Single modules that may do what their room may not, and why.
EXCEPTIONS: dict[str, tuple[str, ...]] = {
    # mof.compile() stores what it reads through the seam, and waits for it; reading and printing MOF stays below it.
    "mof": ("openwmi.mof.compiler -> openwmi.contract.*", "openwmi.mof.compiler -> openwmi.threads"),
    # What travels to and from a host process has the form in which the store keeps it.
    "service": ("openwmi.service.registered.* -> openwmi.repository.encoding",),
}

# Pairs that the table of rooms is too coarse for: (importer, imported).
NEVER = (
    ("remote.client", "service"),
    ("remote.client", "repository"),
    ("remote.client", "remote.server"),
    ("remote.client", "faces"),
    ("remote.inbound", "faces"),
    ("remote.inbound", "remote.server"),
    ("remote.inbound", "remote.client"),
    ("remote.server", "remote.client"),
    ("providers", "mof"),
)


def rooms(package: Path = PACKAGE) -> list[str]:
    """The rooms that exist: packages and modules directly below openwmi."""
    names = {path.stem for path in package.glob("*.py")} | {
        path.parent.name for path in package.glob("*/*.py")
    }
    return sorted(names - {"__init__"})


def contracts(present: list[str], exists: set[str]) -> str:
    """The text of an import-linter configuration for the rooms that are present."""
    lines = ["[importlinter]", "root_package = openwmi", "exclude_type_checking_imports = True", ""]
    pairs = [(room, _forbidden(room, present)) for room in present]
    pairs += [(importer, [imported]) for importer, imported in NEVER if {importer, imported} <= exists]
    for number, (importer, forbidden) in enumerate(pairs):
        if not forbidden:
            continue
        lines += [
            f"[importlinter:contract:{number}]",
            f"name = {importer} does not import {', '.join(forbidden)}",
            "type = forbidden",
            f"source_modules = openwmi.{importer}",
            "forbidden_modules =",
            *(f"    openwmi.{name}" for name in forbidden),
            "allow_indirect_imports = True",
            "unmatched_ignore_imports_alerting = none",
            "ignore_imports =",
            *(f"    {exception}" for exception in EXCEPTIONS.get(importer, ())),
            "",
        ]
    return "\n".join(lines)


def _forbidden(room: str, present: list[str]) -> list[str]:
    allowed = ARROWS[room]
    if allowed is None:
        return []
    return [name for name in present if name != room and name not in allowed]


def _modules() -> set[str]:
    return {
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")
        for path in PACKAGE.rglob("*.py")
    }


def main() -> int:
    present = rooms()
    unknown = [room for room in present if room not in ARROWS]
    if unknown:
        print(
            f"rooms without arrows: {', '.join(unknown)} (the table is in tools/arrows.py)", file=sys.stderr
        )
        return 1
    STATE.mkdir(exist_ok=True)
    configuration = STATE / "importlinter.ini"
    configuration.write_text(contracts(present, _modules()), encoding="utf-8")
    linter = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run(
        [linter, "--config", configuration, "--cache-dir", STATE / "imports"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        print(done.stdout + done.stderr, file=sys.stderr)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
