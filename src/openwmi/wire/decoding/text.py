"""Records as text for people: one line that says what passed, indented lines for what it carried."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openwmi.wire.decoding.association import Record

# What the first line says; everything else follows below it.
_SAID: Final = frozenset(
    (
        "packet",
        "time",
        "connection",
        "from",
        "to",
        "pipe",
        "pdu",
        "call",
        "flags",
        "interface",
        "method",
        "opnum",
    )
)
_AUTH: Final = ("auth", "protection", "size", "context")


def lines(record: Record) -> Iterator[str]:
    """The lines of a record."""
    headline = _headline(record)
    depth = 0
    if headline:
        depth = 1
        yield headline
    for key, value in record.items():
        if key not in _SAID and key not in _AUTH:
            yield from _member(key, value, depth)
    token = record.get("auth", {}).get("token")
    if token is not None:
        yield from _member("handshake", token, depth)


def _headline(record: Record) -> str:
    parts: list[str] = []
    if "packet" in record:
        parts.append(f"#{record['packet']}")
    if "from" in record:
        parts.append(f"{record['from']} > {record['to']}")
    if "pipe" in record:
        parts.append(f"pipe {_shown(record['pipe'])}")
    if "pdu" in record:
        parts.append(f"{record['pdu']} {record['call']}" if "call" in record else str(record["pdu"]))
    if "interface" in record or "method" in record:
        parts.append(_method(record))
    notes = [*record.get("flags", ()), *_protection(record)]
    if notes:
        parts.append(f"({', '.join(notes)})")
    return "  ".join(parts)


def _method(record: Record) -> str:
    interface = record.get("interface", "?")
    if "opnum" not in record:
        return str(interface)
    return f"{interface}.{record.get('method', 'opnum ' + str(record['opnum']))}"


def _protection(record: Record) -> Iterator[str]:
    auth = record.get("auth")
    if auth:
        yield f"{auth['type']} {auth['level']}"
    if "protection" in record:
        yield f"{record['protection']}" + (
            f", {record['size']} bytes" if record["protection"] == "sealed" else ""
        )


def _member(key: str, value: Any, depth: int) -> Iterator[str]:
    indent = "    " * depth
    key = _shown(key)  # a name of somebody's property
    if isinstance(value, dict) and value:
        yield f"{indent}{key}:"
        for name, item in value.items():
            yield from _member(name, item, depth + 1)
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for number, item in enumerate(value):
            yield from _member(f"{key}[{number}]", item, depth)
    else:
        yield f"{indent}{key}: {_plain(value)}"


def _plain(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, list):
        return ", ".join(_plain(item) for item in value) or "none"
    if isinstance(value, dict):
        return "nothing"
    return _shown(value) if isinstance(value, str) else repr(value)


def _shown(text: str) -> str:
    """Text as it is, unless something in it would not show."""
    return text if text.isprintable() else repr(text)
