"""What is checked of a call before it is accepted, alike on both sides of the seam (calls.md B16)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openwmi.contract.context import check_architecture
from openwmi.contract.operations import checked_arguments, checked_flags, described
from openwmi.model.errors import error
from openwmi.model.status import WBEM_E_INVALID_PARAMETER

if TYPE_CHECKING:
    from openwmi.contract.context import Context
    from openwmi.contract.operations import AnyOperation


def checked_call(operation: AnyOperation, sink: object, flags: int, context: Context | None) -> int:
    """The flags without the ignored bits. INVALID_PARAMETER for a NULL sink, and for whatever else can be seen wrong
    with arguments, flags and context before anybody looks at the namespace (B1 to B7, A19)."""
    row = described(operation)
    if sink is None:
        raise error(
            WBEM_E_INVALID_PARAMETER,
            f"{row.async_method}: the sink is NULL",
            operation=row.method,
            parameter="pResponseHandler",
        )
    checked_arguments(operation)
    flags = checked_flags(operation, flags, "async")
    check_architecture(context)
    return flags


def checked_child(namespace: object) -> str:
    """What OpenNamespace opens: a path below the current namespace; an absolute one or NULL is INVALID_PARAMETER
    (A38)."""
    if not isinstance(namespace, str) or not namespace or namespace[0] in "\\/":
        raise error(
            WBEM_E_INVALID_PARAMETER,
            "OpenNamespace takes the path of a namespace below the current one",
            operation="OpenNamespace",
            parameter="strNamespace",
        )
    return namespace
