"""Compiling: a MOF text put, object by object, into the namespaces of a service (C-18 to C-26).

The text is parsed whole before anything is stored; then objects are put one after the other, and the first that is
refused ends the run. What was put before stays (C-24).
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from openwmi.model import status as s
from openwmi.model.classes import ClassDeclaration
from openwmi.model.errors import MofError, WbemError, error
from openwmi.mof.encoding import decode
from openwmi.mof.parser import parse
from openwmi.mof.pragmas import DeleteClass, DeleteInstance
from openwmi.mof.resolution import Resolution
from openwmi.mof.syntax import ClassNode, InstanceNode

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from openwmi.contract.operations import AnyOperation
    from openwmi.contract.outcome import Outcome, Progress
    from openwmi.contract.services import Services
    from openwmi.model.batches import Batch
    from openwmi.model.classes import Class
    from openwmi.mof.parser import Include
    from openwmi.mof.resolution import Step
    from openwmi.mof.syntax import Directive

    Open = Callable[[str], Awaitable[Services]]

_ABSENT = frozenset((s.WBEM_E_NOT_FOUND, s.WBEM_E_INVALID_CLASS))


class Compiled(NamedTuple):
    """What a run did. autorecover: the text asked to be in the recovery list (C-21)."""

    classes: int
    instances: int
    deletions: int
    autorecover: bool


class _Missing(Exception):
    """The step needs this class of the store."""

    def __init__(self, namespace: str, name: str) -> None:
        self.namespace = namespace
        self.name = name


class _Collected:
    """A sink that keeps what a call delivers."""

    __slots__ = ("objects",)

    def __init__(self) -> None:
        self.objects: list[object] = []

    def on_objects(self, batch: Batch) -> None:
        self.objects.extend(batch)

    def on_progress(self, progress: Progress) -> None:
        """Nobody waits for progress here."""

    def on_completed(self, outcome: Outcome) -> None:
        """The awaited call gives the outcome."""


class _Store:
    """The namespaces a run touches, and the classes it has asked them for."""

    __slots__ = ("_classes", "_first", "_open", "_opened")

    def __init__(self, services: Services, open_: Open | None) -> None:
        self._first = services
        self._open = open_
        self._opened: dict[str, Services] = {services.namespace.lower(): services}
        self._classes: dict[tuple[str, str], Class | None] = {}

    async def services(self, namespace: str) -> Services:
        found = self._opened.get(namespace.lower())
        if found is None:
            elsewhere = self._open or getattr(self._first, "sibling", None)
            below = self._first.namespace.lower() + "\\"
            if elsewhere is not None:
                found = await elsewhere(namespace)
            elif namespace.lower().startswith(below):
                found = await self._first.open(namespace[len(below) :])
            else:
                message = (
                    f"{namespace} is not below {self._first.namespace}, and no `open` was passed to reach it"
                )
                raise error(s.WBEM_E_INVALID_NAMESPACE, message, namespace=namespace)
            self._opened[namespace.lower()] = found
        return found

    def find(self, namespace: str, name: str) -> Class | None:
        try:
            return self._classes[namespace.lower(), name.lower()]
        except KeyError:
            raise _Missing(namespace, name) from None

    async def fetch(self, namespace: str, name: str) -> None:
        """Ask the store for a class; what it does not have is remembered as None."""
        from openwmi.contract.operations import GetObject

        sink = _Collected()
        outcome = await self.run(namespace, GetObject(name), sink)
        if not outcome.ok and outcome.status not in _ABSENT:
            outcome.raise_()
        found = sink.objects[0] if outcome.ok and sink.objects else None
        self._classes[namespace.lower(), name.lower()] = found  # type: ignore[assignment]

    def forget(self) -> None:
        """What was asked for may have changed."""
        self._classes.clear()

    async def run(
        self, namespace: str, operation: AnyOperation, sink: _Collected | None = None, flags: int = 0
    ) -> Outcome:
        """Start an operation and wait for its outcome; a refusal becomes an outcome too."""
        from openwmi.contract.outcome import Outcome

        services = await self.services(namespace)
        try:
            call = await services.start(operation, sink or _Collected(), flags)
        except WbemError as refused:
            return Outcome(refused.code, None, refused.extended)
        return await call

    async def close(self) -> None:
        for services in self._opened.values():
            if services is not self._first:
                await services.close()


def compile(
    text: str | bytes,
    services: Any,
    *,
    file: str = "<text>",
    include: Include | None = None,
    class_flags: int = 0,
    instance_flags: int = 0,
    open: Open | None = None,
) -> Any:
    """Put every class and instance of a MOF text. `await` it, on any asyncio loop; with a connection of the
    synchronous face it returns when it is done. The result is a Compiled.

    services: the namespace for what stands before the first `#pragma namespace`, or a connection to it; other
    namespaces are opened by `open(namespace)`, called on the loop of `services`, or below this one by
    `services.open`. Raises MofError with file, line and column: a syntax error before anything is stored, or the error
    with which the service refused an object (INVALID_SUPERCLASS for a missing superclass, A-081). Flags are those of
    PutClass and PutInstance; pragmas override them.
    """
    blocking = getattr(services, "blocking", False)
    seam: Services = getattr(
        services, "services", services
    )  # a connection of the Python faces stands for its own

    async def work() -> Compiled:
        directives = parse(decode(text) if isinstance(text, bytes) else text, file=file, include=include)
        return await _compiled(directives, seam, _Store(seam, open), class_flags, instance_flags)

    # Whoever has services has loops, and so asyncio; this room itself is without it.
    asyncio = sys.modules["asyncio"]
    if blocking:
        from openwmi.threads import outcome

        future = asyncio.run_coroutine_threadsafe(work(), seam.loop)
        try:
            return outcome(future)
        except BaseException:
            future.cancel()
            raise

    async def anywhere() -> Any:
        if asyncio.get_running_loop() is seam.loop:
            return await work()
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work(), seam.loop))

    return anywhere()


async def _compiled(
    directives: list[Directive], services: Services, store: _Store, class_flags: int, instance_flags: int
) -> Compiled:
    resolution = Resolution(
        directives,
        store.find,
        namespace=services.namespace,
        server=services.server,
        class_flags=class_flags,
        instance_flags=instance_flags,
    )
    counts = [0, 0, 0]
    try:
        for node in directives:
            step = await _step(resolution, store, node)
            if step is None:
                continue
            try:
                counts[await _perform(resolution, store, node, step)] += 1
            except MofError:
                raise
            except WbemError as reason:
                raise node.error(reason.code, reason.message) from reason
    finally:
        await store.close()
    return Compiled(counts[0], counts[1], counts[2], resolution.autorecover)


async def _step(resolution: Resolution, store: _Store, node: Directive) -> Step | None:
    """Resolve a directive, fetching the classes it turns out to need."""
    while True:
        try:
            return resolution.step(node)
        except _Missing as missing:
            try:
                await store.fetch(missing.namespace, missing.name)
            except WbemError as reason:
                raise node.error(reason.code, reason.message) from reason


async def _class(resolution: Resolution, store: _Store, node: ClassNode, namespace: str) -> Class:
    """The declared class with what it inherits from the store's superclass."""
    while True:
        try:
            found = resolution.class_of(node, namespace, node.name)
        except _Missing as missing:
            await store.fetch(missing.namespace, missing.name)
            continue
        if found is None:
            message = f"the superclass {node.superclass} of {node.name} does not exist in {namespace}"
            raise node.error(s.WBEM_E_INVALID_SUPERCLASS, message)
        return found


async def _perform(resolution: Resolution, store: _Store, node: Directive, step: Step) -> int:
    """Do one step; 0 a class, 1 an instance, 2 a deletion."""
    from openwmi.contract.operations import DeleteClass as DeleteClassOperation
    from openwmi.contract.operations import DeleteInstance as DeleteInstanceOperation
    from openwmi.contract.operations import PutClass, PutInstance

    namespace, flags, item = step
    if isinstance(item, DeleteClass | DeleteInstance):
        operation: AnyOperation
        if isinstance(item, DeleteClass):
            operation = DeleteClassOperation(item.name)
        else:
            operation = DeleteInstanceOperation(item.path)
        outcome = await store.run(namespace, operation)
        if item.must_exist or outcome.status not in _ABSENT:
            outcome.raise_()
        store.forget()
        return 2
    if isinstance(item, ClassDeclaration):
        assert isinstance(node, ClassNode)
        operation = PutClass(await _class(resolution, store, node, namespace))
        kind = 0
    else:
        assert isinstance(node, InstanceNode)
        operation = PutInstance(item)
        kind = 1
    outcome = await store.run(namespace, operation, flags=flags)
    outcome.raise_()
    if kind == 0:
        store.forget()
    else:
        resolution.stored(node, _full_path(outcome.text, namespace, resolution.server))
    return kind


def _full_path(stored: str | None, namespace: str, server: str | None) -> str | None:
    """The path a put has returned, with server and namespace."""
    if not stored or stored.startswith("\\\\"):
        return stored
    return f"\\\\{server or '.'}\\{namespace}:{stored}"
