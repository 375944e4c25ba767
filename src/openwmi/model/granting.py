"""Giving somebody rights in a list, and taking them away, with the entries kept in the order that Windows keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openwmi.model.descriptors import ALLOWED, DENIED, Ace, Acl

if TYPE_CHECKING:
    from openwmi.model.sids import Sid


def granted(acl: Acl, sid: Sid, mask: int, *, flags: int = 0) -> Acl:
    """The list with an entry that gives rights, and without what denied them to the same SID before."""
    aces = _without(acl.aces, sid, mask, DENIED)
    for position, ace in enumerate(aces):
        if (ace.type, ace.flags, ace.sid) == (ALLOWED, flags, sid):
            aces[position] = ace._replace(mask=ace.mask | mask)
            break
    else:
        aces.append(Ace(ALLOWED, flags, mask, sid))
    return acl._replace(aces=tuple(aces))


def revoked(acl: Acl, sid: Sid, mask: int) -> Acl:
    """The list without what gives these rights to a SID itself; what others give it stays."""
    return acl._replace(aces=tuple(_without(acl.aces, sid, mask, ALLOWED)))


def denied(acl: Acl, sid: Sid, mask: int, *, flags: int = 0) -> Acl:
    """The list with an entry before all others that keeps rights from a SID."""
    aces = _without(acl.aces, sid, mask, DENIED)
    return acl._replace(aces=(Ace(DENIED, flags, mask, sid), *aces))


def _without(aces: tuple[Ace, ...], sid: Sid, mask: int, kind: int) -> list[Ace]:
    """The entries with some rights taken out of those of one SID and type."""
    lesser = [
        ace._replace(mask=ace.mask & ~mask) if (ace.type, ace.sid) == (kind, sid) else ace for ace in aces
    ]
    return [ace for ace in lesser if ace.mask or (ace.type, ace.sid) != (kind, sid)]
