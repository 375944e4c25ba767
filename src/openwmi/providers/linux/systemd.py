"""systemd, asked over D-Bus: its services, what happens to them, and how they are started and stopped."""

from __future__ import annotations

import os
from collections import deque
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jeepney import Message

SUFFIX: Final = ".service"
# How long systemd may take to answer a question, and to carry out a job (StartService waits for it).
ANSWER_SECONDS: Final = 25.0
JOB_SECONDS: Final = 30.0
# Signals that may wait while an answer is waited for. More, and what is known of the services is read anew.
SIGNALS: Final = 10_000
BUS_NAME: Final = "org.freedesktop.systemd1"
_MANAGER: Final = "/org/freedesktop/systemd1"
_UNITS: Final = "/org/freedesktop/systemd1/unit"
_BOOTED: Final = "/run/systemd/system"
_PROPERTIES: Final = "org.freedesktop.DBus.Properties"


class Refusal(Exception):
    """systemd, or the bus, says no. name: of the error, as D-Bus has it."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(text or name)
        self.name = name.rpartition(".")[2]


class Listed(NamedTuple):
    """A service as the lists show it. unit: its name with suffix; path: of the object, None while it is not loaded;
    file_state: "enabled", "static" ..., None for one without a file."""

    unit: str
    description: str
    active: str
    sub: str
    path: str | None
    file_state: str | None


class Signal(NamedTuple):
    """What has happened: the object, the name of the signal, and what it carries."""

    path: str
    member: str
    body: tuple[Any, ...]


def is_here(root: str = "") -> bool:
    """Whether this machine was started by systemd."""
    return os.path.isdir(root + _BOOTED)


def path_of(unit: str) -> str:
    """The object of a unit: all but letters and digits is written as _ and two hexadecimal digits."""
    name = "".join(
        chr(byte)
        if chr(byte).isalnum() and byte < 128 and (at or not chr(byte).isdigit())
        else f"_{byte:02x}"
        for at, byte in enumerate(unit.encode())
    )
    return f"{_UNITS}/{name}"


class Systemd:
    """A connection to systemd, for one thread. address: of the bus; the system's one by default. OSError when the bus
    cannot be reached, ModuleNotFoundError without jeepney."""

    def __init__(self, address: str | None = None) -> None:
        from jeepney import MatchRule
        from jeepney.io.blocking import open_dbus_connection

        self._connection = open_dbus_connection(bus=address or "SYSTEM")
        self._signals: deque[Message] = deque(maxlen=SIGNALS)
        self._filter = self._connection.filter(MatchRule(type="signal"), queue=self._signals)
        self._listens = False
        self.missed = False  # signals that had no room

    def fileno(self) -> int:
        return int(self._connection.sock.fileno())

    def close(self) -> None:
        self._filter.close()
        self._connection.close()

    # Questions

    def services(self) -> list[Listed]:
        """Every service: those that are loaded, and those that have a file. Templates are none, nor are other names of
        a service, nor services that are only mentioned."""
        files = {}
        for path, state in self.ask("ListUnitFilesByPatterns", "asas", [], ["*" + SUFFIX])[0]:
            files[path.rpartition("/")[2]] = state
        found = {}
        for unit, words, load, active, sub, _, path, *_ in self.ask(
            "ListUnitsByPatterns", "asas", [], ["*" + SUFFIX]
        )[0]:
            if load != "not-found":
                found[unit] = Listed(unit, words, active, sub, path, files.get(unit))
        for unit, state in files.items():
            if unit not in found and state != "alias" and "@." not in unit:
                found[unit] = Listed(unit, "", "inactive", "dead", None, state)
        return sorted(found.values())

    def properties(self, listed: Listed) -> dict[str, Any]:
        """Everything about a service; one that is not loaded is loaded for it. Refusal when it is gone."""
        path = listed.path or self.ask("LoadUnit", "s", listed.unit)[0]
        found: dict[str, Any] = {}
        for interface in ("Unit", "Service"):
            answer = self._call(path, _PROPERTIES, "GetAll", "s", f"{BUS_NAME}.{interface}")
            found.update((name, value) for name, (_, value) in answer[0].items())
        return found

    def ask(self, method: str, signature: str = "", *arguments: object) -> tuple[Any, ...]:
        """A method of the manager. Refusal, and TimeoutError when it does not answer."""
        return self._call(_MANAGER, f"{BUS_NAME}.Manager", method, signature, *arguments)

    def job(self, method: str, unit: str) -> str:
        """Have a unit started or stopped, and wait: the result of the job, "done" when all is well. TimeoutError."""
        end = monotonic() + JOB_SECONDS
        self.listen()
        path = self.ask(method, "ss", unit, "replace")[0]
        while True:
            for signal in self.signals(max(end - monotonic(), 0.0)):
                if signal.member == "JobRemoved" and signal.body[1] == path:
                    return str(signal.body[3])
            if monotonic() >= end:
                raise TimeoutError(f"{method} of {unit} takes longer than {JOB_SECONDS:.0f} s")

    # Signals

    def listen(self) -> None:
        """Be told, from now on, what happens to units."""
        from jeepney import MatchRule, message_bus

        if self._listens:
            return
        self._listens = True
        rules = (
            MatchRule(type="signal", interface=f"{BUS_NAME}.Manager", path=_MANAGER),
            MatchRule(type="signal", interface=_PROPERTIES, path_namespace=_UNITS),
            MatchRule(type="signal", interface="org.freedesktop.DBus", member="NameOwnerChanged"),
        )
        for rule in rules:
            _answer(self._connection.send_and_get_reply(message_bus.AddMatch(rule), timeout=ANSWER_SECONDS))
        self.ask("Subscribe")

    def signals(self, seconds: float) -> Iterator[Signal]:
        """What has been told and not been read; waits for the first no longer than some seconds."""
        from jeepney import HeaderFields

        try:
            while True:
                self._connection.recv_messages(timeout=0.0 if self._signals else seconds)
                if len(self._signals) == SIGNALS:
                    self.missed = True
                    break
        except TimeoutError:
            pass
        while self._signals:
            message = self._signals.popleft()
            fields = message.header.fields
            yield Signal(fields[HeaderFields.path], fields[HeaderFields.member], message.body)

    def _call(
        self, path: str, interface: str, method: str, signature: str = "", *arguments: object
    ) -> tuple[Any, ...]:
        from jeepney import DBusAddress, new_method_call

        address = DBusAddress(path, bus_name=BUS_NAME, interface=interface)
        message = new_method_call(address, method, signature or None, arguments)
        answer = _answer(self._connection.send_and_get_reply(message, timeout=ANSWER_SECONDS))
        if len(self._signals) == SIGNALS:
            self.missed = True
        return answer


def _answer(message: Message) -> tuple[Any, ...]:
    from jeepney import HeaderFields, MessageType

    if message.header.message_type is MessageType.error:
        text = str(message.body[0]) if message.body else ""
        raise Refusal(message.header.fields[HeaderFields.error_name], text)
    return tuple(message.body)
