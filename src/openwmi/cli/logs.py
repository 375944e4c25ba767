"""What a service writes to standard error: one record a line, as logfmt or as JSON."""

from __future__ import annotations

import json
import logging
import sys
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from openwmi.cli.lines import LineWriter

if TYPE_CHECKING:
    from collections.abc import Callable

# Bytes of lines that may wait for a reader, some thousands of lines.
ROOM: Final = 1 << 20
# How long the end of the program waits for a reader.
FLUSH_SECONDS: Final = 1.0
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
        return self._write(record_fields(record)) + "\n"

    def lost(self, lines: int) -> str:
        """What stands where lines are missing."""
        why = "lines are missing here: nobody has read standard error for too long"
        record = logging.LogRecord("openwmi.log", logging.WARNING, "", 0, why, None, None)
        record.fields = {"lost": lines}
        return self.format(record)


class _Handler(logging.Handler):
    """Writes records on a thread of its own, so that whoever logs never waits for whoever reads the log."""

    def __init__(self, descriptor: int, form: str) -> None:
        super().__init__()
        lines = _Lines(form)
        self.setFormatter(lines)
        self._writer = LineWriter(descriptor, ROOM, notice=lines.lost)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except Exception as failure:  # noqa: BLE001 - a record that makes no sense ends nothing
            why = f"a record of {record.pathname}:{record.lineno} makes no sense: {failure}"
            line = self.format(logging.LogRecord("openwmi.log", logging.ERROR, "", 0, "%s", (why,), None))
        self._writer.put(line)

    def flush(self) -> None:
        """Also called when the program ends (logging.shutdown)."""
        self._writer.flush(FLUSH_SECONDS)


def write_logs(form: str, level: int) -> None:
    """Have the records of this program written to standard error from now on: its own from a level on, and what
    others, such as asyncio, and the interpreter have to say, none of which waits for a reader either."""
    if sys.stderr is None:
        return
    handler = _Handler(sys.stderr.fileno(), form)
    logger = logging.getLogger("openwmi")
    logger.handlers[:] = [handler]
    logger.setLevel(level)
    logger.propagate = False
    logging.getLogger().addHandler(handler)
    logging.captureWarnings(True)
    threading.excepthook = _thread_failed
    sys.unraisablehook = _could_not_be_raised


def _thread_failed(what: threading.ExceptHookArgs) -> None:
    name = what.thread.name if what.thread is not None else "a thread"
    _tell(f"{name} has ended with an error", what.exc_value)


def _could_not_be_raised(what: sys.UnraisableHookArgs) -> None:
    _tell(f"{what.err_msg or 'an error that nobody could be told'}: {what.object!r}", what.exc_value)


def _tell(message: str, reason: BaseException | None) -> None:
    logging.getLogger("openwmi.log").error("%s", message, exc_info=reason)
