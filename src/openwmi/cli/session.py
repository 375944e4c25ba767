"""The connection of a command line to this machine's WMI: opened when first needed, and it remembers how far it came."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openwmi.cli.options import DEFAULT_NAMESPACE, Misuse
from openwmi.model.errors import WbemError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from openwmi.model.batches import Batch
    from openwmi.model.classes import Class
    from openwmi.model.instances import Instance


class Failed(Exception):
    """A WMI error as it happened to a session, which knows how far things had come."""

    def __init__(self, error: WbemError, session: Session) -> None:
        super().__init__(str(error))
        self.error = error
        self.session = session


class Session:
    """One namespace of this machine. What its methods raise is `Failed`, `Misuse` or a fault of the program.

    subject: the class that the command is about, once known; rows: objects delivered so far.
    """

    def __init__(self, namespace: str = DEFAULT_NAMESPACE) -> None:
        self.namespace = namespace.replace("/", "\\")
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
        if self._service is None:
            return f"this machine; namespace {self.namespace} was not opened"
        return f"this machine, namespace {self.namespace}; {self._doing}"

    def query(self, text: str, flags: int = 0) -> tuple[Any, Iterator[Batch]]:
        """The plan of a query and its objects as they come."""
        self._doing = "the query was not started"
        plan, batches = self._run("query", text, flags)
        return plan, self._counted(batches)

    def plan(self, text: str) -> Any:
        """The plan that `query` would run."""
        self._doing = "the query was not started"
        return self._run("query", text, 0)[0]

    def get(self, path: str) -> Instance | Class:
        """The class or the instance of a path."""
        self._doing = "no object came"
        found: Instance | Class = self._run("get", path)
        self.rows += 1
        return found

    def call(self, path: str, method: str, parameters: Mapping[str, object] | Instance | None) -> Instance:
        """Run a method; its out-parameters."""
        self._doing = "the method did not run to its end"
        result: Instance = self._run("call", path, method, parameters)
        return result

    def classes(self, superclass: str | None = None, *, deep: bool = True) -> Iterator[Class]:
        """The classes below one, or all; direct children only unless deep."""
        self._doing = "no class came"
        found: Iterable[Class] = self._run("classes", superclass, deep=deep)
        yield from self._each(found)

    def _open(self) -> Any:
        if self._service is None:
            if self.namespace.startswith("\\\\") and not self.namespace.startswith("\\\\.\\"):
                raise Misuse("other hosts are not there yet: this version asks the machine it runs on")
            from openwmi.host import local

            self._service = local().one_shot(self.namespace)
        return self._service

    def _run(self, verb: str, *arguments: object, **options: object) -> Any:
        try:
            return getattr(self._open(), verb)(*arguments, **options)
        except WbemError as error:
            raise Failed(error, self) from error

    def _counted(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        self._doing = "no row came"
        for batch in self._each(batches):
            yield batch
            self.rows += len(batch)
            self._doing = f"{self.rows} row{'s' if self.rows != 1 else ''} came before"

    def _each(self, items: Iterable[Any]) -> Iterator[Any]:
        """The items; a WMI error on the way becomes `Failed`. Leaving early ends the call at its source."""
        try:
            yield from items
        except WbemError as error:
            raise Failed(error, self) from error
