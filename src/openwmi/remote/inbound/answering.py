"""From a request's stub to the stub of its answer: one method, called as its table says, failures included.

A failure of the method is an HRESULT at the end of a normal answer whose other [out] parameters are NULL; only what
keeps a method from being called at all is a fault (wire.md 2.4). What explains a failure stands in ORPCTHAT.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from uuid import UUID

from openwmi.model.errors import WbemError, error
from openwmi.model.status import WBEM_E_FAILED, WBEM_E_SHUTTING_DOWN
from openwmi.remote.inbound.incoming import Fault, Incoming
from openwmi.wire.dcom.orpc import NO_THAT, OrpcThat, agreed
from openwmi.wire.errors import ProtocolError
from openwmi.wire.ndr import GUID, ConformantArray, ConformantVaryingArray, Count, Reserved, Unique
from openwmi.wire.ndr.types import Primitive

if TYPE_CHECKING:
    from collections.abc import Callable

    from openwmi.wire.dcom.method import Method, ObjectMethod

_LOG: Final = logging.getLogger("openwmi.remote")
# With this message a call is cancelled because the server ends; its client is told so.
ENDING: Final = "the server ends"
_NO_ID: Final = UUID(int=0)

# (the object, the call, how its method failed) -> what the answer says beside that.
Explain: TypeAlias = "Callable[[Any, Incoming, WbemError], OrpcThat]"


def unexplained(target: Any, incoming: Incoming, failure: WbemError) -> OrpcThat:
    """Nothing but the HRESULT."""
    return NO_THAT


def answered(
    method: ObjectMethod[Any, Any],
    handler: Callable[[Any, Incoming, Any], Any],
    target: Any,
    incoming: Incoming,
    stub: bytes,
    explain: Explain = unexplained,
) -> bytes | Awaitable[bytes]:
    """Call an object's method. Raises Fault when the stub cannot be read or speaks another version of DCOM."""
    try:
        this, inputs = method.called(stub)
        agreed(this.version)
    except ProtocolError as error:
        raise Fault(error.status) from None
    incoming = Incoming(incoming.identity, incoming.level, incoming.association, this)
    try:
        outputs = handler(target, incoming, inputs)
    except Fault:
        raise
    except ProtocolError as error_:  # something inside a parameter cannot be read
        raise Fault(error_.status) from None
    except Exception as failure:  # noqa: BLE001 - whatever it is, the client hears of it
        return failed(method, inputs, failure, partial(explain, target, incoming))
    if type(outputs) is not bytes and isinstance(outputs, Awaitable):
        return _finished(method, inputs, outputs, partial(explain, target, incoming))
    return _stub(method, outputs)


def _stub(method: ObjectMethod[Any, Any], outputs: Any) -> bytes:
    """The answer; a handler that has something to say beside [out] parameters gives the stub itself."""
    return outputs if type(outputs) is bytes else method.answer(outputs)


def answered_plainly(
    method: Method[Any, Any],
    handler: Callable[[Any, Incoming, Any], Any],
    target: Any,
    incoming: Incoming,
    stub: bytes,
) -> bytes:
    """The same for a method without an object, which answers at once."""
    try:
        inputs = method.called(stub)
    except ProtocolError as error:
        raise Fault(error.status) from None
    return method.answer(handler(target, incoming, inputs))


async def _finished(
    method: ObjectMethod[Any, Any],
    inputs: Any,
    outputs: Awaitable[Any],
    explain: Callable[[WbemError], OrpcThat],
) -> bytes:
    try:
        return _stub(method, await outputs)
    except Fault:
        raise
    except ProtocolError as error_:
        raise Fault(error_.status) from None
    except asyncio.CancelledError as cancelled:
        if ENDING not in cancelled.args:
            raise
        return failed(method, inputs, error(WBEM_E_SHUTTING_DOWN), explain)
    except Exception as failure:  # noqa: BLE001 - as above
        return failed(method, inputs, failure, explain)


def failed(
    method: ObjectMethod[Any, Any],
    inputs: Any,
    failure: Exception,
    explain: Callable[[WbemError], OrpcThat],
) -> bytes:
    """The answer of a method that failed."""
    if not isinstance(failure, WbemError):
        _LOG.error("%s failed", method.name, exc_info=failure)
        failure = error(WBEM_E_FAILED)
    return method.answer(failing(method, inputs, failure.code), explain(failure))


def failing(method: ObjectMethod[Any, Any], inputs: Any, code: int) -> Any:
    """[out] parameters that say nothing but the HRESULT, which is the last of them. A pointer to a pointer stays one
    where the client gave one ([C706] 14.3.10)."""
    members = method.response.members
    values: dict[str, Any] = {}
    for name, member in members.members.items():
        if isinstance(member, Count | Reserved):
            continue
        if isinstance(member, ConformantArray | ConformantVaryingArray):
            values[name] = ()
        elif member is GUID:
            values[name] = _NO_ID
        elif isinstance(member, Primitive):
            values[name] = 0
        elif isinstance(member, Unique):
            values[name] = None
        else:
            values[name] = None if getattr(inputs, name, None) is None else b""
    values[members.names[-1]] = code
    return members.holds(**values)
