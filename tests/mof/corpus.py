"""The MOF files of the shared data folder, a catalogue to compile them into, and the DMTF schema."""

from __future__ import annotations

import functools
import posixpath
import tarfile
from pathlib import Path

from openwmi import mof
from openwmi.model import Class, ClassDeclaration, Instance, WbemError, derive
from openwmi.model.errors import MofError
from openwmi.model.status import WBEM_E_INVALID_SUPERCLASS
from openwmi.mof.resolution import Resolution

HERE = Path(__file__).resolve().parent
DATA = HERE.parent.parent.parent / "shared" / "data"
MOF = DATA / "mof"
SYSTEM = HERE.parent.parent / "src" / "openwmi" / "service" / "system.mof"
SCHEMA = "CIM241/CIM_Schema.mof"

Compiled = list[ClassDeclaration | Instance]


@functools.cache
def files() -> tuple[str, ...]:
    """Every .mof and .mfl of the corpus, relative to its root."""
    found = (path.relative_to(MOF).as_posix() for path in MOF.rglob("*") if path.is_file())
    return tuple(sorted(path for path in found if path.lower().endswith((".mof", ".mfl"))))


@functools.cache
def dmtf_texts() -> dict[str, str]:
    """The files of the DMTF schema by their names in the archive."""
    with tarfile.open(MOF / "dmtf" / "CIM241.tar.gz") as archive:
        found = {}
        for member in archive:
            content = archive.extractfile(member)
            if content is not None:
                found[member.name] = content.read().decode()
        return found


def dmtf_include(name: str, including: str) -> tuple[str, str]:
    path = posixpath.normpath(posixpath.join(posixpath.dirname(including), name))
    try:
        return path, dmtf_texts()[path]
    except KeyError:
        raise FileNotFoundError(2, "No such file", path) from None


@functools.cache
def _by_name() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path in files():
        found.setdefault(posixpath.basename(path).lower(), []).append(path)
    return found


def _shared_folders(left: str, right: str) -> int:
    pairs = zip(left.split("/"), right.split("/"), strict=False)
    return next((count for count, (one, other) in enumerate(pairs) if one != other), 0)


def include(name: str, including: str) -> tuple[str, str | bytes]:
    """An included file: beside the including one, else the nearest one of that name (the corpus is not complete).

    The DMTF schema stands for any version of it; its classes come from the catalogue, only its qualifiers are read.
    """
    name = name.replace("\\", "/")
    if including.startswith("CIM241/"):
        return dmtf_include(name, including)
    path = posixpath.normpath(posixpath.join(posixpath.dirname(including), name))
    if path not in files():
        near = _by_name().get(posixpath.basename(name).lower(), [])
        if near:
            path = max(near, key=lambda one: _shared_folders(one, including))
        elif posixpath.basename(name).lower().startswith("cim_schema"):
            return "CIM241/DMTF/qualifiers.mof", dmtf_texts()["CIM241/DMTF/qualifiers.mof"]
    return path, (MOF / path).read_bytes()


class Catalogue(dict[str, Class]):
    """Classes by lower-case name, as a service would hold them after compiling."""

    def put(self, declaration: ClassDeclaration) -> Class:
        """Add a class below the superclass that is here already."""
        parent = None
        if declaration.superclass is not None:
            parent = self.get(declaration.superclass.lower())
        made = derive(declaration, parent)
        self[declaration.name.lower()] = made
        return made

    def compile(self, text: str, file: str = "<text>") -> Compiled:
        """What a text declares, in order; its classes are added. MofError at the first object that is refused."""
        directives = mof.parse(text, file=file, include=include)
        resolution = Resolution(directives, lambda _, name: self.get(name.lower()), server="HOST")
        done: Compiled = []
        for node in directives:
            step = resolution.step(node)
            if step is None or isinstance(step.item, mof.DeleteClass | mof.DeleteInstance):
                continue
            if isinstance(step.item, ClassDeclaration):
                declared = step.item
                if declared.superclass and declared.superclass.lower() not in self:
                    message = f"there is no superclass {declared.superclass}"
                    raise node.error(WBEM_E_INVALID_SUPERCLASS, message)
                try:
                    self.put(declared)
                except WbemError as reason:
                    raise node.error(reason.code, reason.message) from reason
            done.append(step.item)
        return done

    def load(self, path: str) -> Compiled:
        """Compile a file of the corpus."""
        return self.compile(mof.decode((MOF / path).read_bytes()), path)


@functools.cache
def _system() -> Catalogue:
    found = Catalogue()
    for declaration in mof.class_declarations(SYSTEM.read_text(), file=SYSTEM.name, system=True):
        found.put(declaration)
    return found


@functools.cache
def _ours(name: str) -> tuple[ClassDeclaration, ...]:
    return tuple(mof.class_declarations((HERE / name).read_text()))


@functools.cache
def dmtf() -> tuple[Catalogue, tuple[WbemError, ...]]:
    """The system classes and the whole DMTF schema, resolved; and what WMI's rules refuse of it."""
    found = Catalogue(_system())
    refused = []
    steps = mof.declarations(
        dmtf_texts()[SCHEMA],
        lambda name: found.get(name.lower()),
        file=SCHEMA,
        include=dmtf_include,
    )
    for _, _, item in steps:
        assert isinstance(item, ClassDeclaration)
        try:
            found.put(item)
        except WbemError as reason:
            refused.append(reason)
    return found, tuple(refused)


def prepared(needs: list[str]) -> Catalogue:
    """A catalogue with the system classes and what a file needs: "@dmtf", "@own", "@newer" or files of the corpus, in
    order."""
    found = Catalogue(dmtf()[0] if "@dmtf" in needs else _system())
    for name, file in (("@own", "prerequisites.mof"), ("@newer", "newer.mof")):
        for declaration in _ours(file) if name in needs else ():
            found.put(declaration)
    for path in needs:
        if not path.startswith("@"):
            found.load(path)
    return found


__all__ = [
    "DATA",
    "MOF",
    "SCHEMA",
    "Catalogue",
    "MofError",
    "dmtf",
    "dmtf_include",
    "dmtf_texts",
    "files",
    "prepared",
]
