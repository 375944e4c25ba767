"""Carrying out one operation without an event loop: the command line's path to its first row.

The same segments that the service feeds into sinks are read here on the calling thread, so that a local query needs
neither a loop nor a thread. An asynchronous provider gets a loop for its own segment only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openwmi.contract import operations as ops
from openwmi.model.batches import Rows
from openwmi.model.status import WBEM_S_PARTIAL_RESULTS
from openwmi.service.execute import planned, segments
from openwmi.service.execution import Execution
from openwmi.service.faults import as_fault, extended_status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from openwmi.contract.caller import Caller
    from openwmi.model.batches import Batch
    from openwmi.model.classes import Class
    from openwmi.model.errors import WbemError
    from openwmi.model.instances import Instance
    from openwmi.service.feed import Segment
    from openwmi.service.namespaces import Namespace
    from openwmi.wql.plan import Plan


class OneShot:
    """One namespace of this machine for one caller. `status` is the success status of the last operation read."""

    def __init__(self, space: Namespace, caller: Caller) -> None:
        self.space = space
        self.caller = caller
        self.status = 0

    @property
    def namespace(self) -> str:
        return self.space.path

    @property
    def server(self) -> str:
        return self.space.server

    def start(
        self,
        operation: ops.AnyOperation,
        flags: int = 0,
        report: Callable[[int, int, str | None], None] | None = None,
    ) -> Iterator[Batch]:
        """The operation's objects, batch by batch, as soon as they are there; WbemError when it fails."""
        return self._read(self._execution(operation, flags, report), operation)

    def write(self, operation: ops.AnyOperation, flags: int = 0) -> str | None:
        """Carry out a put or a delete; the relative path of what was put."""
        execution = self._execution(operation, flags)
        for _ in self._read(execution, operation):
            pass
        return execution.text

    def query(
        self,
        text: str,
        flags: int = 0,
        report: Callable[[int, int, str | None], None] | None = None,
    ) -> Iterator[Batch]:
        """A query's objects."""
        return self.start(ops.ExecQuery(text), flags, report)

    def plan(self, text: str, flags: int = 0) -> Plan:
        """The plan of a data query: what would run, which prints itself."""
        return planned(self.space, text, flags)

    def get(self, path: str, flags: int = 0) -> Instance | Class:
        """One object by its path."""
        found: Instance | Class = self._one(ops.GetObject(path), flags)
        return found

    def call(self, path: str, method: str, params: Any = None) -> Instance | None:
        """Run a method: its out-parameters, or None when it has none."""
        for batch in self.start(ops.ExecMethod(path, method, params)):
            found: Instance = batch[0]  # type: ignore[assignment]
            return found
        return None

    def classes(self, superclass: str | None = None, *, deep: bool = True) -> Iterator[Batch]:
        """The subclasses of a class, or all classes."""
        return self.start(ops.CreateClassEnum(superclass), 0 if deep else 1)

    def _execution(
        self,
        operation: ops.AnyOperation,
        flags: int,
        report: Callable[[int, int, str | None], None] | None = None,
    ) -> Execution:
        ops.checked_arguments(operation)
        flags = ops.checked_flags(operation, flags, "async")
        self.space.namespaces.refresh()
        return Execution(self.space, self.caller, flags=flags, report=report)

    def _one(self, operation: ops.AnyOperation, flags: int) -> Any:
        return next(iter(self.start(operation, flags)))[0]

    def _read(self, execution: Execution, operation: ops.AnyOperation) -> Iterator[Batch]:
        """Read segment after segment; a failing one among several does not keep the others from being read (D-54)."""
        self.status = 0
        failures: list[BaseException] = []
        tried = delivered = 0
        try:
            for segment in segments(execution, operation):
                tried += 1
                try:
                    for row in _rows(segment):
                        delivered += 1
                        yield [row] if segment.layout is None else Rows(segment.layout, [row])
                except Exception as failure:  # noqa: BLE001 - a provider may raise anything
                    failures.append(segment.failure(failure))
                finally:
                    if segment.request is not None:
                        segment.request.cancel()
            if failures:
                if tried > 1 and delivered:
                    self.status = WBEM_S_PARTIAL_RESULTS
                else:
                    raise failures[0]
        except Exception as failure:  # noqa: BLE001 - a provider may raise anything
            raise self._explained(failures[0] if failures else failure, operation) from None

    def _explained(self, failure: BaseException, operation: ops.AnyOperation) -> WbemError:
        fault = as_fault(failure)
        fault.operation = fault.operation or ops.described(operation).method
        fault.parameter = fault.parameter or ops.parameter_info(operation)
        fault.namespace = fault.namespace or self.namespace
        if fault.extended is None:
            fault.extended = extended_status(fault, operation, self.space.schema)
        return fault


def _rows(segment: Segment) -> Iterator[Any]:
    answer = segment.open()
    if hasattr(answer, "__aiter__") or hasattr(answer, "__await__"):
        answer = _gathered(answer)
    return iter(segment.filtered(answer))


def _gathered(answer: Any) -> list[Any]:
    """The rows of an asynchronous provider."""
    import asyncio

    async def read() -> list[Any]:
        if hasattr(answer, "__aiter__"):
            return [row async for row in answer]
        return list(await answer)

    return asyncio.run(read())
