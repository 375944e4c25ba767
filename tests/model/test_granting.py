"""Giving and taking rights: what the list allows afterwards, and that it stays in order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from openwmi.model import sddl
from openwmi.model.descriptors import ALLOWED, DENIED, Ace, Acl, SecurityDescriptor, allowed
from openwmi.model.granting import denied, granted, revoked
from openwmi.model.sids import EVERYONE, Sid

ALICE, BOB = Sid(5, (21, 1, 2, 3, 1001)), Sid(5, (21, 1, 2, 3, 1002))
MASKS = st.integers(1, 0x3F)
ENTRIES = st.builds(
    lambda *fields: Ace(*fields),
    st.sampled_from((ALLOWED, DENIED)),
    st.just(2),
    MASKS,
    st.sampled_from((ALICE, BOB)),
)
LISTS = st.lists(ENTRIES, max_size=6).map(lambda aces: Acl(tuple(aces)))


def rights(acl: Acl, *who: Sid) -> int:
    return allowed(SecurityDescriptor(dacl=acl), frozenset(who), 0x3F)


@given(LISTS, MASKS)
def test_what_is_given_is_had_and_nobody_else_gains_or_loses(acl: Acl, mask: int) -> None:
    after = granted(acl, ALICE, mask, flags=2)
    assert rights(after, ALICE) & mask == mask
    assert rights(after, ALICE) & ~mask == rights(acl, ALICE) & ~mask
    assert rights(after, BOB) == rights(acl, BOB)
    assert granted(after, ALICE, mask, flags=2) == after


@given(LISTS, MASKS)
def test_what_is_taken_is_gone_and_nobody_else_gains_or_loses(acl: Acl, mask: int) -> None:
    after = revoked(acl, ALICE, mask)
    assert rights(after, ALICE) == rights(acl, ALICE) & ~mask or rights(after, ALICE) & mask == 0
    assert rights(after, ALICE) & mask == 0
    assert rights(after, BOB) == rights(acl, BOB)


@given(LISTS, MASKS)
def test_what_is_denied_is_denied_whoever_else_gives_it(acl: Acl, mask: int) -> None:
    more = acl._replace(aces=(*acl.aces, Ace(ALLOWED, 0, 0x3F, EVERYONE)))
    after = denied(more, ALICE, mask)
    assert rights(after, ALICE, EVERYONE) & mask == 0
    assert rights(after, BOB, EVERYONE) == rights(more, BOB, EVERYONE)


def test_entries_are_joined_and_empty_ones_go() -> None:
    acl = sddl.parse(f"D:(D;;SW;;;{ALICE})(A;CI;CC;;;{ALICE})").dacl
    assert acl is not None
    joined = granted(acl, ALICE, 0x8, flags=2)
    assert sddl.printed(SecurityDescriptor(dacl=joined)) == f"D:(A;CI;CCSW;;;{ALICE})"
    assert revoked(joined, ALICE, 0x9).aces == ()
