"""Parameters and properties as typed on a command line, `k=text`, `k:=json`, `k=@file`, to values of their types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from openwmi.cli.naming import near
from openwmi.cli.options import Misuse
from openwmi.cli.schema import declared_type, names_of
from openwmi.cli.values import REALS
from openwmi.model.cimtypes import ARRAY, INTEGER_RANGES, CimType
from openwmi.model.classes import Class
from openwmi.model.errors import WbemError, error
from openwmi.model.instances import Instance
from openwmi.model.status import (
    WBEM_E_INVALID_METHOD_PARAMETERS,
    WBEM_E_INVALID_PROPERTY,
    WBEM_E_TYPE_MISMATCH,
)
from openwmi.model.values import coerce

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from openwmi.cli.session import Session
    from openwmi.model.classes import Method, Property

_TRUTHS = {"true": True, "1": True, "false": False, "0": False}


class _Unfit(Exception):
    """A value that a property cannot take; the text says why, and what could have been meant."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class _Owner(NamedTuple):
    """Who the values are for: its name in errors, what it has, and the codes for what does not fit (None: the code of
    the value's own fault)."""

    name: str
    noun: str
    unknown: int
    unfit: int | None


def parameters(session: Session, name: str, method: Method, arguments: Sequence[str]) -> dict[str, object]:
    """The in-parameters by their declared names, checked against the signature. Raises Misuse or Failed.

    `name` is the method as it is called in errors.
    """
    declared = method.inputs.properties if method.inputs is not None else {}
    code = WBEM_E_INVALID_METHOD_PARAMETERS
    return _typed(session, _Owner(name, "parameter", code, code), declared, arguments)


def properties(session: Session, class_: Class, arguments: Sequence[str]) -> dict[str, object]:
    """Values of properties by their declared names, checked against the class. Raises Misuse or Failed."""
    owner = _Owner(f"class {class_.name}", "property", WBEM_E_INVALID_PROPERTY, None)
    return _typed(session, owner, class_.properties, arguments)


def _typed(
    session: Session, owner: _Owner, declared: Mapping[str, Property], arguments: Sequence[str]
) -> dict[str, object]:
    """The values of their declared types. One that is given several times is an array."""
    found: dict[str, object] = {}
    for argument in arguments:
        key, kind, text = _split(argument)
        known = declared.get(key.lower())
        if known is None:
            failure = error(owner.unknown, f'{owner.name} has no {owner.noun} "{key}"', parameter=key)
            raise session.failed(near(failure, key, names_of(declared.values())))
        try:
            value = _from_json(session, known, text) if kind == ":=" else _from_text(known, text)
            _add(found, known, value, several=kind == "=" and bool(known.type & ARRAY))
            coerce(found[known.name], known.type, name=known.name, reference=known.reference)
        except (_Unfit, WbemError) as reason:
            raise session.failed(_refused(owner, known.name, reason)) from reason
    return found


def _refused(owner: _Owner, key: str, reason: _Unfit | WbemError) -> WbemError:
    message = reason.message if isinstance(reason, WbemError) else str(reason)
    own = reason.code if isinstance(reason, WbemError) else WBEM_E_TYPE_MISMATCH
    failure = error(owner.unfit or own, f"{owner.name}: {message}", parameter=key)
    failure.hint = reason.hint if isinstance(reason, _Unfit) and reason.hint else failure.hint
    return failure


def _split(argument: str) -> tuple[str, str, str]:
    """Name, `=` or `:=`, and the text, which `@file` has been replaced in."""
    name, equals, text = argument.partition("=")
    if not equals or not name.rstrip(":"):
        raise Misuse(f"a value is NAME=TEXT, NAME:=JSON or NAME=@FILE, not {argument}")
    kind = "="
    if name.endswith(":"):
        name, kind = name[:-1], ":="
    if text.startswith("@"):
        with open(text[1:], encoding="utf-8") as file:
            text = file.read()
    return name, kind, text


def _add(found: dict[str, object], declared: Property, value: object, *, several: bool) -> None:
    if several:
        held = found.setdefault(declared.name, [])
        if isinstance(held, list):
            held.append(value)
            return
    if declared.name in found:
        raise _Unfit(f"{declared.name} is given twice")
    found[declared.name] = value


def _from_text(declared: Property, text: str) -> object:
    element = declared.type & ~ARRAY
    try:
        if element in INTEGER_RANGES and element != CimType.CHAR16:
            return int(text, 0)
        if element == CimType.BOOLEAN:
            return _TRUTHS[text.lower()]
        if element in REALS:
            return float(text)
        if element == CimType.DATETIME:
            return _moment(text)
    except (ValueError, KeyError):
        raise _Unfit(f'{declared.name} is a {declared_type(declared)}, and "{text}" is none') from None
    if element == CimType.OBJECT:
        raise _Unfit(f'{declared.name} is an object: write {declared.name}:={{"Property": value}}')
    return text


def _moment(text: str) -> object:
    """DMTF text as it is; ISO 8601 as the moment it means, in this machine's zone where it names none."""
    if len(text) == 25 and text[14] == ".":
        return text
    from datetime import datetime

    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo is not None else moment.astimezone()


def _from_json(session: Session, declared: Property, text: str) -> object:
    import json

    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as reason:
        raise _Unfit(f"{declared.name}: this is not JSON: {reason}") from None
    return _converted(session, declared, document)


def _converted(session: Session, declared: Property, document: Any) -> object:
    """What JSON cannot say made of what it can: objects of a class, datetimes."""
    if isinstance(document, list):
        return [_converted(session, declared, one) for one in document]
    if isinstance(document, dict):
        return _object(session, declared, document)
    if isinstance(document, str) and declared.type & ~ARRAY == CimType.DATETIME:
        try:
            return _moment(document)
        except ValueError:
            raise _Unfit(f'{declared.name} is a datetime, and "{document}" is none') from None
    return document


def _object(session: Session, declared: Property, document: dict[str, Any]) -> Instance:
    """An instance of the class that `__CLASS` or the declaration names. Parameter classes are abstract, and that is
    no hindrance (Win32_ProcessStartup)."""
    from openwmi.cli.suggestions import closest

    name = document.pop("__CLASS", None) or declared.reference
    if not name:
        raise _Unfit(f'{declared.name}: say of which class the object is: {{"__CLASS": "..."}}')
    class_ = session.get(str(name))
    if not isinstance(class_, Class):
        raise _Unfit(f"{declared.name}: {name} is no class")
    members = class_.properties
    values: dict[str, object] = {}
    for key, value in document.items():
        known = members.get(key.lower())
        if known is None:
            likely = closest(key, names_of(members.values()))
            hint = f"did you mean {likely}?" if likely else None
            raise _Unfit(f'{name} has no property "{key}"', hint)
        values[known.name] = _converted(session, known, value)
    blank = Instance(class_.layout, tuple(one.default for one in members.values()), (1 << len(members)) - 1)
    return blank.with_(values)
