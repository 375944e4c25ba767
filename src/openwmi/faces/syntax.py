"""A query's syntax error with the place it is at, which a final status cannot carry."""

from __future__ import annotations

from openwmi.model.errors import WbemError
from openwmi.model.status import WBEM_E_INVALID_QUERY


def located(failure: BaseException, query: str) -> BaseException:
    """The failure of a query as a QuerySyntaxError where our own parser finds the same fault."""
    if not isinstance(failure, WbemError) or failure.code != WBEM_E_INVALID_QUERY or failure.span is not None:
        return failure
    from openwmi import wql

    try:
        wql.parse(query)
    except WbemError as found:
        if found.code != failure.code:
            return failure
        found.operation, found.parameter = failure.operation, failure.parameter
        found.namespace, found.extended = failure.namespace, failure.extended
        return found.with_traceback(None)
    return failure
