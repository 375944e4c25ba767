"""Who may receive an event, and whose events a filter takes (calls.md B91, C31 to C33; model.md E-60).

An event says with SECURITY_DESCRIPTOR who may receive it, by the right WBEM_RIGHT_SUBSCRIBE. A permanent filter says
with EventAccess whose events it takes, by WBEM_RIGHT_PUBLISH. What is not admitted is left out in silence: that is the
rule.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from openwmi.contract.flags import WBEM_RIGHT_PUBLISH, WBEM_RIGHT_SUBSCRIBE
from openwmi.model import sddl, sids
from openwmi.model.descriptors import SecurityDescriptor, allowed
from openwmi.model.sids import InvalidDescriptor
from openwmi.service.access import is_administrator, sids_of

if TYPE_CHECKING:
    from openwmi.contract.caller import Caller
    from openwmi.model.sids import Sid
    from openwmi.service.events.plan import Event

# What only administrators receive (E-08).
ADMINISTRATORS_ONLY: Final = tuple(sddl.parse("O:BAG:BAD:(A;;0x40;;;BA)").encode())
# Providers act as the service itself.
_SERVICE: Final = frozenset((sids.LOCAL_SYSTEM, sids.ADMINISTRATORS))


def receives(event: Event, caller: Caller) -> bool:
    """Whether an event's own descriptor lets a subscriber have it; one that cannot be read lets nobody."""
    position = event.class_.layout.index.get("security_descriptor")
    data = event.row[position] if position is not None else None
    if not data:
        return True
    try:
        descriptor = _decoded(bytes(data))  # type: ignore[call-overload]
    except (InvalidDescriptor, TypeError, ValueError):
        return False
    return bool(allowed(descriptor, _identities(caller), WBEM_RIGHT_SUBSCRIBE))


def publishes(access: str, publisher: Caller | None) -> bool:
    """Whether a filter's EventAccess takes what somebody raises; None is the service with its providers."""
    identities = _SERVICE if publisher is None else _identities(publisher)
    return bool(allowed(_parsed(access), identities, WBEM_RIGHT_PUBLISH))


def _identities(caller: Caller) -> frozenset[Sid]:
    """Everything that an entry may name; the owner of the store counts as one of its administrators (I4)."""
    found = sids_of(caller)
    return found | {sids.ADMINISTRATORS} if is_administrator(caller) else found


@lru_cache(maxsize=256)
def _decoded(data: bytes) -> SecurityDescriptor:
    return SecurityDescriptor.decode(data)


@lru_cache(maxsize=256)
def _parsed(text: str) -> SecurityDescriptor:
    return sddl.parse(text)
