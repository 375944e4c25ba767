"""Raising events on another machine: the sink that QueryObjectSink gives, reached over the wire (calls.md B98, B99)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openwmi.model.status import WBEM_S_NO_ERROR, failed
from openwmi.remote.client.failures import as_told
from openwmi.remote.client.hearing import explanation
from openwmi.wire.wmi import results
from openwmi.wire.wmi.guids import IWbemObjectSink
from openwmi.wire.wmi.reports import ASK
from openwmi.wire.wmi.services import EVENT_SINK
from openwmi.wire.wmi.types import reference_to

if TYPE_CHECKING:
    from openwmi.contract.outcome import Outcome, Progress
    from openwmi.model.batches import Batch
    from openwmi.remote.outbound.references import Proxy


class RemoteEventSink:
    """Takes events; each batch is one Indicate, whose HRESULT comes back."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy

    async def on_objects(self, batch: Batch) -> int:
        objects = tuple(reference_to(one) for one in batch)
        if not objects:
            return WBEM_S_NO_ERROR
        answer = await self._proxy.call(results.INDICATE, results.Indicate(objects))
        return int(answer.result)

    def on_progress(self, progress: Progress) -> int:
        """Event sinks take no status (C27)."""
        return WBEM_S_NO_ERROR

    def on_completed(self, outcome: Outcome) -> int:
        """Event sinks take no status (C27)."""
        return WBEM_S_NO_ERROR

    async def release(self) -> None:
        """Let the sink go."""
        await self._proxy.release()


async def event_sink(services: Proxy) -> RemoteEventSink:
    """QueryObjectSink."""
    that, answer = await services.exchange(EVENT_SINK, EVENT_SINK.request.members.holds(flags=0), ASK)
    if failed(answer.result):
        wrong = as_told(answer.result, explanation(that))
        wrong.operation = "QueryObjectSink"
        raise wrong
    return RemoteEventSink(services.exporter.adopt(answer.sink, IWbemObjectSink))
