"""NTEventLogEventConsumer: an entry of the system's log for each event (model.md E-74).

The entry goes to systemd's journal through its own socket, with the numbers and texts of the consumer as fields beside
the message, so that Win32_NTLogEvent finds them again; where there is no journal, to syslog, which has the text alone.

    MESSAGE              the insertion strings, or the event's class where there are none
    PRIORITY             from EventType
    SYSLOG_IDENTIFIER    SourceName
    OPENWMI_EVENT_ID, OPENWMI_EVENT_TYPE, OPENWMI_CATEGORY, OPENWMI_USER, OPENWMI_DATA
    OPENWMI_STRING       once for each insertion string
"""

from __future__ import annotations

import array
import os
import socket
from typing import TYPE_CHECKING, Any, Final

from openwmi.consumers.templates import expand
from openwmi.model.errors import error
from openwmi.model.names import is_machine
from openwmi.model.sids import InvalidDescriptor, Sid
from openwmi.model.status import (
    WBEM_E_FAILED,
    WBEM_E_INVALID_PARAMETER,
    WBEM_E_NOT_SUPPORTED,
    WBEM_E_RETRY_LATER,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from openwmi.contract.provider import Delivery
    from openwmi.model.instances import Instance

JOURNAL: Final = "/run/systemd/journal/socket"
SYSLOG: Final = "/dev/log"
# EventType -> priority of syslog: success, error, warning, information, audit success, audit failure.
PRIORITIES: Final = {0: 6, 1: 3, 2: 4, 4: 6, 8: 5, 16: 4}
USER: Final = 1 << 3  # facility of syslog
SECONDS: Final = 5.0
# What fits into one datagram for certain; more travels in a file of its own.
DATAGRAM: Final = 65536
LONGEST: Final = 8192  # a line of syslog

Field = tuple[str, bytes]


class NTEventLogEventConsumer:
    """Writes into the log of the machine. The sockets are those of the system unless a test says otherwise."""

    name = "NTEventLogEventConsumer"

    def __init__(self, journal: str = JOURNAL, syslog: str = SYSLOG) -> None:
        self._journal = journal
        self._syslog = syslog

    def consume(self, request: Delivery, consumer: Instance, events: Sequence[Instance]) -> None:
        _check(consumer)
        for event in events:
            entry = list(fields(consumer, event))
            if os.path.exists(self._journal):
                _send(self._journal, journal_entry(entry))
            elif os.path.exists(self._syslog):
                _send(self._syslog, syslog_line(dict(entry)))
            else:
                raise error(WBEM_E_FAILED, "this machine has neither a journal nor a syslog")


def _check(consumer: Instance) -> None:
    source, server = consumer.raw_("SourceName"), consumer.raw_("UNCServerName")
    if not source or ":" in source:
        raise error(WBEM_E_INVALID_PARAMETER, f"not a source's name: {source!r:.100}", parameter="SourceName")
    if consumer.raw_("EventType") not in PRIORITIES:
        raise error(WBEM_E_INVALID_PARAMETER, f"there is no EventType {consumer.raw_('EventType')}")
    if not is_machine(server, consumer.server_ or ""):
        raise error(
            WBEM_E_NOT_SUPPORTED, f"the log of {server} is out of reach from here", parameter="UNCServerName"
        )


def fields(consumer: Instance, event: Instance) -> Iterator[Field]:
    """The fields of an entry, in order."""
    templates = (consumer.raw_("InsertionStringTemplates") or ())[
        : consumer.raw_("NumberOfInsertionStrings") or 0
    ]
    strings = [expand(template, event) for template in templates]
    yield "MESSAGE", _bytes(" ".join(strings) or event.classname_)
    yield "PRIORITY", b"%d" % PRIORITIES[consumer.raw_("EventType")]
    yield "SYSLOG_IDENTIFIER", _bytes(consumer.raw_("SourceName"))
    yield "OPENWMI_EVENT_ID", b"%d" % consumer.raw_("EventID")
    yield "OPENWMI_EVENT_TYPE", b"%d" % consumer.raw_("EventType")
    if (category := consumer.raw_("Category")) is not None:
        yield "OPENWMI_CATEGORY", b"%d" % category
    for text in strings:
        yield "OPENWMI_STRING", _bytes(text)
    if (data := _property(event, consumer.raw_("NameOfRawDataProperty"))) is not None:
        yield "OPENWMI_DATA", _data(data)
    if (user := _property(event, consumer.raw_("NameOfUserSidProperty"))) is not None:
        yield "OPENWMI_USER", _bytes(user if isinstance(user, str) else _sid_text(_data(user)))


def _property(event: Instance, name: str | None) -> Any:
    if not name or name.lower() not in event.layout_.index:
        return None
    return event.raw_(name)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")


def _data(value: Any) -> bytes:
    """The raw data of a property: bytes as they are, everything else as text."""
    if isinstance(value, tuple) and all(isinstance(one, int) and 0 <= one <= 255 for one in value):
        return bytes(value)
    return _bytes(str(value))


def _sid_text(data: bytes) -> str:
    """A security identifier as text; what is none, or more than one, as hex digits."""
    try:
        found = Sid.decode(data)
    except InvalidDescriptor:
        return data.hex()
    return str(found) if found.encode() == data else data.hex()


def journal_entry(entry: list[Field]) -> bytes:
    """An entry in the journal's native form: NAME=value, or NAME, length and value where that has a line's end."""
    lines = []
    for name, value in entry:
        if b"\n" in value or name == "OPENWMI_DATA":
            lines.append(b"%b\n%b%b\n" % (name.encode(), len(value).to_bytes(8, "little"), value))
        else:
            lines.append(b"%b=%b\n" % (name.encode(), value))
    return b"".join(lines)


def syslog_line(entry: dict[str, bytes]) -> bytes:
    """A line of the older syslog protocol (RFC 3164): priority, tag, text."""
    text = b" ".join(entry["MESSAGE"].split(b"\n"))
    return (b"<%d>%b: %b" % (USER | int(entry["PRIORITY"]), entry["SYSLOG_IDENTIFIER"], text))[:LONGEST]


def _send(path: str, data: bytes) -> None:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as link:
            link.settimeout(SECONDS)
            link.connect(path)
            if len(data) <= DATAGRAM:
                link.send(data)
            else:
                _send_file(link, data)
    except TimeoutError:
        raise error(WBEM_E_RETRY_LATER, f"{path} takes nothing for {SECONDS:g} seconds") from None
    except OSError as reason:
        raise error(WBEM_E_RETRY_LATER, f"{path}: {reason.strerror or reason}") from reason


def _send_file(link: socket.socket, data: bytes) -> None:
    """An entry that no datagram holds: in a sealed file in memory, whose descriptor is sent instead."""
    import fcntl

    file = os.memfd_create("openwmi-entry", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        with os.fdopen(os.dup(file), "wb") as writing:
            writing.write(data)
        seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
        fcntl.fcntl(file, fcntl.F_ADD_SEALS, seals)
        link.sendmsg([b""], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [file]))])
    finally:
        os.close(file)
