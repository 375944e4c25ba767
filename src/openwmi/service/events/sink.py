"""The sink that QueryObjectSink gives: programs raise extrinsic events with it (calls.md B98-B100)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openwmi.model.errors import WbemError
from openwmi.model.instances import Instance
from openwmi.model.status import WBEM_E_INVALID_OBJECT, WBEM_S_NO_ERROR
from openwmi.service.events.plan import Event, check_extrinsic

if TYPE_CHECKING:
    from openwmi.contract.outcome import Outcome, Progress
    from openwmi.model.batches import Batch
    from openwmi.service.events.exchange import Exchange
    from openwmi.service.namespaces import Namespace


class EventSink:
    """Takes events on the service's loop. Each goes to the subscriptions it matches; the sink keeps none."""

    __slots__ = ("_exchange", "_space")

    def __init__(self, exchange: Exchange, space: Namespace) -> None:
        self._exchange = exchange
        self._space = space

    def on_objects(self, batch: Batch) -> int:
        """Raise every event of a batch; the first that is none is the HRESULT, and nothing of it is raised."""
        events = []
        for one in batch:
            if not isinstance(one, Instance):
                return WBEM_E_INVALID_OBJECT
            try:
                class_ = self._space.schema.class_named(one.classname_)
                check_extrinsic(self._space, class_)
            except WbemError as reason:
                return reason.code
            index = one.layout_.index
            values = [one.values_[index[name]] if name in index else None for name in class_.layout.index]
            events.append(Event(class_, tuple(values)))
        for event in events:
            self._exchange.raise_event(self._space.path, event)
        return WBEM_S_NO_ERROR

    def on_progress(self, progress: Progress) -> int:
        """Event sinks take no status (C27)."""
        return WBEM_S_NO_ERROR

    def on_completed(self, outcome: Outcome) -> int:
        """Event sinks take no status (C27)."""
        return WBEM_S_NO_ERROR
