"""MOF: the DMTF CIM schema (1,438 classes), every class fully resolved, beside pywbem's compiler."""

from __future__ import annotations

import os
import posixpath
import tarfile
import tempfile
from pathlib import Path

from bench.harness import Budget, Line, Note, detail, in_turn, ratio
from openwmi import mof
from openwmi.model import Class, ClassDeclaration, WbemError, derive

ARCHIVE = Path(__file__).resolve().parents[2] / "shared" / "data" / "mof" / "dmtf" / "CIM241.tar.gz"
SCHEMA = "CIM241/CIM_Schema.mof"


class Reader:
    """Includes as files below a folder."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def __call__(self, name: str, including: str) -> tuple[str, bytes]:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(including), name))
        with open(os.path.join(self.folder, path), "rb") as file:
            return path, file.read()


def text(folder: str) -> str:
    with open(os.path.join(folder, SCHEMA), "rb") as file:
        return mof.decode(file.read())


def resolved(folder: str) -> dict[str, Class]:
    """Parse the schema and all it includes, and derive every class from its superclass."""
    classes: dict[str, Class] = {}
    steps = mof.declarations(
        text(folder), lambda name: classes.get(name.lower()), file=SCHEMA, include=Reader(folder)
    )
    for namespace, _, item in steps:
        assert isinstance(item, ClassDeclaration)
        parent = classes.get(item.superclass.lower()) if item.superclass else None
        try:
            classes[item.name.lower()] = derive(item, parent, namespace=namespace)
        except WbemError:
            continue  # seven associations: abstract below a class that is not, which WMI forbids
    return classes


def pywbem(folder: str) -> int:
    """pywbem's compiler into its in-memory connection; the number of classes."""
    from pywbem import MOFCompiler, MOFWBEMConnection

    connection = MOFWBEMConnection()
    compiler = MOFCompiler(connection, search_paths=[folder], log_func=None)
    compiler.compile_file(os.path.join(folder, SCHEMA), "root/cimv2")
    return len(connection.classes["root/cimv2"])


def measure() -> list[Line]:
    if not ARCHIVE.exists():
        return [Note(f"not measured: {ARCHIVE.name} of the shared data is not here")]
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(ARCHIVE) as archive:
            archive.extractall(folder, filter="data")
        count = len(resolved(folder))
        theirs = pywbem(folder)
        times = in_turn(
            {
                "resolved": lambda: resolved(folder),
                "tree": lambda: mof.parse(text(folder), file=SCHEMA, include=Reader(folder)),
                "pywbem": lambda: pywbem(folder),
            },
            rounds=3,
        )
    return [
        Budget(
            "DMTF schema, fully resolved, over pywbem's compiler",
            ratio(times, "pywbem", "resolved"),
            5,
            at_least=True,
            detail=detail(times, "resolved", "pywbem"),
        ),
        Note(f"tree alone: {detail(times, 'tree')}; {count:,} classes resolved here, {theirs:,} there"),
    ]


if __name__ == "__main__":
    from bench.harness import report

    report((__doc__ or "").strip(), measure())
