"""The one question about an association that may be open at a time: a bind or an alter_context, and its deadline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from openwmi.wire.rpc import events


class Question:
    """Asked with `begin`; several may wait for the answer, and it goes on when they leave. late: told the phase when
    its time is up."""

    __slots__ = ("_answer", "_late", "_loop", "_phase", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop, late: Callable[[str], object]) -> None:
        self._loop = loop
        self._late = late
        self._phase: str | None = None
        self._answer: asyncio.Future[events.Bound] | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def phase(self) -> str | None:
        """What is asked; None when nothing is."""
        return self._phase

    @property
    def answer(self) -> asyncio.Future[events.Bound] | None:
        """What is still to come."""
        return self._answer

    def begin(self, phase: str, seconds: float) -> asyncio.Future[events.Bound]:
        answer = unheard(self._loop)
        self._phase, self._answer = phase, answer
        self._timer = self._loop.call_later(seconds, self._late, phase)
        return answer

    def answered(self, event: events.Bound) -> None:
        answer = self._taken()
        if answer is not None:
            answer.set_result(event)

    def failed(self, reason: BaseException) -> None:
        answer = self._taken()
        if answer is not None:
            answer.set_exception(reason)

    def _taken(self) -> asyncio.Future[events.Bound] | None:
        """The answer that is due; it is asked no more."""
        answer, timer = self._answer, self._timer
        self._phase = self._answer = self._timer = None
        if timer is not None:
            timer.cancel()
        return None if answer is None or answer.done() else answer


def unheard(loop: asyncio.AbstractEventLoop) -> asyncio.Future[events.Bound]:
    """A future whose failure is no complaint of the loop's when nobody waits for it any more."""
    answer: asyncio.Future[events.Bound] = loop.create_future()
    answer.add_done_callback(_seen)
    return answer


def _seen(answer: asyncio.Future[Any]) -> None:
    if not answer.cancelled():
        answer.exception()
