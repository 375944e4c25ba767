"""Translated text: amended qualifiers, kept in a child namespace for each language (model.md B2, B41-B43)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from openwmi.contract.flags import WBEM_FLAG_USE_AMENDED_QUALIFIERS
from openwmi.model.classes import Class
from openwmi.model.qualifiers import AMENDED, QualifierSet

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from openwmi.service.execution import Execution
    from openwmi.service.namespaces import Namespace

FALLBACK: Final = "ms_409"
_LOCALE: Final = re.compile(r"ms_[0-9a-f]{1,4}\Z", re.IGNORECASE)


def translated(execution: Execution, classes: Iterable[Class]) -> Iterator[Class]:
    """The classes as they are stored, or with the text of the caller's language when the flag asks for it (B41)."""
    if not execution.flags & WBEM_FLAG_USE_AMENDED_QUALIFIERS:
        return iter(classes)
    copies = list(_languages(execution.space, execution.caller.locale))
    return (merged(class_, copies) for class_ in classes)


def _languages(space: Namespace, locale: str) -> Iterator[Namespace]:
    """The child namespaces to look in: the caller's languages in their order, then American English (B-11)."""
    names = [name.strip().lower() for name in locale.split(",")]
    for name in dict.fromkeys((*(one for one in names if _LOCALE.match(one)), FALLBACK)):
        found = space.namespaces.find(f"{space.path}\\{name}")
        if found is not None:
            yield found


def merged(class_: Class, copies: Iterable[Namespace]) -> Class:
    """A class with the amended qualifiers of the first language that has it; what it says itself wins (B41)."""
    for space in copies:
        copy = space.schema.find_class(class_.name)
        if copy is None:
            continue
        return Class(
            class_.name,
            class_.superclass,
            class_.derivation,
            class_.dynasty,
            _with_text(class_.qualifiers, copy.qualifiers),
            {
                name: one.replace(qualifiers=_with_text(one.qualifiers, other.qualifiers))
                if (other := copy.properties.get(name)) is not None
                else one
                for name, one in class_.properties.items()
            },
            {
                name: one.replace(qualifiers=_with_text(one.qualifiers, method.qualifiers))
                if (method := copy.methods.get(name)) is not None
                else one
                for name, one in class_.methods.items()
            },
            class_.keys,
            class_.namespace,
            class_.server,
        )
    return class_


def _with_text(own: QualifierSet, text: QualifierSet) -> QualifierSet:
    more = [one for one in text if one.flavor & AMENDED and one.name not in own]
    return own.with_(*more) if more else own


def amended_names(class_: Class) -> set[tuple[str, str]]:
    """Where a class carries amended qualifiers: (member, qualifier) in lower case; "" for the class itself."""
    found = {("", one.name.lower()) for one in class_.qualifiers if one.flavor & AMENDED}
    members = {name: one.qualifiers for name, one in class_.properties.items()}
    members.update((f"{name}()", one.qualifiers) for name, one in class_.methods.items())
    for name, qualifiers in members.items():
        found |= {(name, one.name.lower()) for one in qualifiers if one.flavor & AMENDED}
    return found
