"""The seam: a connection to one namespace, the sink a call delivers into, and the call itself (DESIGN.md section 1).

The embedded service and the remote proxy implement :class:`Services`; every face, the DCOM server and the tests only
use it. Enumerators, call results and synchronous calls are views above it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable, Generator

    from openwmi.contract.caller import Caller
    from openwmi.contract.context import Context
    from openwmi.contract.operations import AnyOperation
    from openwmi.contract.outcome import Outcome, Progress
    from openwmi.model.batches import Batch


class Sink(Protocol):
    """What a call delivers into; called one at a time per call, in order, never after the outcome (calls.md C.1).

    A method may return None, an HRESULT (a failing one ends the call, C5), an awaitable or a Future of these;
    raising counts as failing. A Future of another thread is cancelled together with the call, which has no effect
    on a callback that runs; so it must be set running when the callback begins, and not begun once cancelled (D5).
    Optional attributes: ``identity`` (what cancel compares, by `is`; the sink itself when absent), ``credit`` (the
    sink is a buffer of ours: batches come only while credit, counted in objects, lasts, it is renewed by
    ``call.grant(n)``, and no 30 s timer runs), ``on_released()`` (called exactly once, after everything).
    """

    def on_objects(self, batch: Batch) -> object: ...

    def on_progress(self, progress: Progress) -> object: ...

    def on_completed(self, outcome: Outcome) -> object: ...


class Call(Protocol):
    """An accepted operation. Lives on the loop of its Services."""

    @property
    def done(self) -> bool: ...

    async def cancel(self) -> None:
        """End this call as CancelAsyncCall would, and no other one of the same sink. Harmless when already done."""

    def grant(self, count: int) -> None:
        """Allow `count` more objects to a sink that works by credit."""

    async def begun(self) -> None:
        """Wait until a subscription is in force: what happens from now on is heard, with polling too, whose first
        reading is through (B88). Returns at once for any other operation, and when the call has ended instead."""

    def add_done_callback(self, callback: Callable[[Outcome], object]) -> None:
        """Call back on the loop once the sink has been released; at once when it already has."""

    def __await__(self) -> Generator[object, None, Outcome]: ...


class Services(Protocol):
    """IWbemServices: one namespace, one caller."""

    @property
    def namespace(self) -> str: ...

    @property
    def server(self) -> str: ...

    @property
    def caller(self) -> Caller: ...

    @property
    def loop(self) -> AbstractEventLoop: ...

    async def start(
        self, operation: AnyOperation, sink: Sink, flags: int = 0, context: Context | None = None
    ) -> Call:
        """Accept or refuse an operation; never waits for a result (B16, B17). Raises WbemError when refused: the sink
        is then neither called nor kept."""

    async def cancel(self, sink: object, *, inside: bool = False) -> None:
        """CancelAsyncCall: every pending call of this principal and sink (D1, D13). `inside`: the caller is in a
        callback, so nothing is waited for (D14). NULL: INVALID_PARAMETER; unknown: NOT_FOUND (D2, D3)."""

    async def open(self, namespace: str) -> Services:
        """OpenNamespace: a namespace below this one (A38)."""

    async def event_sink(self) -> object:
        """QueryObjectSink: a sink that takes extrinsic events (B98, B99)."""

    async def close(self) -> None:
        """Release the connection; its subscriptions end (B89)."""
