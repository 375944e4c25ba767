"""Method parameters as typed on a command line: `k=text`, `k:=json`, `k=@file`, to values of their declared types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openwmi.cli.naming import near
from openwmi.cli.options import Misuse
from openwmi.cli.schema import declared_type, names_of
from openwmi.cli.values import REALS
from openwmi.model.cimtypes import ARRAY, INTEGER_RANGES, CimType
from openwmi.model.classes import Class
from openwmi.model.errors import WbemError, error
from openwmi.model.instances import Instance
from openwmi.model.status import WBEM_E_INVALID_METHOD_PARAMETERS
from openwmi.model.values import coerce

if TYPE_CHECKING:
    from collections.abc import Sequence

    from openwmi.cli.session import Session
    from openwmi.model.classes import Method, Property

_TRUTHS = {"true": True, "1": True, "false": False, "0": False}


class _Unfit(Exception):
    """A value that the parameter cannot take; the text says why."""


def parameters(session: Session, name: str, method: Method, arguments: Sequence[str]) -> dict[str, object]:
    """The in-parameters by their declared names, checked against the signature. Raises Misuse or Failed.

    A parameter given several times is an array. `name` is the method as it is called in errors.
    """
    declared = method.inputs.properties if method.inputs is not None else {}
    found: dict[str, object] = {}
    for argument in arguments:
        key, kind, text = _split(argument)
        known = declared.get(key.lower())
        if known is None:
            raise session.failed(_unknown(name, key, names_of(declared.values())))
        try:
            value = _from_json(session, known, text) if kind == ":=" else _from_text(known, text)
            _add(found, known, value, several=kind == "=" and bool(known.type & ARRAY))
            coerce(found[known.name], known.type, name=known.name, reference=known.reference)
        except _Unfit as reason:
            raise session.failed(_refused(f"{name}: {reason}", known.name)) from None
        except WbemError as reason:
            raise session.failed(_refused(f"{name}: {reason.message}", known.name)) from reason
    return found


def _split(argument: str) -> tuple[str, str, str]:
    """Name, `=` or `:=`, and the text, which `@file` has been replaced in."""
    name, equals, text = argument.partition("=")
    if not equals or not name.rstrip(":"):
        raise Misuse(f"a parameter is NAME=TEXT, NAME:=JSON or NAME=@FILE, not {argument}")
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


def _unknown(name: str, key: str, known: Sequence[str]) -> WbemError:
    return near(_refused(f'{name} has no parameter "{key}"', key), key, known)


def _refused(message: str, key: str) -> WbemError:
    return error(WBEM_E_INVALID_METHOD_PARAMETERS, message, parameter=key)


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

    return datetime.fromisoformat(text).astimezone()


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
            raise session.failed(
                near(_refused(f'{name} has no property "{key}"', key), key, names_of(members.values()))
            )
        values[known.name] = _converted(session, known, value)
    blank = Instance(class_.layout, tuple(one.default for one in members.values()), (1 << len(members)) - 1)
    return blank.with_(values)
