"""`openwmi ls`: the namespaces, the classes of one, or the instances of a class."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openwmi.cli.formats import writer_for
from openwmi.cli.naming import selection, target
from openwmi.cli.options import Argument, Option
from openwmi.cli.results import deliver, show
from openwmi.cli.session import Session
from openwmi.model.cimtypes import CimType
from openwmi.model.classes import Class

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openwmi.cli.console import Console
    from openwmi.cli.options import Options
    from openwmi.model.batches import Batch
    from openwmi.model.instances import Instance

EXAMPLES = """
openwmi ls
openwmi ls root/cimv2
openwmi ls Win32_Process
openwmi ls Win32_LogicalDisk -o json
"""
NAMESPACES = "SELECT Name FROM __NAMESPACE"

ARGUMENTS = (
    Argument("what", "NS|CLASS", "a namespace or a class; all namespaces when left out", optional=True),
)
OPTIONS = (Option("system", "list system classes too (their names begin with __)"),)


def run(options: Options, console: Console) -> int:
    """List names, one a line unless a format is asked for."""
    if options.what is None:
        return _namespaces(options, console)
    session = Session(options.namespace, options)
    if _is_namespace(options.what):
        return _classes(_place(session, options), options, console)
    path = target(session, options.what)
    if path.class_name is None:
        return _classes(_place(session, options), options, console)
    output = writer_for(options.output or "name", console, raw=options.raw)
    keys = _keys(session, path.class_name) if output.wants_paths else ()
    return show(session, selection(path.class_name, keys), output, console)


def _place(session: Session, options: Options) -> Session:
    """The namespace that was named: of the same machine unless it says another one."""
    named: str = options.what.replace("/", "\\")
    return Session(named, options) if named.startswith("\\\\") else session.sibling(named)


def _is_namespace(text: str) -> bool:
    return ":" not in text and "=" not in text and ("/" in text or "\\" in text or text.lower() == "root")


def _keys(session: Session, class_name: str) -> tuple[str, ...]:
    """The keys of the class, which is all that its instances' paths need; none when it has none or does not exist."""
    from openwmi.cli.session import Failed

    try:
        found = session.get(class_name)
    except Failed:  # the query that follows says it better
        return ()
    return found.keys if isinstance(found, Class) else ()


def _namespaces(options: Options, console: Console) -> int:
    output = writer_for(options.output or "tsv", console, objects=False)
    output.begin(("Namespace",))
    for name in _below(Session(options.namespace, options).sibling("root")):
        output.rows((int(CimType.STRING),), [(name,)])
    output.end()
    return 0


def _below(session: Session) -> Iterator[str]:
    """A namespace and all those in it, parents first."""
    namespace = session.shown_namespace
    yield namespace
    names = [
        str(one["Name"])
        for batch in session.query(NAMESPACES)[1]
        for one in batch
        if not isinstance(one, Class)
    ]
    for name in sorted(names, key=str.lower):
        yield from _below(session.sibling(f"{session.namespace}\\{name}"))


def _classes(session: Session, options: Options, console: Console) -> int:
    output = writer_for(options.output or "name", console)
    deliver(_shown(session, system=options.system), output, console, columns=("__CLASS", "__SUPERCLASS"))
    return 0


def _shown(session: Session, *, system: bool) -> Iterator[Batch]:
    found = [one for batch in session.classes() for one in batch if isinstance(one, Class)]
    found.sort(key=lambda one: one.name.lower())
    classes: list[Instance | Class] = [one for one in found if system or not one.is_system]
    if classes:
        yield classes
