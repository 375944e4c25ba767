"""What a service writes to standard error: one record a line, as logfmt or as JSON."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_PLAIN: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/\\+@,")


def record_fields(record: logging.LogRecord) -> dict[str, Any]:
    """What a record says, in the order of the line; `extra={"fields": {...}}` adds to it."""
    when = (
        datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )
    fields: dict[str, Any] = {
        "time": when,
        "level": record.levelname.lower(),
        "logger": record.name,
        "message": record.getMessage(),
    }
    fields.update(getattr(record, "fields", {}))
    if record.exc_info:
        fields["trace"] = logging.Formatter().formatException(record.exc_info)
    return fields


def json_line(fields: dict[str, Any]) -> str:
    return json.dumps(fields, default=str)


def logfmt(fields: dict[str, Any]) -> str:
    """key=value pairs; what is no plain word stands in quotes, with the escapes of JSON."""
    return " ".join(f"{name}={_word(value)}" for name, value in fields.items())


def _word(value: object) -> str:
    text = str(value)
    return text if text and _PLAIN.issuperset(text) else json.dumps(text, ensure_ascii=True)


FORMATS: Final[dict[str, Callable[[dict[str, Any]], str]]] = {"logfmt": logfmt, "json": json_line}


class _Lines(logging.Formatter):
    def __init__(self, form: str) -> None:
        super().__init__()
        self._write = FORMATS[form]

    def format(self, record: logging.LogRecord) -> str:
        return self._write(record_fields(record))


def write_logs(form: str, level: int) -> None:
    """Have the records of this program written to standard error from now on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines(form))
    logger = logging.getLogger("openwmi")
    logger.handlers[:] = [handler]
    logger.setLevel(level)
    logger.propagate = False
