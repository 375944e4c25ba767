"""The shipped schema, compiled: the .mof files beside the providers and the service -> openwmi/repository/schema.bin.

python -m tools.build_schema            write the file
python -m tools.build_schema --check    fail when it is not what would be written
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from openwmi import consumers, providers
from openwmi.mof import class_declarations
from openwmi.repository.encoding import packed_class
from openwmi.repository.prebuilt import FILE, PrebuiltSchema, built

if TYPE_CHECKING:
    from openwmi.model.classes import ClassDeclaration

SYSTEM = Path(FILE).parent.parent / "service" / "system.mof"


def compiled() -> dict[str, list[ClassDeclaration]]:
    """Every shipped class, by part: "system" in every namespace, "cimv2" in root\\cimv2, "subscription" in
    root\\subscription."""
    families = dict.fromkeys(entry.family for entry in providers.CLASSES.values())
    return {
        "system": list(class_declarations(SYSTEM.read_text("utf-8"), file="system.mof", system=True)),
        "cimv2": [
            one
            for family in families
            for one in class_declarations(providers.load_mof(family), file=f"{family}.mof")
        ],
        "subscription": list(class_declarations(consumers.load_mof(), file="standard.mof")),
    }


def difference(parts: dict[str, list[ClassDeclaration]], path: str = FILE) -> str | None:
    """The first class in which the file is not what the .mof files say; None when it is current."""
    schema = PrebuiltSchema(path)
    for part, declarations in parts.items():
        source = schema.part(part)
        try:
            names = list(source.superclasses())
        except (OSError, RuntimeError, ValueError, EOFError) as failure:
            return str(failure)
        if names != [one.name.lower() for one in declarations]:
            return f"the classes of part {part}"
        for one in declarations:
            found = source.declaration(one.name.lower())
            if found is None or packed_class(found) != packed_class(one):
                return one.name
    return None


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.build_schema", description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only compare")
    chosen = parser.parse_args()
    parts = compiled()
    found = difference(parts)
    if found is None:
        return 0
    if chosen.check:
        print(f"schema.bin is not current ({found}): run python -m tools.build_schema", file=sys.stderr)
        return 1
    Path(FILE).write_bytes(built(parts))
    print(f"wrote {FILE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
