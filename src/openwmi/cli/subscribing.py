"""From what `openwmi watch` is told to an event query: a query as it is, or a class whose query is built here."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from openwmi import wql
from openwmi.cli.naming import target
from openwmi.cli.options import Misuse
from openwmi.model.classes import Class
from openwmi.model.errors import WbemError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openwmi.cli.options import Options
    from openwmi.cli.session import Session
    from openwmi.wql.syntax import Node, PropertyPath, Select

KINDS = {
    "create": "__InstanceCreationEvent",
    "modify": "__InstanceModificationEvent",
    "delete": "__InstanceDeletionEvent",
    "any": "__InstanceOperationEvent",
}
DEFAULT_SECONDS = 1.0
_ROOTS = frozenset(("targetinstance", "previousinstance"))


class Watched(NamedTuple):
    """What is subscribed to. select: the tree of the query; event: the class of its FROM, None where that does not
    exist, which the service says better; properties: those of the instances to show, where some were named."""

    text: str
    select: Select
    event: Class | None
    properties: tuple[str, ...] = ()


def watched(session: Session, options: Options) -> Watched:
    """The event query of a command line. Raises Misuse, or Failed for a class or a condition that is wrong."""
    if options.what.lstrip()[:6].lower() == "select":
        return _query(session, options)
    path = target(session, options.what)
    if path.class_name is None or path.is_instance:
        raise Misuse(f"{options.what} is no class and no event query")
    class_ = session.get(path.relative())
    if not isinstance(class_, Class):
        raise TypeError(options.what)
    if class_.inherits_from("__Event"):
        text = _of_event(options, class_)
        return Watched(text, _parsed(session, text), class_, tuple(options.properties))
    text = _of_instances(session, options, class_)
    select = _parsed(session, text)
    return Watched(text, select, _class(session, select), _declared(class_, options.properties))


def _query(session: Session, options: Options) -> Watched:
    for name in ("on", "within", "where"):
        if getattr(options, name) is not None:
            raise Misuse(f"--{name} goes with a class; an event query says that itself")
    if options.properties:
        raise Misuse("properties go with a class; an event query names them in its select list")
    select = _parsed(session, options.what)
    session.subject = select.class_name.text
    return Watched(options.what, select, _class(session, select))


def _class(session: Session, select: Select) -> Class | None:
    from openwmi.cli.session import Failed

    try:
        found = session.get(select.class_name.text)
    except Failed:
        return None
    return found if isinstance(found, Class) else None


def _of_event(options: Options, class_: Class) -> str:
    """The query for a class of events."""
    if options.on is not None:
        raise Misuse(f"{class_.name} is a class of events itself: --on does not apply")
    within = "" if options.within is None else f" WITHIN {options.within:g}"
    where = "" if options.where is None else f" WHERE {options.where}"
    return f"SELECT * FROM {class_.name}{within}{where}"


def _of_instances(session: Session, options: Options, class_: Class) -> str:
    """The query for what happens to the instances of a class."""
    within = DEFAULT_SECONDS if options.within is None else options.within
    text = (
        f"SELECT * FROM {KINDS[options.on or 'any']} WITHIN {within:g}"
        f" WHERE TargetInstance ISA '{class_.name}'"
    )
    if options.where is None:
        return text
    return f"{text} AND ({_about_target(session, class_.name, options.where)})"


def _about_target(session: Session, class_name: str, condition: str) -> str:
    """A condition on the properties of an instance, as one on those of TargetInstance."""
    head = f"SELECT * FROM {class_name} WHERE "
    select = _parsed(session, head + condition)
    if select.where is None or select.group is not None or select.having is not None:
        raise Misuse("--where takes a condition; give a whole event query for GROUP and HAVING")
    text = select.text
    starts = [path.span[0] for path in _paths(select.where) if path.folded[0] not in _ROOTS]
    for start in sorted(starts, reverse=True):
        text = f"{text[:start]}TargetInstance.{text[start:]}"
    return text[len(head) :]


def _paths(condition: Node) -> Iterator[PropertyPath]:
    waiting = [condition]
    while waiting:
        node = waiting.pop()
        waiting.extend(getattr(node, "items", ()))
        path = getattr(node, "path", None)
        if path is not None:
            yield path


def _parsed(session: Session, text: str) -> Select:
    try:
        return wql.parse_event(text)
    except WbemError as failure:
        raise session.failed(failure) from failure


def _declared(class_: Class, names: list[str]) -> tuple[str, ...]:
    """The properties in their declared spelling; a name that the class lacks may be one of a class below it."""
    found = [class_.property(name) for name in names]
    return tuple(one.name if one is not None else name for one, name in zip(found, names, strict=True))
