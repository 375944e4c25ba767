"""__SystemSecurity, and the qualifiers that protect a namespace (calls.md I.4 to I.6)."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from tests.service.conftest import Running

from openwmi import mof
from openwmi.contract import flags as f
from openwmi.contract import operations as ops
from openwmi.contract.logon import Identity
from openwmi.model import sddl
from openwmi.model.descriptors import INHERITED, SecurityDescriptor
from openwmi.model.errors import MofError, WbemError
from openwmi.model.sids import Sid
from openwmi.model.status import (
    WBEM_E_ACCESS_DENIED,
    WBEM_E_INVALID_METHOD_PARAMETERS,
    WBEM_E_INVALID_OBJECT,
    WBEM_E_INVALID_OPERATION,
    WBEM_E_INVALID_PARAMETER,
    WBEM_E_METHOD_DISABLED,
    WBEM_E_READ_ONLY,
)
from openwmi.service.connection import Connection

EVERYBODY = ("S-1-1-0", "S-1-5-2", "S-1-5-11", "S-1-5-32-545", "S-1-5-32-580")
ALICE = Identity("S-1-5-21-1-2-3-1001", "alice", EVERYBODY)
ADMIN = Identity("S-1-5-21-1-2-3-1003", "admin", (*EVERYBODY, "S-1-5-32-544"))
E, METHOD = f.WBEM_ENABLE, f.WBEM_METHOD_EXECUTE
_numbers = itertools.count(1)


@pytest.fixture
def fresh(running: Running) -> str:
    path = f"root\\Secured{next(_numbers)}"
    running.host.namespaces.create(path)
    return path


def log_on(running: Running, identity: Identity, path: str) -> Connection:
    return running.host.portal.submit(
        running.host.log_on, identity, path, address="192.0.2.7", auth_level=6
    ).result(10)


def granted(running: Running, path: str, rights: int, *, admin: bool = False) -> Connection:
    """A remote caller with exactly these rights."""
    identity = ADMIN if admin else ALICE
    who = running.host.caller._replace(
        sid=identity.sid, groups=identity.groups, granted=rights | f.WBEM_REMOTE_ACCESS, remote=True
    )
    return running.connect(path, caller=who)


def called(
    running: Running, services: Connection, method: str, path: str = "__SystemSecurity=@", **params: Any
) -> Any:
    """The out-parameters; WbemError when the call failed."""
    sink = running.collect(ops.ExecMethod(path, method, params or None), services=services)
    assert sink.outcome is not None
    if sink.outcome.status:
        raise WbemError(sink.outcome.status, "failed")
    return sink.objects[0]


def code_of(running: Running, services: Connection, method: str, **params: Any) -> int:
    with pytest.raises(WbemError) as failure:
        called(running, services, method, **params)
    return failure.value.code


def text_of(running: Running, services: Connection) -> str:
    return sddl.printed(SecurityDescriptor.decode(bytes(called(running, services, "GetSD").SD)))


def set_to(running: Running, services: Connection, text: str) -> Any:
    return called(running, services, "SetSD", SD=tuple(sddl.parse(text).encode()))


# GetSD and SetSD


@pytest.mark.req("calls:I14", "calls:I9", "calls:I8", "A-322", "B-06")
@pytest.mark.parametrize("path", ["__SystemSecurity=@", "__SystemSecurity", "__SYSTEMSECURITY=@"])
@pytest.mark.parametrize("method", ["GetSD", "getsd"])
def test_the_descriptor_is_read_through_class_and_singleton(running: Running, path: str, method: str) -> None:
    out = called(running, running.connect("root"), method, path)
    assert out.ReturnValue == 0
    descriptor = SecurityDescriptor.decode(bytes(out.SD))
    assert str(descriptor.owner) == str(descriptor.group) == "S-1-5-32-544"
    assert descriptor.dacl is not None
    assert {str(ace.sid): ace.mask for ace in descriptor.dacl.aces} == {
        "S-1-5-32-544": 0x6003F,
        "S-1-5-20": 0x13,
        "S-1-5-19": 0x13,
        "S-1-5-11": 0x13,
        "S-1-5-32-580": 0x33,
    }


@pytest.mark.req("calls:I11", "calls:I10", "A-322")
def test_what_is_inherited_is_reported_as_inherited(running: Running) -> None:
    out = called(running, running.connect("root\\cimv2"), "GetSD")
    dacl = SecurityDescriptor.decode(bytes(out.SD)).dacl
    assert dacl is not None
    assert len(dacl.aces) == 5
    assert all(ace.flags & INHERITED for ace in dacl.aces)


@pytest.mark.req("calls:I14", "calls:I17", "calls:I19")
def test_what_is_set_is_what_is_read_with_the_inherited_entries_made_anew(
    running: Running, fresh: str
) -> None:
    owner = running.connect(fresh)
    inherited = text_of(running, owner).partition("D:")[2]
    own = f"(D;CI;SW;;;{ALICE.sid})(A;CI;CCDCWP;;;{ALICE.sid})(D;;CC;;;AN)"
    assert set_to(running, owner, f"O:SYG:BUD:{own}(A;ID;CC;;;WD)").ReturnValue == 0
    assert text_of(running, owner) == f"O:SYG:BUD:{own}{inherited}"
    assert set_to(running, owner, text_of(running, owner)).ReturnValue == 0  # what was read may be set again
    assert text_of(running, owner) == f"O:SYG:BUD:{own}{inherited}"


@pytest.mark.req("calls:I16", "calls:I15", "calls:I2")
def test_reading_and_setting_take_a_right_each_and_fail_as_the_call(running: Running, fresh: str) -> None:
    everything = f.ALL_NAMESPACE_RIGHTS
    sd = tuple(sddl.parse("O:BAG:BAD:").encode())
    reader = granted(running, fresh, E | METHOD | f.READ_CONTROL)
    assert called(running, reader, "GetSD").ReturnValue == 0
    assert code_of(running, reader, "SetSD", SD=sd) == WBEM_E_ACCESS_DENIED
    writer = granted(running, fresh, E | METHOD | f.WRITE_DAC)
    assert called(running, writer, "SetSD", SD=sd).ReturnValue == 0
    assert code_of(running, writer, "GetSD") == WBEM_E_ACCESS_DENIED
    for right in (f.READ_CONTROL, METHOD):
        assert code_of(running, granted(running, fresh, everything & ~right), "GetSD") == WBEM_E_ACCESS_DENIED
    for right in (f.WRITE_DAC, METHOD):
        who = granted(running, fresh, everything & ~right)
        assert code_of(running, who, "SetSD", SD=sd) == WBEM_E_ACCESS_DENIED


@pytest.mark.parametrize("raw", [(), (1,), (1, 0, 4, 128, *bytes(10)), (2, 0, 4, 128, *bytes(16))])
@pytest.mark.req("calls:I18")
def test_bytes_that_are_no_descriptor(running: Running, fresh: str, raw: tuple[int, ...]) -> None:
    assert code_of(running, running.connect(fresh), "SetSD", SD=raw) == WBEM_E_INVALID_OBJECT


@pytest.mark.req("calls:I18", "calls:I1", "calls:I10")
@pytest.mark.parametrize(
    "text",
    [
        "O:BAG:BA",
        "O:BAG:BAD:NO_ACCESS_CONTROL",
        "O:BAD:(A;;CC;;;BA)",
        "G:BAD:(A;;CC;;;BA)",
        "D:(A;;CC;;;BA)",
        "O:BAG:BAD:(A;;LC;;;BA)",
        "O:BAG:BAD:(A;;LCSW;;;BA)",
        "O:BAG:BAD:(A;;LCRP;;;BA)",
        "O:BAG:BAD:(A;IO;CC;;;BA)",
        "O:BAG:BAD:(A;SA;CC;;;BA)",
        "O:BAG:BAD:(A;;0x40;;;BA)",
        "O:BAG:BAD:(A;;0x80;;;BA)",
        "O:BAG:BAD:(A;;GA;;;BA)",
        "O:BAG:BAD:(AU;;CC;;;BA)",
        "O:BAG:BAD:(OA;;CC;;;BA)",
    ],
)
def test_descriptors_that_no_namespace_may_have(running: Running, fresh: str, text: str) -> None:
    owner = running.connect(fresh)
    before = text_of(running, owner)
    with pytest.raises(WbemError) as failure:
        set_to(running, owner, text)
    assert failure.value.code == WBEM_E_INVALID_PARAMETER
    assert text_of(running, owner) == before


@pytest.mark.req("calls:I18")
def test_a_malformed_list_is_a_wrong_parameter(running: Running, fresh: str) -> None:
    raw = bytearray(sddl.parse("O:BAG:BAD:(A;;CC;;;BA)").encode())
    raw[20 + 8 + 2] = 7  # the length of the first entry
    assert code_of(running, running.connect(fresh), "SetSD", SD=tuple(raw)) == WBEM_E_INVALID_PARAMETER
    raw[20 + 8 + 2] = 0x18
    raw[20 + 8] = 0x33  # a type that nobody knows
    assert code_of(running, running.connect(fresh), "SetSD", SD=tuple(raw)) == WBEM_E_INVALID_PARAMETER


def test_parameters_that_are_missing(running: Running, fresh: str) -> None:
    owner = running.connect(fresh)
    assert code_of(running, owner, "SetSD") == WBEM_E_INVALID_PARAMETER
    assert code_of(running, owner, "SetSD", SD=None) == WBEM_E_INVALID_PARAMETER
    assert code_of(running, owner, "SetSD", Other=1) == WBEM_E_INVALID_METHOD_PARAMETERS


@pytest.mark.req("calls:A13", "calls:I13")
def test_a_new_descriptor_counts_at_the_next_log_on(running: Running, fresh: str) -> None:
    before = log_on(running, ALICE, fresh)
    set_to(running, running.connect(fresh), f"O:BAG:BAD:(A;;CCDCWPRC;;;{ALICE.sid})")
    assert before.caller.granted == 0x33
    after = log_on(running, ALICE, fresh)
    assert after.caller.granted == 0x20033
    assert text_of(running, after).startswith("O:BAG:BAD:(A;;CCDCWPRC;;;")


# Objects


@pytest.mark.req("calls:I20")
def test_the_descriptor_as_an_object(running: Running, fresh: str) -> None:
    owner = running.connect(fresh)
    set_to(running, owner, f"O:BAG:SYD:(D;CI;CC;;;{ALICE.sid})")
    out = called(running, owner, "GetSecurityDescriptor")
    assert out.ReturnValue == 0
    made = out.Descriptor
    assert made.classname_ == "__SecurityDescriptor"
    assert made.ControlFlags & 0x8004 == 0x8004
    assert (made.Owner.SIDString, made.Owner.Name) == ("S-1-5-32-544", "Administrators")
    assert made.Group.SIDString == "S-1-5-18"
    first = made.DACL[0]
    assert first.classname_ == "__ACE"
    assert (first.AccessMask, first.AceFlags, first.AceType) == (1, 2, 1)
    assert bytes(first.Trustee.SID) == Sid.parse(ALICE.sid).encode()
    assert first.Trustee.SidLength == 28
    assert len(made.DACL) == 6


@pytest.mark.req("calls:I20", "calls:I17")
def test_an_object_is_set_and_its_flags_say_what_of_it(running: Running, fresh: str) -> None:
    owner = running.connect(fresh)
    made = called(running, owner, "GetSecurityDescriptor").Descriptor
    entry = made.DACL[0].with_({"AccessMask": 0x23, "AceFlags": 0, "Trustee": made.DACL[0].Trustee})
    alice = entry.Trustee.with_({"SID": None, "SIDString": ALICE.sid, "Name": None})
    wanted = made.with_({"DACL": (entry.with_({"Trustee": alice}),)})
    without = wanted.with_({"ControlFlags": wanted.ControlFlags & ~4})
    assert called(running, owner, "SetSecurityDescriptor", Descriptor=without).ReturnValue == 0
    assert ALICE.sid not in text_of(running, owner)
    assert called(running, owner, "SetSecurityDescriptor", Descriptor=wanted).ReturnValue == 0
    assert f"(A;;CCDCWP;;;{ALICE.sid})" in text_of(running, owner)


@pytest.mark.req("calls:I20")
def test_failures_are_told_by_the_return_value(running: Running, fresh: str) -> None:
    made = called(running, running.connect(fresh), "GetSecurityDescriptor").Descriptor
    blind = granted(running, fresh, E | METHOD)
    out = called(running, blind, "GetSecurityDescriptor")
    assert (out.ReturnValue, out.Descriptor) == (2, None)
    assert called(running, blind, "SetSecurityDescriptor", Descriptor=made).ReturnValue == 2
    owner = running.connect(fresh)
    for wrong in (
        made.with_({"DACL": None}),
        made.with_({"DACL": (made.DACL[0].with_({"Trustee": None, "AceFlags": 0}),)}),
        made.with_({"DACL": (made.DACL[0].with_({"AccessMask": 0x40, "AceFlags": 0}),)}),
        made.with_({"Owner": made.Owner.with_({"SID": (1, 2, 3)})}),
        made.with_({"Owner": made.Owner.with_({"SID": None, "SIDString": None, "Name": "nobody-knows"})}),
        made.with_({"ControlFlags": 0x10000}),
    ):
        assert called(running, owner, "SetSecurityDescriptor", Descriptor=wrong).ReturnValue == 21
    assert called(running, owner, "SetSecurityDescriptor", Descriptor=None).ReturnValue == 21


@pytest.mark.req("calls:I20")
def test_who_is_watched_is_for_administrators_alone(running: Running, fresh: str) -> None:
    owner = running.connect(fresh)
    set_to(running, owner, "O:BAG:BAD:S:(AU;SAFA;CC;;;WD)")
    assert "S:(AU;SAFA;CC;;;WD)" in text_of(running, owner)
    assert "S:(AU;SAFA;CC;;;WD)" in text_of(running, log_on(running, ADMIN, fresh))
    everything = granted(running, fresh, f.ALL_NAMESPACE_RIGHTS)
    assert "S:" not in text_of(running, everything).replace("-S:", "")
    set_to(running, everything, "O:BAG:BAD:S:(AU;FA;CC;;;AN)")
    assert "S:(AU;SAFA;CC;;;WD)" in text_of(running, owner)


@pytest.mark.req("calls:I21")
def test_everybody_may_ask_what_he_may_do(running: Running, fresh: str) -> None:
    for rights in (E, E | f.READ_CONTROL, f.ALL_NAMESPACE_RIGHTS):
        out = called(running, granted(running, fresh, rights), "GetCallerAccessRights", "__SystemSecurity")
        assert (out.rights, out.ReturnValue) == (rights | f.WBEM_REMOTE_ACCESS, 0)
    assert called(running, running.connect(fresh), "GetCallerAccessRights").rights == f.ALL_NAMESPACE_RIGHTS
    assert code_of(running, granted(running, fresh, 0), "GetCallerAccessRights") == WBEM_E_ACCESS_DENIED


@pytest.mark.req("calls:I22")
@pytest.mark.parametrize("method", ["Get9XUserList", "Set9XUserList"])
def test_what_belonged_to_windows_9x_is_disabled(running: Running, method: str) -> None:
    assert code_of(running, running.connect("root"), method) == WBEM_E_METHOD_DISABLED


# Qualifiers


@pytest.mark.req("B-06", "calls:I16")
def test_the_namespaces_own_instance_shows_the_descriptor_to_who_may_read_it(
    running: Running, fresh: str
) -> None:
    query = "SELECT SECURITY_DESCRIPTOR FROM __thisNAMESPACE"
    for operation in (
        ops.GetObject("__thisNAMESPACE=@"),
        ops.ExecQuery(query),
        ops.CreateInstanceEnum("__thisNAMESPACE"),
    ):
        seen = running.collect(operation, services=running.connect(fresh)).objects[0]
        descriptor = SecurityDescriptor.decode(bytes(seen.SECURITY_DESCRIPTOR))
        assert str(descriptor.owner) == "S-1-5-32-544"
        (hidden,) = running.collect(operation, services=log_on(running, ALICE, fresh)).objects
        assert hidden.SECURITY_DESCRIPTOR is None


@pytest.mark.req("B-06")
def test_the_namespaces_own_instances_are_not_written_and_not_deleted(running: Running, fresh: str) -> None:
    owner = running.connect(fresh)
    set_to(running, owner, f"O:BAG:BAD:(A;;CC;;;{ALICE.sid})")
    this = running.collect(ops.GetObject("__thisNAMESPACE=@"), services=owner).objects[0]
    assert running.status(ops.PutInstance(this), services=owner) == WBEM_E_READ_ONLY
    assert running.status(ops.DeleteInstance("__thisNAMESPACE=@"), services=owner) == WBEM_E_READ_ONLY
    assert (
        running.status(ops.DeleteInstance("__SystemSecurity=@"), services=owner) == WBEM_E_INVALID_OPERATION
    )
    assert ALICE.sid in text_of(running, owner)


def compiled(running: Running, text: str, namespace: str) -> None:
    async def work() -> None:
        await mof.compile(text, services)

    services = running.connect(namespace)
    running.host.portal.submit(work).result(20)


def child_of(running: Running, parent: str, name: str, services: Connection | None = None) -> Any:
    sink = running.collect(
        ops.GetObject(f'__NAMESPACE.Name="{name}"'), services=services or running.connect(parent)
    )
    return sink.objects[0]


@pytest.mark.req("calls:I23", "calls:I26", "B-07")
@pytest.mark.parametrize("value", ['"O:BAG:BAD:P(A;;0x60003;;;BA)"', '{"O:BAG:BAD:P(A;;0x60003;;;BA)"}'])
def test_sddl_on_the_instance_of_a_namespace_protects_it(running: Running, fresh: str, value: str) -> None:
    compiled(
        running, f'[NamespaceSecuritySDDL({value})] instance of __Namespace {{ Name = "Guarded"; }};', fresh
    )
    qualifiers = child_of(running, fresh, "Guarded").extras_.qualifiers
    assert qualifiers.value("NamespaceSecuritySDDL").startswith("O:BAG:BAD:P(A;;CCDCRCWD;;;BA)")
    assert qualifiers.value("RequiresEncryption") is False
    assert text_of(running, running.connect(f"{fresh}\\Guarded")).startswith("O:BAG:BAD:P(A;;CCDCRCWD;;;BA)")
    again = '[NamespaceSecuritySDDL("O:BAG:BAD:(A;;CC;;;WD)")] instance of __Namespace { Name = "Guarded"; };'
    compiled(running, again, fresh)
    assert text_of(running, running.connect(f"{fresh}\\Guarded")).startswith("O:BAG:BAD:(A;;CC;;;WD)")
    compiled(
        running, 'instance of __Namespace { Name = "Guarded"; };', fresh
    )  # says nothing: nothing changes
    assert text_of(running, running.connect(f"{fresh}\\Guarded")).startswith("O:BAG:BAD:(A;;CC;;;WD)")


@pytest.mark.req("calls:I23")
@pytest.mark.parametrize(
    "value", ['"hello"', '"o:bag:bad:(a;;cc;;;ba)"', '"O:BAG:BAD:(A;;0x40;;;BA)"', '"O:BAG:BA"', "7"]
)
def test_sddl_that_is_wrong_leaves_no_namespace_behind(running: Running, fresh: str, value: str) -> None:
    with pytest.raises((WbemError, MofError)) as failure:
        compiled(
            running, f'[NamespaceSecuritySDDL({value})] instance of __Namespace {{ Name = "Wrong"; }};', fresh
        )
    assert failure.value.code == WBEM_E_INVALID_PARAMETER
    assert running.host.namespaces.find(f"{fresh}\\Wrong") is None


@pytest.mark.req("calls:I23")
def test_protecting_a_namespace_takes_the_right_to_change_security(running: Running, fresh: str) -> None:
    text = '[NamespaceSecuritySDDL("O:BAG:BAD:(A;;CC;;;BA)")] instance of __Namespace { Name = "Taken"; };'
    compiled(running, text, fresh)
    named = child_of(running, fresh, "Taken")
    new = named.with_({"Name": "Fresh"})
    less = granted(running, fresh, f.ALL_NAMESPACE_RIGHTS & ~f.WRITE_DAC)
    assert running.status(ops.PutInstance(new), services=less) == WBEM_E_ACCESS_DENIED
    assert running.host.namespaces.find(f"{fresh}\\Fresh") is None
    # Of one that is there its own descriptor counts.
    more = granted(running, fresh, f.ALL_NAMESPACE_RIGHTS)
    assert running.status(ops.PutInstance(named), services=more) == WBEM_E_ACCESS_DENIED
    set_to(running, running.connect(f"{fresh}\\Taken"), f"O:BAG:BAD:(A;;WD;;;{ALICE.sid})")
    assert running.status(ops.PutInstance(named), services=more) == 0


@pytest.mark.req("calls:I26")
def test_the_descriptor_of_what_is_below_is_shown_to_who_may_read_it(running: Running, fresh: str) -> None:
    running.host.namespaces.create(f"{fresh}\\Below")
    seen = child_of(running, fresh, "Below", log_on(running, ADMIN, fresh)).extras_.qualifiers
    hidden = child_of(running, fresh, "Below", log_on(running, ALICE, fresh)).extras_.qualifiers
    assert "NamespaceSecuritySDDL" in seen
    assert "NamespaceSecuritySDDL" not in hidden
    assert "RequiresEncryption" in hidden
    rows = running.collect(ops.CreateInstanceEnum("__NAMESPACE"), services=running.connect(fresh)).objects
    assert "NamespaceSecuritySDDL" in rows[0].extras_.qualifiers


@pytest.mark.req("calls:I24", "calls:A12", "B-07")
def test_encryption_is_required_by_the_qualifier_in_either_place(running: Running, fresh: str) -> None:
    compiled(running, "[RequiresEncryption] instance of __SystemSecurity {};", fresh)
    assert log_on(running, ADMIN, fresh).least_level == 6
    weak = running.connect(fresh, caller=running.host.caller._replace(auth_level=5))
    assert running.status(ops.GetObject(None), services=weak) == WBEM_E_ACCESS_DENIED
    compiled(running, "instance of __SystemSecurity {};", fresh)
    assert log_on(running, ADMIN, fresh).least_level == 5
    compiled(running, '[RequiresEncryption(TRUE)] instance of __Namespace { Name = "Sealed"; };', fresh)
    assert log_on(running, ADMIN, f"{fresh}\\Sealed").least_level == 6
    assert child_of(running, fresh, "Sealed").extras_.qualifiers.value("RequiresEncryption") is True
    assert log_on(running, ADMIN, fresh).least_level == 5


@pytest.mark.req("calls:I24")
def test_encryption_is_changed_by_who_may_change_security(running: Running, fresh: str) -> None:
    wanted = running.collect(ops.GetObject("__SystemSecurity=@"), services=running.connect(fresh)).objects[0]
    for missing in (f.WRITE_DAC, f.WBEM_FULL_WRITE_REP):
        services = granted(running, fresh, f.ALL_NAMESPACE_RIGHTS & ~missing)
        assert running.status(ops.PutInstance(wanted), services=services) == WBEM_E_ACCESS_DENIED
    assert (
        running.status(ops.PutInstance(wanted), services=granted(running, fresh, f.ALL_NAMESPACE_RIGHTS)) == 0
    )


def test_protection_ends_with_the_namespace(running: Running, fresh: str) -> None:
    text = '[RequiresEncryption, NamespaceSecuritySDDL("O:BAG:BAD:")] instance of __Namespace { Name = "Gone"; };'
    compiled(running, text, fresh)
    assert running.status(ops.DeleteInstance('__NAMESPACE.Name="Gone"'), services=running.connect(fresh)) == 0
    compiled(running, 'instance of __Namespace { Name = "Gone"; };', fresh)
    gone = log_on(running, ALICE, f"{fresh}\\Gone")
    assert (gone.caller.granted, gone.least_level) == (0x33, 5)
