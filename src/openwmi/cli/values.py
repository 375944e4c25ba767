"""Raw CIM values as text and as JSON: the rules that every output format shares (docs/output-formats.md).

64-bit integers stay integers; a datetime is ISO 8601 with its offset and an interval an ISO 8601 duration, unless the
DMTF text is asked for (`--raw`); arrays and embedded objects are JSON, in the text formats too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openwmi.model.cimtypes import ARRAY, INTEGER_RANGES, CimType

if TYPE_CHECKING:
    from collections.abc import Callable

_ESCAPES = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))} | {
    0x09: "\\t",
    0x0A: "\\n",
    0x0D: "\\r",
    **{code: f"\\u{code:04x}" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))},
}
_REVERSIBLE = _ESCAPES | {0x5C: "\\\\"}
_JSON = {code: f"\\u{code:04x}" for code in range(0x20)} | {
    0x08: "\\b",
    0x09: "\\t",
    0x0A: "\\n",
    0x0C: "\\f",
    0x0D: "\\r",
    0x22: '\\"',
    0x5C: "\\\\",
}
REALS = frozenset((CimType.REAL32, CimType.REAL64))
NUMBERS = REALS | frozenset(INTEGER_RANGES)


def text_form(code: int, *, dmtf: bool = False) -> Callable[[Any], str]:
    """The function that turns non-NULL raw values of this type into one text, which may hold any character."""
    if code & ARRAY or code == CimType.OBJECT:
        convert = json_form(code, dmtf=dmtf)
        return lambda raw: json_text(convert(raw))
    if code == CimType.BOOLEAN:
        return lambda raw: "TRUE" if raw else "FALSE"
    if code == CimType.DATETIME and not dmtf:
        return iso
    return str


def json_form(code: int, *, dmtf: bool = False) -> Callable[[Any], object]:
    """The function that turns raw values of this type, NULL included, into what a JSON encoder takes."""
    element = code & ~ARRAY
    if element in INTEGER_RANGES or element == CimType.BOOLEAN:
        single: Callable[[Any], object] = _same
    elif element == CimType.DATETIME:
        single = _same if dmtf else _iso_or_none
    elif element == CimType.OBJECT:
        single = lambda raw: None if raw is None else object_document(raw, dmtf=dmtf)  # noqa: E731
    elif element in REALS:
        single = _finite
    else:
        single = _same
    if code & ARRAY:
        return lambda raw: None if raw is None else [single(element) for element in raw]
    return single


def json_text(document: object) -> str:
    """JSON on one line, written here because loading json costs a millisecond that a query with one array would pay.

    Lone surrogates are kept: the console writes them as the escapes that JSON has for them.
    """
    if isinstance(document, str):
        plain = document.isprintable() and '"' not in document and "\\" not in document
        return f'"{document}"' if plain else f'"{document.translate(_JSON)}"'
    if document is None:
        return "null"
    if isinstance(document, bool):
        return "true" if document else "false"
    if isinstance(document, dict):
        members = [f"{json_text(str(name))}: {json_text(value)}" for name, value in document.items()]
        return f"{{{', '.join(members)}}}"
    if isinstance(document, (list, tuple)):
        return f"[{', '.join(map(json_text, document))}]"
    return repr(document)


def object_document(value: Any, *, dmtf: bool = False) -> dict[str, object]:
    """An embedded instance as a JSON object, its class under `__CLASS`; an embedded class as `class_document`."""
    from openwmi.model.classes import Class

    if isinstance(value, Class):
        from openwmi.cli.schema import class_document

        return class_document(value)
    layout = value.layout_
    document: dict[str, object] = {"__CLASS": layout.class_name}
    for name, code, raw in zip(layout.names, layout.types, value.values_, strict=True):
        document[name] = json_form(code, dmtf=dmtf)(raw)
    return document


def shown(text: str) -> str:
    """Text for people: what would move the cursor is escaped; a backslash stays single."""
    return text if text.isprintable() else text.translate(_ESCAPES)


def reversible(text: str) -> str:
    """Text for one field of one line: tab, line ends, control characters and the backslash are escaped."""
    return text if text.isprintable() and "\\" not in text else text.translate(_REVERSIBLE)


def iso(text: str) -> str:
    """ISO 8601 of a canonical DMTF datetime or interval (model.md A-020, A-023).

    An unknown offset is left out; a datetime with other fields open stays DMTF text, which ISO 8601 cannot say.
    """
    if text[21] == ":":
        return _duration(text)
    if "*" in text[:21]:
        return text
    stamp = f"{text[:4]}-{text[4:6]}-{text[6:8]}T{text[8:10]}:{text[10:12]}:{text[12:14]}"
    if text[15:21] != "000000":
        stamp += text[14:21]
    if text[22] == "*":
        return stamp
    hours, minutes = divmod(int(text[22:25]), 60)
    return f"{stamp}{text[21]}{hours:02}:{minutes:02}"


def _duration(text: str) -> str:
    days, hours, minutes, seconds = (int(text[a:b]) for a, b in ((0, 8), (8, 10), (10, 12), (12, 14)))
    fraction = text[15:21].rstrip("0")
    date = f"{days}D" if days else ""
    time = (f"{hours}H" if hours else "") + (f"{minutes}M" if minutes else "")
    if seconds or fraction:
        time += f"{seconds}{'.' if fraction else ''}{fraction}S"
    if not date and not time:
        return "PT0S"
    return f"P{date}{'T' if time else ''}{time}"


def _same(raw: object) -> object:
    return raw


def _iso_or_none(raw: str | None) -> str | None:
    return None if raw is None else iso(raw)


def _finite(raw: float | None) -> object:
    """JSON has no NaN and no infinity: their names stand for them."""
    if raw is None or raw - raw == 0:
        return raw
    return "NaN" if raw != raw else ("Infinity" if raw > 0 else "-Infinity")
