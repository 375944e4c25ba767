"""Method parameters as typed on a command line: `k=text`, `k:=json`, `k=@file`, to values of their declared types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openwmi.cli.naming import near
from openwmi.cli.options import Misuse
from openwmi.cli.schema import declared_type
from openwmi.cli.values import REALS
from openwmi.model.cimtypes import ARRAY, INTEGER_RANGES, CimType
from openwmi.model.classes import Class
from openwmi.model.errors import WbemError, error
from openwmi.model.status import WBEM_E_INVALID_METHOD_PARAMETERS
from openwmi.model.values import coerce

if TYPE_CHECKING:
    from collections.abc import Sequence

    from openwmi.cli.session import Session
    from openwmi.model.classes import Method, Property

_TRUTHS = {"true": True, "1": True, "false": False, "0": False}


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
            raise session.failed(_unknown(name, key, [one.name for one in declared.values()]))
        value = _from_json(session, known, text) if kind == ":=" else _from_text(known, text)
        if known.type & ARRAY and kind == "=":
            so_far = found.setdefault(known.name, [])
            if not isinstance(so_far, list):
                raise Misuse(f"{known.name} is given both as JSON and as text")
            so_far.append(value)
        elif known.name in found:
            raise Misuse(f"{known.name} is given twice, and it is no array")
        else:
            found[known.name] = value
    for key, value in found.items():
        _check(session, name, declared[key.lower()], value)
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


def _unknown(name: str, key: str, known: Sequence[str]) -> WbemError:
    failure = error(WBEM_E_INVALID_METHOD_PARAMETERS, f'{name} has no parameter "{key}"', parameter=key)
    return near(failure, key, known)


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
        raise Misuse(f'{declared.name} is a {declared_type(declared)}, and "{text}" is none') from None
    if element == CimType.OBJECT:
        raise Misuse(f'{declared.name} is an object: write {declared.name}:={{"Property": value}}')
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
    except ValueError as failure:
        raise Misuse(f"{declared.name}: this is not JSON: {failure}") from None
    return _converted(session, declared, document)


def _converted(session: Session, declared: Property, document: Any) -> object:
    """What JSON cannot say made of what it can: objects of a class, datetimes."""
    if isinstance(document, list):
        return [_converted(session, declared, one) for one in document]
    if isinstance(document, dict):
        name = document.pop("__CLASS", None) or declared.reference
        if not name:
            raise Misuse(f'{declared.name}: say of which class the object is: {{"__CLASS": "..."}}')
        class_ = session.get(str(name))
        if not isinstance(class_, Class):
            raise Misuse(f"{declared.name}: {name} is no class")
        members = {key.lower(): one for key, one in class_.properties.items()}
        values = {
            key: _converted(session, members[key.lower()], value) if key.lower() in members else value
            for key, value in document.items()
        }
        try:
            return class_.spawn(values)
        except WbemError as failure:
            raise session.failed(failure) from failure
    if isinstance(document, str) and declared.type & ~ARRAY == CimType.DATETIME:
        try:
            return _moment(document)
        except ValueError:
            raise Misuse(f'{declared.name} is a datetime, and "{document}" is none') from None
    return document


def _check(session: Session, name: str, declared: Property, value: object) -> None:
    """Say which parameter does not fit before the method is asked to run."""
    try:
        coerce(value, declared.type, name=declared.name, reference=declared.reference)
    except WbemError as failure:
        raise session.failed(
            error(WBEM_E_INVALID_METHOD_PARAMETERS, f"{name}: {failure.message}", parameter=declared.name)
        ) from failure
