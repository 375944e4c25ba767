"""Classes as documents: for JSON, and the small sentences that `describe` says about properties and methods."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openwmi.cli.values import json_form
from openwmi.model.cimtypes import CimType, type_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from openwmi.model.classes import Class, Method, Property
    from openwmi.model.qualifiers import QualifierSet

MAX_PARAMETERS = 1 << 31
# Qualifiers that `describe` has words of its own for, or that say nothing to a reader.
_UNSAID = frozenset(
    ("cimtype", "description", "id", "in", "out", "values", "valuemap", "bitvalues", "bitmap")
)


def class_document(class_: Class) -> dict[str, object]:
    """A class as JSON: names as in MOF, qualifiers as name and value."""
    return {
        "__CLASS": class_.name,
        "__SUPERCLASS": class_.superclass,
        "__DERIVATION": list(class_.derivation),
        "__NAMESPACE": class_.namespace,
        "keys": list(class_.keys),
        "qualifiers": _qualifiers(class_.qualifiers),
        "properties": [property_document(one) for one in class_.properties.values()],
        "methods": [method_document(one) for one in class_.methods.values()],
    }


def property_document(one: Property) -> dict[str, object]:
    """A property as JSON."""
    document: dict[str, object] = {"name": one.name, "type": declared_type(one), "origin": one.origin}
    if one.has_default:
        document["default"] = json_form(one.type)(one.default)
    document["qualifiers"] = _qualifiers(one.qualifiers)
    return document


def method_document(one: Method) -> dict[str, object]:
    """A method as JSON: what goes in, what comes out, ReturnValue last."""
    return {
        "name": one.name,
        "origin": one.origin,
        "in": [property_document(parameter) for parameter in parameters(one.inputs)],
        "out": [property_document(parameter) for parameter in parameters(one.outputs)],
        "qualifiers": _qualifiers(one.qualifiers),
    }


def parameters(signature: Class | None) -> list[Property]:
    """The parameters of one side of a signature, in the order of their ID qualifier; ReturnValue last."""
    if signature is None:
        return []
    return sorted(signature.properties.values(), key=_parameter_id)


def _parameter_id(one: Property) -> int:
    """Where a parameter stands in its signature; ReturnValue has no number and comes last."""
    return int(str(one.qualifiers.value("ID", MAX_PARAMETERS)))


def declared_type(one: Property) -> str:
    """The type as MOF writes it: `uint32`, `string[]`, `CIM_Process ref`."""
    name = type_name(one.type)
    if one.reference:
        element, array, _ = name.partition("[]")
        name = f"{one.reference}{' ref' if element == 'ref' else ''}{array}"
    return name


def signature(method: Method) -> str:
    """A method as one line of MOF-like text, parameters in order, without qualifiers other than in and out."""
    ins = {one.name.lower() for one in parameters(method.inputs)}
    outs = {one.name.lower(): one for one in parameters(method.outputs)}
    result = outs.pop("returnvalue", None)
    listed = [*parameters(method.inputs), *(one for name, one in outs.items() if name not in ins)]
    listed.sort(key=_parameter_id)
    parts = []
    for one in listed:
        ways = [way for way, names in (("in", ins), ("out", outs)) if one.name.lower() in names]
        if one.qualifiers.truth("Optional"):
            ways.append("optional")
        parts.append(f"[{', '.join(ways)}] {declared_type(one)} {one.name}")
    return f"{declared_type(result) if result else 'void'} {method.name}({', '.join(parts)})"


def meanings(qualifiers: QualifierSet) -> dict[str, str]:
    """What values stand for: ValueMap with Values, or Values by position, or BitMap with BitValues."""
    for keys, texts in (("ValueMap", "Values"), ("BitMap", "BitValues")):
        words = _strings(qualifiers.value(texts))
        if words:
            codes = _strings(qualifiers.value(keys)) or [str(position) for position in range(len(words))]
            return dict(zip(codes, words, strict=False))
        codes = _strings(qualifiers.value(keys))
        if codes:
            return dict.fromkeys(codes, "")
    return {}


def meaning(codes: dict[str, str], value: object) -> str:
    """The word for one value; ValueMap may hold ranges (`5..9`, `10..`, `..`) beside single values. "" when none."""
    exact = codes.get(str(value))
    if exact is not None or not isinstance(value, int):
        return exact or ""
    for code, word in codes.items():
        low, dots, high = code.partition("..")
        if dots and (not low or int(low) <= value) and (not high or value <= int(high)):
            return word
    return ""


def facts(one: Property) -> list[str]:
    """What is worth knowing about a property in a word each: key, writable, units, limits."""
    qualifiers = one.qualifiers
    found = []
    if qualifiers.truth("Key"):
        found.append("key")
    if qualifiers.truth("Write"):
        found.append("writable")
    units = qualifiers.value("Units")
    if units:
        found.append(f"in {units}")
    if str(qualifiers.value("SubType", "")).lower() == "interval":
        found.append("a duration")
    longest = qualifiers.value("MaxLen")
    if longest is not None and one.type == CimType.STRING:
        found.append(f"at most {longest} characters")
    return found


def other_qualifiers(qualifiers: QualifierSet) -> Iterator[str]:
    """The remaining qualifiers as `Name(value)`."""
    for one in qualifiers:
        if one.name.lower() in _UNSAID:
            continue
        yield one.name if one.value is True else f"{one.name}({_plain(one.value)})"


def _plain(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(_plain(one) for one in value)
    return f'"{value}"' if isinstance(value, str) else str(value)


def _qualifiers(qualifiers: QualifierSet) -> dict[str, object]:
    return {one.name: list(one.value) if isinstance(one.value, tuple) else one.value for one in qualifiers}


def _strings(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, tuple) else []


def names_of(members: Iterable[Property | Method]) -> list[str]:
    """The declared names of properties or methods."""
    return [one.name for one in members]
