"""`openwmi record`: keep what a machine answers to some queries as MOF, for `openwmi serve --mof` to play back."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from openwmi.cli.options import Argument, Misuse, Option
from openwmi.cli.session import Failed, Session
from openwmi.model.classes import Class, ClassDeclaration
from openwmi.model.instances import Instance

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

    from openwmi.cli.console import Console
    from openwmi.cli.options import Options

EXAMPLES = """
openwmi record "SELECT * FROM Win32_Service" --into services.mof -H server1 --user ops
openwmi record "SELECT * FROM Win32_Process" --omit CommandLine --into processes.mof -H server1 --user ops
openwmi serve --listen 127.0.0.1:5000 --mof services.mof
"""

ARGUMENTS = (Argument("queries", "WQL", "data queries; what they give is kept", many=True),)
OPTIONS = (
    Option("into", "the file to write; standard output unless given", value="FILE"),
    Option(
        "omit", "leave this property out wherever it is: it may hold secrets", value="NAME", repeated=True
    ),
)
_DEFAULT = "root\\cimv2"


def run(options: Options, console: Console) -> int:
    """Write the classes, bases first, then the objects. Nothing of the log-on is kept."""
    session = Session(options.namespace, options)
    cassette = Cassette(session, {name.lower() for name in options.omit})
    for query in options.queries:
        cassette.take(query)
    if cassette.skipped:
        console.note(f"{cassette.skipped} objects have no path, because a key was not selected: left out")
    try:
        with _opened(options.into) as file:
            for part in cassette.parts():
                file.write(part + "\n\n")
    except OSError as reason:
        raise Misuse(f"--into {options.into}: {reason.strerror}") from None
    console.note(f"{len(cassette.classes)} classes and {len(cassette.objects)} objects are kept")
    return 0


def _opened(name: str | None) -> Any:
    """The file to write; standard output, which stays open, without one."""
    if name is not None:
        return open(name, "w", encoding="utf-8")
    from contextlib import nullcontext

    output: TextIO = sys.stdout
    return nullcontext(output)


class Cassette:
    """Objects and their classes, each once. omitted: names of properties, in lower case, that are left out."""

    def __init__(self, session: Session, omitted: set[str]) -> None:
        self._session = session
        self._omitted = omitted
        self.classes: dict[str, Class] = {}
        self.objects: dict[str, Instance] = {}
        self.skipped = 0

    def take(self, query: str) -> None:
        """Keep what a query gives, and the class that it asks for, of which there may be no object."""
        from openwmi import wql

        _, batches = self._session.query(query)
        asked = wql.parse(query)
        if isinstance(asked, wql.Select) and not asked.class_name.text.startswith("__"):
            self._know_if_there(asked.class_name.text)
        for batch in batches:
            for one in batch:
                if isinstance(one, Class):
                    self._know(one.name)
                elif one.relpath_ is None:
                    self.skipped += 1
                else:
                    self.objects[one.relpath_.lower()] = self._without_secrets(one)
                    self._know_all(one)

    def _without_secrets(self, one: Instance) -> Instance:
        found: dict[str, Any] = {name: None for name in one.layout_.names if name.lower() in self._omitted}
        return one.with_(found) if found else one

    def _know_all(self, one: Instance) -> None:
        """The classes of an object and of those embedded in it."""
        self._know(one.classname_)
        for value in one.values_:
            for inner in value if isinstance(value, tuple | list) else (value,):
                if isinstance(inner, Instance):
                    self._know_all(inner)

    def _know_if_there(self, name: str) -> None:
        try:
            self._know(name)
        except Failed:
            pass  # meta_class and the like

    def _know(self, name: str) -> None:
        """A class and those above it, which are declared before it."""
        if name.startswith("__") or name.lower() in self.classes:
            return
        found = self._session.get(name)
        if isinstance(found, Class):
            if found.superclass is not None:
                self._know(found.superclass)
            self.classes[name.lower()] = found

    def parts(self) -> Iterator[str]:
        """The MOF text, declaration by declaration."""
        from openwmi.mof import print_class, print_instance

        namespace = self._session.namespace
        yield f"// What {self._session.machine or 'this machine'} had in {namespace}, as openwmi record found it."
        yield from _place(namespace)
        for one in self.classes.values():
            yield print_class(_static(one)).rstrip()
        for instance in self.objects.values():
            yield print_instance(instance).rstrip()


def _static(class_: Class) -> ClassDeclaration:
    """What a class says, but for who provides its instances: in a mock they are what was recorded."""
    said = class_.declaration
    qualifiers = said.qualifiers
    for name in ("dynamic", "provider"):
        qualifiers = qualifiers.without(name)
    return ClassDeclaration(said.name, said.superclass, qualifiers, said.properties, said.methods)


def _place(namespace: str) -> Iterator[str]:
    """Pragmas that lead to a namespace, and make it where it is not one that everybody has."""
    if namespace.lower() == _DEFAULT:
        return
    root, *names = namespace.split("\\")
    above = root
    for name in names:
        yield f'#pragma namespace("{_path(above)}")\ninstance of __NAMESPACE {{ Name = "{name}"; }};'
        above = f"{above}\\{name}"
    yield f'#pragma namespace("{_path(namespace)}")'


def _path(namespace: str) -> str:
    return ("\\\\.\\" + namespace).replace("\\", "\\\\")
