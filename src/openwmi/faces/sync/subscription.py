# Written from openwmi/faces/aio/subscription.py by tools/generate_sync.py: change that one.
"""Events as they happen: what `subscribe` gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from openwmi.contract.operations import ExecNotificationQuery
from openwmi.faces.options import chosen
from openwmi.faces.sync.objects import Objects
from openwmi.model.errors import error
from openwmi.model.status import WBEM_E_INVALID_PARAMETER, WBEM_E_NOT_SUPPORTED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openwmi.faces.options import Overflow
    from openwmi.faces.session import Session
    from openwmi.model.instances import Instance


class Subscription:
    """A subscription to be opened with `with`. No service serves events yet: opening it raises what the service
    finds wrong with the query, else NotSupported."""

    def __init__(
        self, session: Session, query: str, *, max_queue: int, overflow: Overflow, **options: Any
    ) -> None:
        chosen("overflow", overflow)
        if not isinstance(max_queue, int) or max_queue < 1:
            raise error(
                WBEM_E_INVALID_PARAMETER,
                f"max_queue is a number of events, not {max_queue!r}",
                parameter="max_queue",
            )
        self.query = query
        self.lost = 0
        self._events: Objects[Instance] = Objects(session, ExecNotificationQuery(query), **options)

    def __enter__(self) -> Subscription:
        self._refused()

    def __exit__(self, *exception: object) -> None:
        """There is nothing to end."""

    def __iter__(self) -> Iterator[Instance]:
        return self

    def __next__(self) -> Instance:
        self._refused()

    def _refused(self) -> NoReturn:
        self._events.first()
        raise error(
            WBEM_E_NOT_SUPPORTED, "event subscriptions are not part of this version", parameter=self.query
        )
