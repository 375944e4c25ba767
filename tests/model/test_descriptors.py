"""Security descriptors: SIDs, bytes and SDDL, both ways, and what they allow."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openwmi.model import descriptors as d
from openwmi.model import sddl, sids
from openwmi.model.descriptors import Ace, Acl, SecurityDescriptor, allowed, inherited
from openwmi.model.sids import InvalidDescriptor, Sid

SIDS = st.builds(
    Sid,
    st.one_of(st.integers(0, 20), st.integers(0, (1 << 48) - 1)),
    st.lists(st.integers(0, 0xFFFFFFFF), max_size=15).map(tuple),
) | st.sampled_from(sorted(sids.ALIASES.values()))
MASKS = st.integers(0, 0xFFFFFFFF)
PLAIN = st.builds(
    lambda *fields: Ace(*fields), st.sampled_from((0, 1, 2, 3, 0x11)), st.integers(0, 255), MASKS, SIDS
)
GUIDS = st.none() | st.binary(min_size=16, max_size=16)
OBJECTS = st.builds(
    lambda *fields: Ace(*fields),
    st.sampled_from((5, 6, 7, 8)),
    st.integers(0, 255),
    MASKS,
    SIDS,
    GUIDS,
    GUIDS,
)
OPAQUE = st.builds(
    lambda kind, flags, data: Ace(kind, flags, 0, None, data=data),
    st.sampled_from((4, 0x14, 0x80, 0xFF)),
    st.integers(0, 255),
    st.binary(max_size=40).map(lambda data: data + bytes(-len(data) % 4)),
)
ACLS = st.none() | st.builds(
    Acl, st.lists(PLAIN | OBJECTS | OPAQUE, max_size=6).map(tuple), st.sampled_from((2, 4))
)


@st.composite
def described(draw: st.DrawFn) -> SecurityDescriptor:
    dacl, sacl = draw(ACLS), draw(ACLS)
    control = draw(st.integers(0, 0x7FFF)) & ~(d.SE_DACL_PRESENT | d.SE_SACL_PRESENT) | d.SE_SELF_RELATIVE
    control |= d.SE_DACL_PRESENT if dacl is not None or draw(st.booleans()) else 0
    control |= d.SE_SACL_PRESENT if sacl is not None or draw(st.booleans()) else 0
    return SecurityDescriptor(draw(st.none() | SIDS), draw(st.none() | SIDS), dacl, sacl, control)


@given(SIDS)
def test_sids_come_back_from_bytes_and_text(sid: Sid) -> None:
    assert Sid.decode(sid.encode()) == sid
    assert Sid.parse(str(sid)) == sid


@given(described())
def test_descriptors_come_back_from_their_bytes(descriptor: SecurityDescriptor) -> None:
    assert SecurityDescriptor.decode(descriptor.encode()) == descriptor


@given(described(), st.data())
def test_mutated_bytes_are_a_descriptor_or_the_named_error(
    descriptor: SecurityDescriptor, data: st.DataObject
) -> None:
    raw = bytearray(descriptor.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(raw[: data.draw(st.integers(0, len(raw)))])
    for one in (bytes(raw), cut):
        try:
            found = SecurityDescriptor.decode(one)
        except InvalidDescriptor:
            continue
        assert SecurityDescriptor.decode(found.encode()).dacl == found.dacl


@given(st.binary(max_size=300))
def test_any_bytes_are_a_descriptor_or_the_named_error(raw: bytes) -> None:
    for one in (raw, b"\1\0\x14\x80" + raw):
        try:
            SecurityDescriptor.decode(one)
        except InvalidDescriptor:
            pass


SAYABLE = st.builds(
    lambda *fields: Ace(*fields),
    st.sampled_from((0, 1, 2, 3)),
    st.integers(0, 0xFF).map(lambda flags: flags & 0xDF),
    MASKS,
    SIDS,
)


@given(st.lists(SAYABLE, max_size=5), st.none() | SIDS, st.booleans())
def test_descriptors_come_back_from_sddl(aces: list[Ace], owner: Sid | None, protected: bool) -> None:
    control = d.SE_SELF_RELATIVE | d.SE_DACL_PRESENT | (d.SE_DACL_PROTECTED if protected else 0)
    descriptor = SecurityDescriptor(owner, owner, Acl(tuple(aces)), None, control)
    assert sddl.parse(sddl.printed(descriptor)) == descriptor


@given(st.text(alphabet="OGDS:();,-0123456789xABCDEFPWIU{}", max_size=80))
def test_any_text_is_sddl_or_the_named_error(text: str) -> None:
    for one in (text, "D:" + text, f"D:({text})", f"O:{text}D:(A;;{text};;;BA)"):
        try:
            descriptor = sddl.parse(one)
        except InvalidDescriptor:
            continue
        assert sddl.parse(sddl.printed(descriptor)) == descriptor


def test_bytes_as_windows_writes_them() -> None:
    """O:BAG:BAD:(A;;0x6003f;;;BA) of the examples of SetSD, laid out by hand from [MS-DTYP] 2.4.6."""
    administrators = bytes.fromhex("01020000000000052000000020020000")
    ace = bytes.fromhex("00001800 3f000600".replace(" ", "")) + administrators
    acl = bytes.fromhex("0200200001000000") + ace
    head = bytes.fromhex("01000480 34000000 44000000 00000000 14000000".replace(" ", ""))
    raw = head + acl + administrators + administrators
    descriptor = sddl.parse("O:BAG:BAD:(A;;0x6003f;;;BA)")
    assert descriptor.encode() == raw
    assert SecurityDescriptor.decode(raw) == descriptor
    assert sddl.printed(descriptor) == "O:BAG:BAD:(A;;CCDCLCSWRPWPRCWD;;;BA)"


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("O:BAG:BAD:P(D;;GA;;;AN)(A;CIOI;0x1F01FF;;;SY)", None),
        ("D:(A;CI;CCDCRP;;;S-1-5-21-1-2-3-1001)", None),
        ("D:AI(A;ID;0x23;;;AU)", "D:AI(A;ID;CCDCWP;;;AU)"),
        ("D:(A;;FA;;;WD)", "D:(A;;0x1f01ff;;;WD)"),
        ("D:NO_ACCESS_CONTROL", None),
        ("S:(AU;SAFA;CCDC;;;WD)", None),
        ("S:(ML;;NW;;;LW)", None),
        ("D:(A;;010;;;WD)", "D:(A;;SW;;;WD)"),
        ("D:(OA;;CC;bf967a86-0de6-11d0-a285-00aa003049e2;;BA)", None),
        (" O:BA D:( A ; CI ; CC ; ; ; BA ) ", "O:BAD:(A;CI;CC;;;BA)"),
    ],
)
def test_sddl_reads_and_prints(text: str, same: str | None) -> None:
    descriptor = sddl.parse(text)
    printed = sddl.printed(descriptor)
    assert sddl.parse(printed) == descriptor
    if same is not None:
        assert printed == same


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "begins with"),
        ("hello", "begins with"),
        ("o:ba", "begins with"),
        ("O:ba", "case counts"),
        ("D:(a;;CC;;;BA)", "no type"),
        ("D:(A;ci;CC;;;BA)", "no flag"),
        ("D:(A;;cc;;;BA)", "no access right"),
        ("D:(A;;CC;;;ba)", "case counts"),
        ("O:BAO:SY", "twice"),
        ("O:DA", "domain"),
        ("D:(A;;CC;;BA)", "six fields"),
        ("D:(A;;CC;;;BA", "not a list"),
        ("D:(A;;CC;;;BA)x", "not a list"),
        ("D:(A;;CCQ;;;BA)", "no access right"),
        ("D:(A;;0x100000000;;;BA)", "32 bits"),
        ("D:(A;;0b1x;;;BA)", "no access mask"),
        ("D:(A;;CC;bf967a86-0de6-11d0-a285-00aa003049e2;;BA)", "only types for objects"),
        ("D:(OA;;CC;zz;;BA)", "no GUID"),
        ("D:Q", "no flag of the list"),
        ("O:S-1-5-x", "not a SID"),
        ("O:S-1-5-4294967296", "too large"),
        ("O:S-2-5-1", "not a SID"),
        ("O:" + "S-1-5" + "-1" * 16, "not a SID"),
        ("D:" + "(A;;CC;;;BA)" * 20000, "characters"),
    ],
)
def test_what_is_wrong_with_sddl_is_said(text: str, why: str) -> None:
    with pytest.raises(InvalidDescriptor, match=why):
        sddl.parse(text)


def test_what_sddl_has_no_words_for_is_not_printed() -> None:
    odd = SecurityDescriptor(dacl=Acl((Ace(0x80, 0, 0, None, data=b"1234"),)))
    with pytest.raises(InvalidDescriptor, match="no words"):
        sddl.printed(odd)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\1" + bytes(18),
        b"\2\0\0\x80" + bytes(16),
        b"\1\0\4\0" + bytes(16),  # not self-relative
        b"\1\0\4\x80" + bytes(12) + b"\xff\xff\0\0",
        b"\1\0\4\x80" + bytes(12) + b"\x14\0\0\0" + b"\2\0\xff\xff\1\0\0\0",
        b"\1\0\4\x80" + bytes(12) + b"\x14\0\0\0" + b"\2\0\x0c\0\1\0\0\0" + b"\0\0\0\0",
        b"\1\0\4\x80" + bytes(12) + b"\x14\0\0\0" + b"\2\0\x10\0\1\0\0\0" + b"\0\0\x08\0abcd",
        b"\1\0\0\x80" + b"\x14\0\0\0" + bytes(12) + b"\1\x10" + bytes(70),
        bytes(d.MAX_BYTES + 1),
    ],
)
def test_bytes_that_are_no_descriptor(raw: bytes) -> None:
    with pytest.raises(InvalidDescriptor):
        SecurityDescriptor.decode(raw)


def test_what_is_too_long_is_not_written() -> None:
    with pytest.raises(InvalidDescriptor):
        Acl((Ace(0, 0, 1, sids.EVERYONE),) * 4000).encode()


# What a descriptor allows

ALICE, BOB = Sid(5, (21, 1, 2, 3, 1001)), Sid(5, (21, 1, 2, 3, 1002))


def rights(text: str, *who: Sid) -> int:
    return allowed(sddl.parse(text), frozenset(who))


@pytest.mark.req("calls:I19")
def test_the_first_entry_that_says_something_about_a_right_decides() -> None:
    denied_first = f"D:(D;;0x2;;;{ALICE})(A;;0x23;;;WD)"
    allowed_first = f"D:(A;;0x23;;;WD)(D;;0x2;;;{ALICE})"
    assert rights(denied_first, ALICE, sids.EVERYONE) == 0x21
    assert rights(denied_first, BOB, sids.EVERYONE) == 0x23
    assert rights(allowed_first, ALICE, sids.EVERYONE) == 0x23
    mixed = f"D:(A;;0x1;;;{ALICE})(D;;0x3;;;WD)(A;;0xFF;;;WD)"
    assert rights(mixed, ALICE, sids.EVERYONE) == 0xFD
    assert rights(mixed, BOB, sids.EVERYONE) == 0xFC


@pytest.mark.req("calls:I10")
def test_entries_for_what_is_below_say_nothing_about_the_namespace_itself() -> None:
    assert rights("D:(A;CIIO;0x3F;;;WD)(A;;0x1;;;WD)", sids.EVERYONE) == 0x1
    assert rights("D:", sids.EVERYONE) == 0
    assert rights("D:NO_ACCESS_CONTROL", sids.EVERYONE) == 0xFFFFFFFF


@pytest.mark.req("calls:I10", "calls:I11")
def test_what_is_inherited() -> None:
    acl = sddl.parse("D:(A;;0x1;;;WD)(A;CI;0x2;;;WD)(D;OI;0x4;;;WD)(A;CINP;0x8;;;WD)(A;CIIO;0x10;;;WD)").dacl
    assert [(ace.mask, ace.flags) for ace in inherited(acl)] == [
        (0x2, d.CONTAINER_INHERIT | d.INHERITED),
        (0x8, d.NO_PROPAGATE | d.INHERITED),
        (0x10, d.CONTAINER_INHERIT | d.INHERITED),
    ]
