"""A command line's connection to WMI, here or on another machine: opened when needed; it knows how far it came."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openwmi.cli.options import DEFAULT_NAMESPACE, Misuse
from openwmi.model.classes import Class
from openwmi.model.errors import WbemError, error
from openwmi.model.names import is_machine
from openwmi.model.status import WBEM_E_LOCAL_CREDENTIALS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from openwmi.cli.options import Options
    from openwmi.model.batches import Batch
    from openwmi.model.instances import Instance
    from openwmi.model.paths import ObjectPath
    from openwmi.sync import Connection

    Report = Callable[[int, int, str | None], None]

USE_AMENDED_QUALIFIERS = 0x20000


# Connections to other machines that the command line has open.
_CONNECTIONS: list[Connection] = []


def leave() -> None:
    """Close them."""
    while _CONNECTIONS:
        _CONNECTIONS.pop().close()


class Failed(Exception):
    """A WMI error as it happened to a session, which knows how far things had come."""

    def __init__(self, error: WbemError, session: Session) -> None:
        super().__init__(str(error))
        self.error = error
        self.session = session


def check_server(name: str) -> None:
    """Misuse unless the server part of a path is this machine."""
    from openwmi.host import server_name

    if not is_machine(name, server_name()):
        raise Misuse(f"{name} is another machine: name it with -H, or before the namespace with -n")


def _split(namespace: str, *, credentials: bool) -> tuple[str | None, str]:
    r"""The machine of `\\machine\namespace`, None for this one, and the namespace."""
    if not namespace.startswith("\\\\"):
        return None, namespace
    server, _, rest = namespace[2:].partition("\\")
    if server in ("", "."):
        return None, rest
    if "[" not in server and not credentials:
        from openwmi.faces.target import is_this_machine

        if is_this_machine(server):
            return None, rest
    return server, rest


class Session:
    """One namespace. What its methods raise is `Failed`, `Misuse` or a fault of the program.

    subject: the class that the command is about, once known; rows: objects delivered so far.
    """

    def __init__(self, namespace: str = DEFAULT_NAMESPACE, options: Options | None = None) -> None:
        who = options is not None and (
            getattr(options, "user", None) or getattr(options, "password_file", None)
        )
        self.machine, self.namespace = _split(namespace.replace("/", "\\"), credentials=bool(who))
        self._credentials = bool(who)
        self._options = options
        self.subject: str | None = None
        self.rows = 0
        self._service: Any = None
        self._doing = "nothing was asked yet"

    @property
    def shown_namespace(self) -> str:
        """The namespace as one types it, with slashes."""
        return self.namespace.replace("\\", "/")

    def reached(self) -> str:
        """How far it got, as a phrase."""
        where = self.machine or "this machine"
        if self._service is None:
            return f"{where}; namespace {self.namespace} was not opened"
        return f"{where}, namespace {self.namespace}; {self._doing}"

    def sibling(self, namespace: str) -> Session:
        """Another namespace of the same machine."""
        place = f"\\\\{self.machine}\\{namespace}" if self.machine else namespace
        return Session(place, self._options)

    def check_server(self, name: str) -> None:
        """Misuse unless the server part of a path is the machine of this session."""
        if self.machine is None:
            check_server(name)
            return
        known = {self.machine.lower(), self.machine.partition("[")[0].lower(), "."}
        if name.lower() not in known and name.lower() != str(self._open().server).lower():
            raise Misuse(f"{name} is not {self.machine}, which is asked here")

    def connected(self) -> Connection:
        """The synchronous face of the same place, for what takes longer than one operation; the caller closes it."""
        from openwmi import sync

        if self.machine is None:
            return sync.connect(self.namespace)
        from openwmi.cli.elsewhere import log_on
        from openwmi.cli.tracing import opened
        from openwmi.faces import outside

        if self._options is None:
            raise TypeError("a session of another machine needs the options of its command line")
        outside.trace(opened(getattr(self._options, "trace", None)))
        host = self.machine.rpartition("[")[0] or self.machine
        target = f"\\\\{self.machine}\\{self.namespace}"
        return sync.connect(target, **log_on(self._options, host))

    def query(self, text: str, flags: int = 0, report: Report | None = None) -> tuple[Any, Iterator[Batch]]:
        """The plan of a query (its syntax tree where it has none: schema queries) and its objects as they come."""
        plan = self.plan(text, flags)
        return plan, self._counted(self._run("query", text, flags, report))

    def plan(self, text: str, flags: int = 0) -> Any:
        """The plan that `query` runs."""
        from openwmi import wql

        self._doing = "the query was not started"
        self._open()
        try:
            query = wql.parse(text)
            self.subject = query.class_name.text if isinstance(query, wql.Select) else None
            self._doing = "the query was understood, but not started"
            return self._service.plan(text, flags) if isinstance(query, wql.Select) else query
        except WbemError as error:
            raise self.failed(error) from error

    def get(self, path: str, *, amended: bool = False) -> Instance | Class:
        """The class or the instance of a path; `amended`: a class with its descriptions."""
        self._doing = "no object came"
        found: Instance | Class = self._run("get", path, USE_AMENDED_QUALIFIERS if amended else 0)
        self._doing = "the class was found" if isinstance(found, Class) else "the object was found"
        return found

    def call(self, path: str, method: str, parameters: Mapping[str, object] | None) -> Instance | None:
        """Run a method; its out-parameters."""
        self._doing = "the method did not run to its end"
        result: Instance | None = self._run("call", path, method, parameters)
        return result

    def put(self, instance: Instance, flags: int) -> str:
        """Store an instance; its relative path, which a key made up for it is part of (model.md A-262)."""
        from openwmi.contract.operations import PutInstance

        self._doing = "nothing was stored"
        path: str = self._run("write", PutInstance(instance), flags)
        return path

    def delete(self, path: ObjectPath) -> None:
        """Remove an instance, or a class with all that is below it."""
        from openwmi.contract.operations import DeleteClass, DeleteInstance

        self._doing = "nothing was deleted"
        name = path.relative()
        self._run("write", DeleteInstance(name) if path.is_instance else DeleteClass(name))

    def classes(self, superclass: str | None = None, *, deep: bool = True) -> Iterator[Batch]:
        """The classes below one, or all; direct children only unless deep."""
        self._doing = "no class came"
        return self._counted(self._run("classes", superclass, deep=deep))

    def class_names(self) -> list[str]:
        """The names of all classes, for suggestions; none where the classes cannot be read."""
        try:
            return [one.name for batch in self._run("classes") for one in batch]
        except (Failed, WbemError):
            return []

    @property
    def status(self) -> int:
        """The success status of the last operation: 0, or WBEM_S_PARTIAL_RESULTS."""
        return int(self._service.status) if self._service is not None else 0

    def failed(self, error: WbemError) -> Failed:
        """An error with what this session knows about it."""
        return Failed(error, self)

    def _open(self) -> Any:
        if self._service is None:
            try:
                self._service = self._opened()
            except WbemError as failure:
                raise self.failed(failure) from failure
        return self._service

    def _opened(self) -> Any:
        if self.machine is not None:
            from openwmi.cli.elsewhere import Elsewhere

            wmi = self.connected()
            _CONNECTIONS.append(wmi)
            return Elsewhere(wmi)
        if self._credentials:
            raise error(WBEM_E_LOCAL_CREDENTIALS, "a connection to this machine takes no credentials")
        if getattr(self._options, "trace", None):
            raise Misuse("--trace is about another machine: name one with -H HOST")
        from openwmi.host import local

        return local().one_shot(self.namespace)

    def _run(self, verb: str, *arguments: object, **options: object) -> Any:
        service = self._open()
        try:
            return getattr(service, verb)(*arguments, **options)
        except WbemError as error:
            raise self.failed(error) from error

    def _counted(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """The batches, counted; a WBEM error on the way becomes `Failed`. Closing this ends the call at its source."""
        self._doing = "no row came"
        try:
            for batch in batches:
                yield batch
                self.rows += len(batch)
                self._doing = f"{self.rows} row{'s' if self.rows != 1 else ''} came before"
        except WbemError as error:
            raise self.failed(error) from error
        finally:
            close = getattr(batches, "close", None)
            if close is not None:
                close()
