"""Another machine, as the command line uses it: who to log on as, and one operation at a time over the wire.

A password comes from a file, the environment, a key ring or the keyboard, never from the command line, which every
user of the machine can read.
"""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple

from openwmi.contract import operations as ops
from openwmi.model.classes import Class
from openwmi.model.errors import WbemError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from openwmi.cli.options import Options
    from openwmi.model.batches import Batch
    from openwmi.model.instances import Instance
    from openwmi.sync import Connection

    Report = Callable[[int, int, str | None], None]


def log_on(options: Options, host: str) -> dict[str, Any]:
    """What `openwmi.sync.connect` takes besides the target, from options, environment, key ring and keyboard."""
    _need("cryptography")
    if options.auth == "kerberos":
        _need("gssapi")
    user = options.user or os.environ.get("OPENWMI_USER")
    found: dict[str, Any] = {"user": user, "password": _password(options, user, host)}
    for name in ("auth", "auth_level", "delivery", "timeout", "callback_port"):
        value = getattr(options, name, None)
        if value is not None:
            found[name] = value
    return found


def _need(package: str) -> None:
    """Miss a package now: the launcher starts the program anew to install it, and a password is read only once."""
    if find_spec(package) is None:
        raise ModuleNotFoundError(f"No module named {package!r}", name=package)


def _password(options: Options, user: str | None, host: str) -> str | None:
    file = options.password_file or os.environ.get("OPENWMI_PASSWORD_FILE")
    if file:
        from openwmi.cli.passwords import first_line

        return first_line(file)
    if "OPENWMI_PASSWORD" in os.environ:
        return os.environ["OPENWMI_PASSWORD"]
    if not user or options.auth == "kerberos":
        return None
    kept = _from_key_ring(user, host)
    if kept is not None:
        return kept
    if not (sys.stdin and sys.stdin.isatty()):
        return None
    from getpass import getpass

    return getpass(f"password of {user} on {host}: ")


def _from_key_ring(user: str, host: str) -> str | None:
    """What the user's key ring keeps for `openwmi`, where the package keyring is there."""
    try:
        import keyring
    except ImportError:
        return None
    try:
        found: str | None = keyring.get_password("openwmi", f"{user}@{host}")
    except Exception:  # noqa: BLE001 - a key ring that is locked, or broken, is as good as none
        return None
    return found


class _Step(NamedTuple):
    layout: Any


class Columns(NamedTuple):
    """What is known of a query's rows before they come; see `cli.results.columns_of`."""

    query: Any
    class_: Class
    steps: list[_Step]

    def explain(self) -> str:
        """Of the plan nothing is known here."""
        return "The plan is made by the machine that runs the query, which does not tell it."


class Elsewhere:
    """One namespace of another machine. `status` is the success status of the last operation read."""

    def __init__(self, wmi: Connection) -> None:
        self._wmi = wmi
        self.status = 0

    @property
    def namespace(self) -> str:
        return self._wmi.namespace

    @property
    def server(self) -> str:
        return self._wmi.server

    def start(
        self, operation: ops.AnyOperation, flags: int = 0, report: Report | None = None
    ) -> Iterator[Batch]:
        """The operation's objects as they come; WbemError when it fails."""
        reading = self._reading(operation, flags)
        try:
            for one in reading:
                yield [one]
            self.status = reading.outcome.status
        finally:
            reading.close()

    def _reading(self, operation: ops.AnyOperation, flags: int) -> Any:
        from openwmi.faces.sync.objects import Objects

        self.status = 0
        wmi = self._wmi
        return Objects[Any](wmi._session, operation, flags=flags, timeout=wmi._timeout).reading()

    def write(self, operation: ops.AnyOperation, flags: int = 0) -> str | None:
        """Carry out a put or a delete; the relative path of what was put."""
        reading = self._reading(operation, flags)
        reading.rest()
        text: str | None = reading.outcome.text
        return text.partition(":")[2] or text if text else text

    def query(self, text: str, flags: int = 0, report: Report | None = None) -> Iterator[Batch]:
        """A query's objects."""
        return self.start(ops.ExecQuery(text), flags, report)

    def plan(self, text: str, flags: int = 0) -> Any:
        """The columns of a query's rows where its class tells them; the server plans for itself."""
        from openwmi import wql

        query = wql.parse(text)
        if not isinstance(query, wql.Select):
            return query
        try:
            class_ = self.get(query.class_name.text)
            if not isinstance(class_, Class):
                return query
            below = self.classes(class_.name) if query.columns is None else ()
            others = [_Step(one.layout) for batch in below for one in batch if isinstance(one, Class)]
        except WbemError:
            return query  # the query itself finds out what is wrong
        return Columns(query, class_, [_Step(class_.layout), *others])

    def get(self, path: str, flags: int = 0) -> Instance | Class:
        """One object by its path."""
        found: Instance | Class = self._reading(ops.GetObject(path), flags).rest()[0]
        return found

    def call(self, path: str, method: str, params: Any = None) -> Instance | None:
        """Run a method: its out-parameters, or None when it has none."""
        found = self._reading(ops.ExecMethod(path, method, params), 0).rest()
        return found[0] if found else None

    def classes(self, superclass: str | None = None, *, deep: bool = True) -> Iterator[Batch]:
        """The subclasses of a class, or all classes."""
        return self.start(ops.CreateClassEnum(superclass), 0 if deep else 1)
