"""From what somebody typed to a class, a member or a path; a near name is offered where nothing has that name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openwmi.cli.schema import names_of
from openwmi.cli.session import Failed, Session
from openwmi.model.classes import Class
from openwmi.model.errors import WbemError, error
from openwmi.model.paths import parse_path
from openwmi.model.status import (
    WBEM_E_INVALID_CLASS,
    WBEM_E_INVALID_PROPERTY,
    WBEM_E_NOT_FOUND,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from openwmi.model.classes import Method, Property
    from openwmi.model.paths import ObjectPath


def target(session: Session, text: str) -> ObjectPath:
    """An object path as typed; a namespace in it becomes the session's. Raises Failed when it cannot be read."""
    try:
        path = parse_path(text)
    except WbemError as failure:
        raise session.failed(failure) from failure
    session.subject = path.class_name
    if path.server is not None:
        session.check_server(path.server)
    if path.namespace is not None:
        session.namespace = path.namespace
    return path


def selection(class_name: str, properties: Iterable[str] = (), where: str | None = None) -> str:
    """The WQL that reads these properties of a class, all of them when none is named."""
    text = f"SELECT {', '.join(properties) or '*'} FROM {class_name}"
    return f"{text} WHERE {where}" if where else text


def split_member(text: str) -> tuple[str, str | None]:
    """`Class.Member` into its halves; the path of an instance stands for its class, a namespace before `:` stays."""
    head, colon, name = text.rpartition(":") if '"' not in text and "=" not in text else ("", "", text)
    class_name, dot, member = name.partition(".")
    if "=" in member or "=" in class_name:
        return class_name.partition("=")[0], None
    return head + colon + class_name, member if dot else None


def class_named(session: Session, text: str) -> Class:
    """The class of that name with its descriptions; Failed with a near name when there is none."""
    path = target(session, text)
    try:
        found = session.get(path.relative(), amended=True)
    except Failed as failure:
        if failure.error.code not in (WBEM_E_NOT_FOUND, WBEM_E_INVALID_CLASS):
            raise
        raise session.failed(unknown_class(session, str(path.class_name))) from None
    if not isinstance(found, Class):
        raise TypeError(f"{text} is no class")
    return found


def unknown_class(session: Session, name: str) -> WbemError:
    """The error for a class that does not exist, with the nearest one that does."""
    session.subject = None
    failure = error(WBEM_E_INVALID_CLASS, f'there is no class "{name}" in {session.namespace}')
    return near(failure, name, session.class_names())


def member_named(session: Session, class_: Class, name: str) -> Property | Method:
    """The property or method of that name in any case."""
    found = class_.property(name) or class_.method(name)
    if found is None:
        names = [*names_of(class_.properties.values()), *names_of(class_.methods.values())]
        failure = error(WBEM_E_INVALID_PROPERTY, f'class {class_.name} has no property or method "{name}"')
        raise session.failed(near(failure, name, names))
    return found


def near(failure: WbemError, name: str, known: Iterable[str]) -> WbemError:
    """The error, with `did you mean` as its hint when a known name is near."""
    from openwmi.cli.suggestions import closest

    likely = closest(name, known)
    failure.hint = f"did you mean {likely}?" if likely else None
    return failure
