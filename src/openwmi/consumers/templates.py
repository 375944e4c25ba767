"""Standard string templates: text with the values of an event in it (model.md E-70).

    %Name%                  a property of the event, in any case; %TargetInstance.Name% one of an embedded object
    %%                      a percent sign
    "anything"              stays as it is, quotes included
    array                   (1,5,10); one element stands alone, none is (); strings among several are quoted
    embedded object         its MOF text
    %Objects.Property%      of an array of objects: an array

A percent sign that begins none of these is text. A property that is NULL, or that the event lacks, is nothing.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from openwmi.model.classes import Class
from openwmi.model.instances import Instance
from openwmi.mof.printer import print_class, print_instance

if TYPE_CHECKING:
    from collections.abc import Iterable

    Part = str | tuple[str, ...]

_PIECES: Final = re.compile(
    r'"[^"]*"'  # a string literal
    r"|%%"
    r"|%([^\W\d]\w*(?:\.[^\W\d]\w*)*)%"
    r"|[^\"%]+|.",
    re.DOTALL,
)
# A value may be a whole MOF text of another object; what is put together stays within this.
LIMIT: Final = 1 << 20


@lru_cache(maxsize=1024)
def _parsed(template: str) -> tuple[Part, ...]:
    parts: list[Part] = []
    for match in _PIECES.finditer(template):
        if match[1] is not None:
            parts.append(tuple(match[1].split(".")))
        elif match[0] == "%%":
            parts.append("%")
        else:
            parts.append(match[0])
    return tuple(parts)


def expand(template: str | None, event: Instance) -> str:
    """The text of a template for an event, at most LIMIT characters of it; "" for NULL."""
    if not template:
        return ""
    return "".join(
        [part if isinstance(part, str) else _shown(_value(event, part)) for part in _parsed(template)]
    )[:LIMIT]


def _value(value: Any, names: Iterable[str]) -> Any:
    """What a dotted name leads to; None where it leads nowhere."""
    for name in names:
        many = isinstance(value, tuple)
        value = tuple([_member(one, name) for one in value]) if many else _member(value, name)
    return value


def _member(value: Any, name: str) -> Any:
    if isinstance(value, Instance):
        try:
            return value.raw_(name)
        except KeyError:
            return None
    if isinstance(value, Class) and name.upper() == "__CLASS":
        return value.name
    return None


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        if len(value) == 1:
            return _one(value[0])
        return f"({','.join([_quoted(one) for one in value])})"
    return _one(value)


def _quoted(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else _one(value)


def _one(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, Instance):
        return print_instance(value)
    if isinstance(value, Class):
        return print_class(value)
    return str(value)
