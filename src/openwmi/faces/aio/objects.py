"""Lazy results: nothing is sent until they are read, and leaving the reading early cancels it at its source."""

from __future__ import annotations

from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from openwmi.contract.flags import WBEM_FLAG_SEND_STATUS
from openwmi.contract.operations import ExecQuery
from openwmi.contract.outcome import Outcome
from openwmi.faces.aio.bridge import Gate, hop
from openwmi.faces.options import patience
from openwmi.faces.session import as_context
from openwmi.faces.syntax import located
from openwmi.faces.views.buffer import Buffer
from openwmi.faces.views.limits import WINDOW
from openwmi.model.errors import error
from openwmi.model.instances import Instance
from openwmi.model.status import (
    WBEM_E_AMBIGUOUS_OPERATION,
    WBEM_E_INVALID_PARAMETER,
    WBEM_E_NOT_FOUND,
    WBEM_E_NOT_SUPPORTED,
    WBEM_E_TIMED_OUT,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from openwmi.contract.context import Context
    from openwmi.contract.operations import AnyOperation
    from openwmi.faces.session import Session

T = TypeVar("T")
_END: Final[Any] = object()


class Reading(Generic[T]):
    """One pass over the objects of a call, which starts with the first step. It ends at its source when this is left:
    by `break`, by an exception, by cancelling the task, by `aclose`, or by dropping it."""

    def __init__(
        self,
        session: Session,
        operation: AnyOperation,
        flags: int,
        context: Context | None,
        *,
        timeout: float | None,
        deadline: float | None,
        window: int = WINDOW,
    ) -> None:
        self._gate = Gate()
        # Progress is asked for as a sign of life: `timeout` means silence.
        self._buffer = Buffer(
            session,
            operation,
            flags | WBEM_FLAG_SEND_STATUS,
            context,
            deadline=deadline,
            window=window,
            wake=self._gate.wake,
        )
        self._query = operation.query if isinstance(operation, ExecQuery) else None
        self._timeout = timeout
        self._items: Iterator[T] = iter(())
        self._over = False

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        while (item := next(self._items, _END)) is _END:
            if not await self._more():
                raise StopAsyncIteration
        return item

    async def several(self, count: int) -> list[T]:
        """The next `count` objects; fewer, or none, only at the end."""
        found = list(islice(self._items, count))
        while len(found) < count and await self._more():
            found.extend(islice(self._items, count - len(found)))
        return found

    async def rest(self) -> list[T]:
        """All objects that have not been read."""
        found = list(self._items)
        while await self._more():
            found.extend(self._items)
        return found

    @property
    def outcome(self) -> Outcome:
        """How the call ended, once everything has been read."""
        return self._buffer.outcome or Outcome()

    async def aclose(self) -> None:
        """Leave: nothing more is produced."""
        self._leave()

    def __del__(self) -> None:
        if hasattr(self, "_over"):  # construction may have failed
            self._leave()

    def _leave(self) -> None:
        self._over = True
        self._items = iter(())
        self._buffer.leave()

    async def _more(self) -> bool:
        """Get what has come, waiting where nothing has; False at the end. Raises the failure of the call."""
        if self._over:
            return False
        try:
            return await self._filled()
        except BaseException:
            self._leave()
            raise

    async def _filled(self) -> bool:
        buffer = self._buffer
        buffer.begin()
        while True:
            ended = buffer.ended  # looked at first: what came before the end is there by then
            batches: list[Any] = buffer.take()
            if batches:
                self._items = chain.from_iterable(batches)
                return True
            if ended:
                self._over = True
                failure = buffer.failure()
                if failure is None:
                    return False
                raise failure if self._query is None else located(failure, self._query)
            if not await self._gate.wait(self._timeout):
                raise error(WBEM_E_TIMED_OUT, f"nothing was heard for {self._timeout:g} s")


class Batches(Generic[T]):
    """A reading in lists of one size; the last may be shorter."""

    def __init__(self, reading: Reading[T], size: int) -> None:
        self._reading = reading
        self._size = size

    def __aiter__(self) -> AsyncIterator[list[T]]:
        return self

    async def __anext__(self) -> list[T]:
        found = await self._reading.several(self._size)
        if not found:
            raise StopAsyncIteration
        return found

    async def aclose(self) -> None:
        """Leave: nothing more is produced."""
        await self._reading.aclose()


class Objects(Generic[T]):
    """The objects of a call. Each way of reading them runs the call anew.

    timeout: the longest silence of one step, in seconds; deadline: the longest that the whole may take. Both end the
    call at its source and raise TimedOut.
    """

    def __init__(
        self,
        session: Session,
        operation: AnyOperation,
        *,
        flags: int = 0,
        context: Mapping[str, object] | Context | None = None,
        timeout: float | None = None,
        deadline: float | None = None,
    ) -> None:
        patience("deadline", deadline)
        patience("timeout", timeout)
        self._session = session
        self._operation = operation
        self._flags = flags
        self._context = as_context(context)
        self._timeout = timeout
        self._deadline = deadline

    def reading(self, window: int = WINDOW) -> Reading[T]:
        """One pass over the objects; `window`: how many the service may be ahead."""
        return Reading(
            self._session,
            self._operation,
            self._flags,
            self._context,
            timeout=self._timeout,
            deadline=self._deadline,
            window=window,
        )

    def __aiter__(self) -> Reading[T]:
        return self.reading()

    async def fetch_all(self) -> list[T]:
        """All objects."""
        return await self.reading().rest()

    async def first(self) -> T | None:
        """The first object, or None; the rest is not asked for."""
        reading = self.reading(1)
        found = await reading.several(1)
        await reading.aclose()
        return found[0] if found else None

    async def one(self) -> T:
        """The only object; NotFound when there is none, AmbiguousOperation when there are more."""
        reading = self.reading(2)
        found = await reading.several(2)
        await reading.aclose()
        if not found:
            raise error(WBEM_E_NOT_FOUND, f"{self._operation!r} gives no object")
        if len(found) > 1:
            raise error(WBEM_E_AMBIGUOUS_OPERATION, f"{self._operation!r} gives more than one object")
        return found[0]

    def batches(self, size: int) -> Batches[T]:
        """The objects in lists of `size`, the last one shorter. A list comes when it is full; `async for` over the
        objects themselves never waits for a second one."""
        if not isinstance(size, int) or size < 1:
            raise error(
                WBEM_E_INVALID_PARAMETER, f"a batch has at least one object, not {size!r}", parameter="size"
            )
        return Batches(self.reading(max(WINDOW, size)), size)


class Query(Objects[Instance]):
    """A query's objects. A schema query gives classes, which the types do not know."""

    def __init__(self, session: Session, text: str, **options: Any) -> None:
        super().__init__(session, ExecQuery(text), **options)
        self.text = text

    async def explain(self) -> str:
        """The plan that would run, as text: classes, providers, columns, what is left to filter."""
        explain = getattr(self._session.services, "explain", None)
        if explain is None:
            raise error(WBEM_E_NOT_SUPPORTED, "only this machine's service explains its plans")
        plan: str = await hop(self._session.loop, explain, self.text, self._flags)
        return plan
