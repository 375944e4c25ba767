"""What an EventQueryList says that a provider raises: from its queries to coverages (F-27)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openwmi import wql
from openwmi.contract.provider import EventCoverage
from openwmi.model.errors import error
from openwmi.model.status import WBEM_E_INVALID_QUERY
from openwmi.wql.syntax import And, Isa, Or

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from openwmi.wql.syntax import Node

_TARGET = "targetinstance"


def coverages(queries: Iterable[str]) -> tuple[EventCoverage, ...]:
    """A coverage for each event class, and each class whose instances it is about. UNPARSABLE_QUERY for what is none.

    `select * from __InstanceCreationEvent where TargetInstance isa "X"` covers all instances of X, since a provider
    must raise events about all or none (F-27): with more in WHERE it does not say so, and is INVALID_QUERY. Without
    TargetInstance a query covers its event class, whatever else it tests.
    """
    found: dict[EventCoverage, None] = {}
    for text in queries:
        select = wql.parse_event(text)
        targets: list[str | None] = list(_targets(select.where, text)) or [None]
        found.update(dict.fromkeys(EventCoverage(select.class_name.text, one) for one in targets))
    return tuple(found)


def _targets(where: Node | None, text: str) -> Iterator[str]:
    if isinstance(where, Or):
        for one in where.items:
            yield from _targets(one, text)
    elif isinstance(where, Isa) and where.path.text.lower() == _TARGET and not where.negated:
        yield where.class_name.text
    elif isinstance(where, And) and any(isinstance(one, Isa) for one in where.items):
        message = f"{text!r:.200} covers some instances; a provider raises events about all of a class"
        raise error(WBEM_E_INVALID_QUERY, message, parameter=text)
