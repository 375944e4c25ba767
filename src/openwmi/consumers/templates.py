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
_ENDS: Final = re.compile("[\r\n\x0b\x0c\x1c-\x1e\x85\u2028\u2029]+")


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


def expand(template: str | None, event: Instance, *, lines: bool = True) -> str:
    """The text of a template for an event, at most LIMIT characters of it; "" for NULL.

    lines: values may have several lines; otherwise what ends a line in a text becomes a blank, so that no value looks
    like a line of its own.
    """
    if not template:
        return ""
    parts = [
        part if isinstance(part, str) else _shown(_value(event, part), lines) for part in _parsed(template)
    ]
    return "".join(parts)[:LIMIT]


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


def _shown(value: Any, lines: bool) -> str:
    if not isinstance(value, tuple):
        return _one(value, lines)
    if len(value) == 1:
        return _one(value[0], lines)
    texts = [_one(one, lines) for one in value]
    quoted = [f'"{text}"' if isinstance(one, str) else text for one, text in zip(value, texts, strict=True)]
    return f"({','.join(quoted)})"


def _one(value: Any, lines: bool) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, Instance):
        return print_instance(value)
    if isinstance(value, Class):
        return print_class(value)
    text = str(value)
    return text if lines else _ENDS.sub(" ", text)
