"""Registrations in the repository: which provider serves a class, what it may be asked, and the codes of F-02."""

from __future__ import annotations

from typing import Any

import pytest
from tests.service.registered.conftest import INSTANCES, SAMPLES, Registered

from openwmi import host
from openwmi.contract import operations as ops
from openwmi.contract.caller import Caller
from openwmi.model import status as s


def numbers(registered: Registered, query: str) -> list[int]:
    sink = registered.collect(ops.ExecQuery(query))
    assert sink.outcome is not None
    assert sink.outcome.status == 0, sink.outcome
    return [one.Number for one in sink.objects]


def query_status(registered: Registered, name: str) -> int:
    return registered.status(ops.ExecQuery(f"SELECT * FROM {name}"))


@pytest.mark.req("F-01", "F-06", "F-25")
def test_a_registered_provider_serves_its_class(registered: Registered, log: list[Any]) -> None:
    name = registered.register(
        registrations=f"instance of {INSTANCES} {{ provider = $P; SupportsGet = TRUE; SupportsEnumeration = TRUE;"
        " SupportsPut = TRUE; SupportsDelete = TRUE; };"
        " instance of __MethodProviderRegistration { provider = $P; };"
    )
    assert numbers(registered, f"SELECT * FROM {name} WHERE Number > 2") == [3, 4]
    (one,) = registered.collect(ops.GetObject(f"{name}=3")).objects
    assert (one.Name, one.Values) == ("thing 3", [3, 4])
    assert registered.status(ops.GetObject(f"{name}=9")) == s.WBEM_E_NOT_FOUND
    assert registered.status(ops.PutInstance(one.with_({"Name": "renamed"}))) == 0
    assert registered.collect(ops.GetObject(f"{name}=3")).objects[0].Name == "renamed"
    assert registered.status(ops.DeleteInstance(f"{name}=3")) == 0
    assert numbers(registered, f"SELECT * FROM {name}") == [0, 1, 2, 4]
    (said,) = registered.collect(ops.ExecMethod(name, "Say", {"Text": "hello"})).objects
    assert said.Reply == "Say hello None"
    starts = [entry[1] for entry in log if entry[0] == "initialize"]
    assert starts == [(name, "root\\default", None, None)]


@pytest.mark.req("F-01", "F-02", "calls:B47")
def test_providers_belong_to_their_namespace(registered: Registered) -> None:
    name = registered.register()
    registered.compile(f'[dynamic, provider("{name}")] class {name} {{ [key] uint32 Number; }};', "root\\WMI")
    elsewhere = registered.connect("root\\WMI")
    assert registered.status(ops.ExecQuery(f"SELECT * FROM {name}"), services=elsewhere) == (
        s.WBEM_E_PROVIDER_NOT_FOUND
    )
    registered.compile('[dynamic, provider("CimWin32")] class Foreign { [key] uint32 Number; };', "root\\WMI")
    assert registered.status(ops.ExecQuery("SELECT * FROM Foreign"), services=elsewhere) == (
        s.WBEM_E_PROVIDER_NOT_FOUND
    )


@pytest.mark.req("F-02", "F-05")
@pytest.mark.parametrize(
    ("more", "code"),
    [
        # Reserved, of high-performance providers' clients, and historic: kept, and without effect (F-05).
        ('ImpersonationLevel = 3; DefaultMachineName = "nowhere"; Pure = FALSE; Version = 7;', 0),
        ('ClientLoadableCLSID = "{E30EC6A0-23CF-11d1-8FDE-0000F804AA5C}"; SupportsThrottling = TRUE;', 0),
        ("Enabled = FALSE;", s.WBEM_E_PROVIDER_DISABLED),
        ('HostingModel = "Nowhere";', s.WBEM_E_INVALID_PROVIDER_REGISTRATION),
        ('HostingModel = "Decoupled:Noncom";', s.WBEM_E_INVALID_PROVIDER_REGISTRATION),
        ('HostingModel = "Decoupled:Com:FoldIdentity(FALSE)";', 0),
        ('HostingModel = "Decoupled:Com:Something";', s.WBEM_E_INVALID_PROVIDER_REGISTRATION),
        ("InitializationReentrancy = 3;", s.WBEM_E_INVALID_PROVIDER_REGISTRATION),
        (
            'OperationTimeoutInterval = "20200101000000.000000+000";',
            s.WBEM_E_INVALID_PROVIDER_REGISTRATION,
        ),
        ('HostingModel = "LocalSystemHostOrSelfHost:any";', 0),
        ('HostingModel = "selfhost";', 0),
    ],
)
def test_what_a_registration_says(registered: Registered, more: str, code: int) -> None:
    assert query_status(registered, registered.register(more=more)) == code


@pytest.mark.req("F-02", "calls:A19")
@pytest.mark.parametrize(
    ("clsid", "code"),
    [
        ("", s.WBEM_E_INVALID_PROVIDER_REGISTRATION),
        ("python:no module:X", s.WBEM_E_INVALID_PROVIDER_REGISTRATION),
        ("python:tests", s.WBEM_E_INVALID_PROVIDER_REGISTRATION),
        ("{E30EC6A0-23CF-11d1-8FDE-0000F804AA5C}", s.WBEM_E_PROVIDER_LOAD_FAILURE),
        (f"python:{SAMPLES}:Absent", s.WBEM_E_PROVIDER_LOAD_FAILURE),
        (f"python:{SAMPLES}.absent:Things", s.WBEM_E_PROVIDER_LOAD_FAILURE),
        (f"python:{SAMPLES}:NOT_A_CLASS", s.WBEM_E_PROVIDER_LOAD_FAILURE),
        (f"python:{SAMPLES}:Unready", s.WBEM_E_INITIALIZATION_FAILURE),
        (f"python:{SAMPLES}:Refusing", s.WBEM_E_ACCESS_DENIED),
        (f"python:{SAMPLES}:Failing", s.WBEM_E_PROVIDER_FAILURE),
    ],
)
def test_code_that_cannot_be_run(registered: Registered, clsid: str, code: int) -> None:
    name = registered.register(clsid=clsid)
    sink = registered.collect(ops.ExecQuery(f"SELECT * FROM {name}"))
    assert sink.outcome is not None
    assert sink.outcome.status == code
    assert sink.outcome.error is not None


@pytest.mark.req("F-02")
def test_only_announced_code_is_imported(registered: Registered, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    sys.modules.pop("this", None)
    for clsid in (
        "python:this:Zen",
        "python:tests.service.registered.samplesx:Things",
        "python:os:_wrap_close",
    ):
        assert query_status(registered, registered.register(clsid=clsid)) == s.WBEM_E_PROVIDER_LOAD_FAILURE
    assert "this" not in sys.modules
    monkeypatch.setenv("OPENWMI_PROVIDER_MODULES", "fractions, decimal")
    name = registered.register(clsid="python:fractions:Fraction")
    assert (
        query_status(registered, name) == s.WBEM_E_PROVIDER_NOT_CAPABLE
    )  # loaded, but it has no such method


@pytest.mark.req("F-02")
def test_a_provider_without_registration(registered: Registered) -> None:
    name = registered.register(registrations="")
    assert query_status(registered, name) == s.WBEM_E_PROVIDER_NOT_FOUND
    assert registered.status(ops.GetObject(f"{name}=1")) == s.WBEM_E_PROVIDER_NOT_FOUND


@pytest.mark.req("F-20", "F-21", "calls:C22")
def test_only_what_is_declared_is_asked(registered: Registered, log: list[Any]) -> None:
    def declared(flags: str) -> str:
        return registered.register(registrations=f"instance of {INSTANCES} {{ provider = $P; {flags} }};")

    getter = declared("SupportsGet = TRUE;")
    assert registered.status(ops.GetObject(f"{getter}=1")) == 0
    assert query_status(registered, getter) == s.WBEM_E_PROVIDER_NOT_CAPABLE
    enumerating = declared("SupportsEnumeration = TRUE;")
    log.clear()
    assert registered.collect(ops.GetObject(f"{enumerating}=2")).objects[0].Name == "thing 2"
    assert registered.status(ops.GetObject(f"{enumerating}=22")) == s.WBEM_E_NOT_FOUND
    assert numbers(registered, f"SELECT * FROM {enumerating} WHERE Name = 'thing 1'") == [1]
    assert [entry for entry in log if entry[0] != "initialize"] == [("instances", [])] * 3
    (one,) = registered.collect(ops.GetObject(f"{enumerating}=2")).objects
    assert registered.status(ops.PutInstance(one)) == s.WBEM_E_PROVIDER_NOT_CAPABLE
    assert registered.status(ops.DeleteInstance(f"{enumerating}=2")) == s.WBEM_E_PROVIDER_NOT_CAPABLE
    assert (
        registered.status(ops.ExecMethod(enumerating, "Say", {"Text": ""})) == s.WBEM_E_PROVIDER_NOT_CAPABLE
    )
    querying = declared('QuerySupportLevels = {"wql:UnarySelect"};')
    log.clear()
    assert numbers(registered, f"SELECT * FROM {querying} WHERE Name = 'thing 1'") == [1]
    assert log[-1] == ("instances", [("Name", "=", "thing 1")])
    assert registered.status(ops.CreateInstanceEnum(querying)) == s.WBEM_E_PROVIDER_NOT_CAPABLE
    unknown = declared('SupportsGet = TRUE; QuerySupportLevels = {"SQL"};')
    assert registered.status(ops.GetObject(f"{unknown}=1")) == s.WBEM_E_INVALID_PROVIDER_REGISTRATION


@pytest.mark.req("F-20")
def test_a_provider_that_lacks_what_its_registration_declares(registered: Registered) -> None:
    name = registered.register("OnlyInstances")
    assert numbers(registered, f"SELECT * FROM {name}") == [7]
    assert registered.status(ops.GetObject(f"{name}=7")) == s.WBEM_E_PROVIDER_NOT_CAPABLE


@pytest.mark.req("F-20")
def test_an_asynchronous_registered_provider(registered: Registered) -> None:
    name = registered.register("Asynchronous")
    assert numbers(registered, f"SELECT * FROM {name}") == [0, 1, 2]
    assert registered.collect(ops.GetObject(f"{name}=2")).objects[0].Number == 2


@pytest.mark.req("F-02")
def test_a_changed_registration_takes_effect_with_the_next_call(
    registered: Registered, log: list[Any]
) -> None:
    name = registered.register()
    assert query_status(registered, name) == 0
    registered.set(name, Enabled=False)
    assert query_status(registered, name) == s.WBEM_E_PROVIDER_DISABLED
    registered.set(name, Enabled=True)
    assert query_status(registered, name) == 0
    (path,) = [
        one.relpath_
        for one in registered.collect(ops.CreateInstanceEnum(INSTANCES)).objects
        if name in one.provider
    ]
    assert registered.status(ops.DeleteInstance(path)) == 0
    assert query_status(registered, name) == s.WBEM_E_PROVIDER_NOT_FOUND


@pytest.mark.req("F-04")
def test_one_object_for_each_user_and_locale(registered: Registered, log: list[Any]) -> None:
    name = registered.register(more="PerUserInitialization = TRUE; PerLocaleInitialization = TRUE;")
    other = host.owner()._replace(sid="S-1-22-1-4711", locale="MS_407")
    first = registered.collect(ops.GetObject(f"{name}=1")).objects[0].Owner
    theirs = registered.connect("root\\default", caller=other)
    second = registered.collect(ops.GetObject(f"{name}=1"), services=theirs).objects[0].Owner
    assert "S-1-22-1-4711" in second
    assert "MS_407" in second
    assert first != second
    registered.collect(ops.GetObject(f"{name}=2"), services=theirs)
    assert sum(entry[0] == "initialize" for entry in log) == 2


@pytest.mark.req("F-04", "A-320", "A-323")
def test_a_security_descriptor_says_which_remote_callers_are_served(registered: Registered) -> None:
    name = registered.register(
        more='SecurityDescriptor = "O:BAG:BAD:(D;;CC;;;S-1-5-21-7)(A;;CC;;;BA)(A;;GA;;;SY)'
        '(A;;GR;;;S-1-5-21-8)(A;;GW;;;S-1-5-21-9)";'
    )
    assert query_status(registered, name) == 0  # the owner
    query = ops.ExecQuery(f"SELECT * FROM {name}")
    for groups, code in (
        ((), s.WBEM_E_ACCESS_DENIED),
        (("S-1-5-32-544",), 0),
        (("S-1-5-18",), 0),
        (("S-1-5-21-8",), 0),  # generic read means the same as ENABLE
        (("S-1-5-21-9",), s.WBEM_E_ACCESS_DENIED),
        (("S-1-5-32-544", "S-1-5-21-7"), s.WBEM_E_ACCESS_DENIED),
    ):
        who = Caller("S-1-5-21-1-2-3-1001", "alice", groups, remote=True)
        assert registered.status(query, services=registered.connect("root\\default", caller=who)) == code
    wrong = registered.register(more='SecurityDescriptor = "everybody";')
    assert query_status(registered, wrong) == s.WBEM_E_INVALID_PROVIDER_REGISTRATION


@pytest.mark.req("F-02", "F-04")
@pytest.mark.parametrize("code", ["Stuck", "StuckAsynchronously"])
@pytest.mark.slow
def test_a_provider_that_does_not_answer_in_time(registered: Registered, code: str) -> None:
    name = registered.register(code, more='OperationTimeoutInterval = "00000000000000.050000:000";')
    sink = registered.collect(ops.ExecQuery(f"SELECT * FROM {name}"))
    assert sink.outcome is not None
    assert sink.outcome.status == s.WBEM_E_PROVIDER_TIMED_OUT
    assert [one.Number for one in sink.objects] == [1]
    assert registered.status(ops.GetObject(f"{name}=1")) == s.WBEM_E_PROVIDER_TIMED_OUT
    quick = registered.register(more='OperationTimeoutInterval = "00000000000100.000000:000";')
    assert numbers(registered, f"SELECT * FROM {quick}") == [0, 1, 2, 3, 4]


@pytest.mark.req("F-02", "F-04")
def test_a_provider_that_is_not_initialized_in_time(registered: Registered) -> None:
    name = registered.register(
        "SlowStart", more='InitializationTimeoutInterval = "00000000000000.050000:000";'
    )
    assert query_status(registered, name) == s.WBEM_E_PROVIDER_TIMED_OUT


@pytest.mark.req("A-093", "B-03")
def test_registrations_of_one_provider_stand_side_by_side(registered: Registered) -> None:
    """Their key is made in each of the classes, not in the base class that declares the property."""
    name = registered.register(
        registrations="instance of __MethodProviderRegistration { provider = $P; };"
        f"instance of {INSTANCES} {{ provider = $P; SupportsGet = TRUE; }};"
        "instance of __EventProviderRegistration { provider = $P; };"
    )
    found = registered.collect(ops.ExecQuery("SELECT * FROM __ProviderRegistration")).objects
    assert sum(name in one.provider for one in found) == 3


@pytest.mark.req("F-23")
def test_each_class_is_asked_for_its_own_and_what_is_too_much_is_trimmed(
    registered: Registered, log: list[Any]
) -> None:
    base = registered.register(
        registrations=f"instance of {INSTANCES} {{ provider = $P; SupportsEnumeration = TRUE; }};"
    )
    registered.compile(f'[dynamic, provider("{base}")] class {base}Below : {base} {{ uint32 More; }};')
    log.clear()
    rows = [
        (one.classname_, one.Number)
        for one in registered.collect(ops.ExecQuery(f"SELECT * FROM {base}")).objects
    ]
    assert sorted(rows) == sorted((name, number) for name in (base, f"{base}Below") for number in range(5))
    assert [entry[0] for entry in log if entry[0] != "initialize"] == ["instances", "instances"]


@pytest.mark.req("F-23")
def test_columns_that_the_class_does_not_have_are_left_out() -> None:
    from openwmi import sync, testing

    testing.provide(
        "root\\trimmed",
        "class Trimmed { [key] uint32 Id; };",
        instances=lambda: [{"Id": 1, "Unknown": "x"}],
        get=lambda keys: {**keys, "Unknown": "x"},
    )
    with sync.connect("root\\trimmed") as wmi:
        assert [one.as_dict_() for one in wmi.query("SELECT * FROM Trimmed")] == [{"Id": 1}]
        assert wmi.get("Trimmed=1").as_dict_() == {"Id": 1}
