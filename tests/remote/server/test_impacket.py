"""impacket, unmodified, against our server over sockets: wmiquery.py as a program, and its classes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.remote.server.impacket_kit import close_everything
from tests.remote.server.serving import NAMESPACE, PASSWORD, Served, listen_on_135, rows

from openwmi.contract.operations import CreateInstanceEnum, GetObject
from openwmi.faces.views import perform
from openwmi.model import status
from openwmi.model.errors import NotFound
from openwmi.mof import compile as compile_mof
from openwmi.wire.wmi.types import reference_to
from openwmi.wmio import decode

rpcrt = pytest.importorskip("impacket.dcerpc.v5.rpcrt")
dcomrt = pytest.importorskip("impacket.dcerpc.v5.dcomrt")
wmi = pytest.importorskip("impacket.dcerpc.v5.dcom.wmi")
NULL = pytest.importorskip("impacket.dcerpc.v5.dtypes").NULL

LEVELS = {
    "integrity": rpcrt.RPC_C_AUTHN_LEVEL_PKT_INTEGRITY,
    "privacy": rpcrt.RPC_C_AUTHN_LEVEL_PKT_PRIVACY,
}
PROGRAM = Path(sys.executable).with_name("wmiquery.py")
SLASHED = "//./" + NAMESPACE.replace("\\", "/")
S_FALSE = "0x1"


class Client:
    """A log-on of impacket's, one level for everything."""

    def __init__(self, address: str, level: int, user: str = "ada", password: str = PASSWORD) -> None:
        self.dcom = dcomrt.DCOMConnection(address, user, password, "", authLevel=level, oxidResolver=False)
        self.level = level

    def log_in(self, namespace: str = SLASHED) -> Any:
        made = self.dcom.CoCreateInstanceEx(wmi.CLSID_WbemLevel1Login, wmi.IID_IWbemLevel1Login)
        login = wmi.IWbemLevel1Login(made)
        services = login.NTLMLogin(namespace, NULL, NULL)
        services.get_dce_rpc().set_auth_level(self.level)
        login.RemRelease()
        return services


@pytest.fixture(params=LEVELS)
def client(request: pytest.FixtureRequest, on_135: str) -> Iterator[Client]:
    made = Client(on_135, LEVELS[request.param])
    yield made
    close_everything()


@pytest.fixture
def connect(on_135: str) -> Iterator[Callable[..., Client]]:
    clients: list[Client] = []

    def made(**options: Any) -> Client:
        clients.append(Client(on_135, LEVELS["privacy"], **options))
        return clients[-1]

    yield made
    close_everything()


def all_of(enumerator: Any) -> list[Any]:
    found = []
    for _ in range(1000):
        try:
            found.append(enumerator.Next(0xFFFFFFFF, 1)[0])
        except Exception as reason:
            assert S_FALSE in str(reason) or "S_FALSE" in str(reason), reason
            return found
    raise AssertionError("the enumeration never ends")


def properties(found: Any) -> dict[str, Any]:
    return {name: column["value"] for name, column in found.getProperties().items()}


def program(
    address: str, tmp_path: Path, *queries: str, options: tuple[str, ...] = (), user: str = ""
) -> Any:
    script = tmp_path / "queries.txt"
    script.write_text("\n".join(queries) + "\n")
    return subprocess.run(
        [
            sys.executable,
            PROGRAM,
            "-file",
            script,
            "-namespace",
            SLASHED,
            *options,
            f"{user or f'ada:{PASSWORD}'}@{address}",
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.slow
def test_wmiquery_where_port_135_only_leads_to_the_objects(served: Served, tmp_path: Path) -> None:
    done = program(listen_on_135(served, objects=0), tmp_path, "SELECT N, S FROM Row WHERE N < 3")
    assert "| 0 | s0 | \n| 1 | s1 | \n| 2 | s2 | \n" in done.stdout, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("level", LEVELS)
def test_wmiquery_as_a_program(on_135: str, tmp_path: Path, level: str) -> None:
    queries = (
        "SELECT N, S FROM Row WHERE N < 3",
        "SELECT * FROM Item WHERE Id = 1",
        "SELECT * FROM Nothing",
        "SELECT",
    )
    done = program(on_135, tmp_path, *queries, options=("-rpc-auth-level", level))
    assert done.returncode == 0, done.stderr
    assert "| 0 | s0 | \n| 1 | s1 | \n| 2 | s2 | \n" in done.stdout
    assert "plain" in done.stdout
    assert "WBEM_E_INVALID_CLASS" in done.stdout
    assert "WBEM_E_INVALID_QUERY" in done.stdout


@pytest.mark.slow
def test_wmiquery_with_a_wrong_password_and_a_wrong_namespace(on_135: str, tmp_path: Path) -> None:
    done = program(on_135, tmp_path, "SELECT * FROM Row", user="ada:wrong")
    assert "rpc_s_access_denied" in done.stdout
    assert "| " not in done.stdout
    done = program(on_135, tmp_path, "SELECT * FROM Row", options=("-namespace", "//./root/nowhere"))
    assert "WBEM_E_INVALID_NAMESPACE" in done.stdout


@pytest.mark.slow
def test_one_connection_activates_more_than_once(client: Client) -> None:
    """impacket binds anew for it on the same connection, which ends what was proven there before."""
    first, second = client.log_in(), client.log_in()
    for services in (second, first):
        found = services.ExecQuery("SELECT N FROM Row WHERE N < 3")
        assert [properties(row)["N"] for row in all_of(found)] == [0, 1, 2]
        found.RemRelease()


def test_a_context_keeps_the_level_that_it_was_made_with(connect: Callable[..., Client]) -> None:
    """Lower: refused, as the keys are those of another level; a new context at the lower level is another thing."""
    enumerator = connect().log_in().ExecQuery("SELECT N FROM Row")
    enumerator.get_dce_rpc().set_auth_level(rpcrt.RPC_C_AUTHN_LEVEL_PKT_INTEGRITY)
    assert properties(enumerator.Next(0xFFFFFFFF, 1)[0])["N"] == 0, "a context of its own, at integrity"
    enumerator.get_dce_rpc().set_auth_level(rpcrt.RPC_C_AUTHN_LEVEL_PKT_PRIVACY)
    with pytest.raises(rpcrt.DCERPCException, match="access_denied"):
        enumerator.Next(0xFFFFFFFF, 1)


@pytest.mark.slow
def test_every_row_of_a_query(client: Client) -> None:
    services = client.log_in()
    enumerator = services.ExecQuery("SELECT N, S FROM Row")
    found = [properties(one) for one in all_of(enumerator)]
    assert found == rows(250)
    enumerator.RemRelease()
    enumerator.RemRelease()
    services.RemRelease()


def test_nothing_is_left_of_what_was_released(served: Served, connect: Callable[..., Client]) -> None:
    before = len(served.server.exporter)
    services = connect().log_in()
    enumerator = services.ExecQuery("SELECT N, S FROM Row")
    enumerator.Next(0xFFFFFFFF, 1)
    assert len(served.server.exporter) == before + 2
    enumerator.RemRelease()
    services.RemRelease()
    assert len(served.server.exporter) == before


@pytest.mark.slow
def test_several_objects_at_once_and_the_end(client: Client) -> None:
    services = client.log_in()
    enumerator = services.ExecQuery("SELECT N FROM Row WHERE N < 7", lFlags=0x30)
    assert [properties(one)["N"] for one in enumerator.Next(0xFFFFFFFF, 5)] == [0, 1, 2, 3, 4]
    with pytest.raises(Exception, match="S_FALSE|0x1"):
        enumerator.Next(0xFFFFFFFF, 5)


# Where impacket shows something else than what is there (wire.md 7.9): it ignores the bit that says that a number is
# NULL, shows booleans as text, and a class default in an instance as None.
NUMBERS = frozenset({"U8", "S8", "U16", "S16", "U32", "S32", "U64", "S64", "Letter", "Yes", "No"})
ALL_ONES = frozenset({"", "-1", *(str((1 << bits) - 1) for bits in (8, 16, 32, 64))})
# What may change while one looks, and change back.
VOLATILE = frozenset(
    {
        *("NumberOfProcesses", "NumberOfUsers", "FreePhysicalMemory", "FreeSpaceInPagingFiles"),
        *("FreeVirtualMemory", "LocalDateTime", "LoadPercentage", "CurrentClockSpeed", "FreeSpace"),
    }
)
NULLS = (None, 0, 65535, "65535", "True", "False")


def agrees(name: str, shown: Any, value: Any) -> bool:
    if value is None and name in NUMBERS:
        return shown in NULLS
    if name == "Preset":
        return shown is None
    if name in ("Inner", "Inners"):  # given as bytes, in effect
        units = [] if shown is None else shown if isinstance(shown, list) else [shown]
        objects = [] if value is None else value if isinstance(value, tuple) else [value]
        return [str(decode(unit.getData())) for unit in units] == [str(one) for one in objects]
    if isinstance(value, bool):
        return bool(shown == str(value))
    if name == "Flags":
        return (shown or None) == (None if value is None else [0xFFFF if one else 0 for one in value])
    if isinstance(value, tuple):
        return [str(one) for one in shown] == [str(one) for one in value]
    return bool(shown == value)


@pytest.mark.slow
def test_values_equal_the_embedded_service(served: Served, client: Client) -> None:
    async def embedded() -> dict[int, Any]:
        found = await perform(await served.services(), CreateInstanceEnum("Item"))
        return {one.get_("Id"): one for one in found.objects}  # type: ignore[union-attr]

    expected = served.run(embedded)
    services = client.log_in()
    found = all_of(services.CreateInstanceEnum("Item"))
    assert len(found) == len(expected) == 2
    for one in found:
        shown = properties(one)
        mine = expected[shown["Id"]]
        assert set(shown) == set(mine.layout_.names)
        wrong = {
            name: (shown[name], mine.raw_(name))
            for name in mine.layout_.names
            if not agrees(name, shown[name], mine.raw_(name))
        }
        assert wrong == {}


@pytest.mark.slow
def test_get_object_of_classes_and_instances(served: Served, client: Client) -> None:
    services = client.log_in()
    found, _ = services.GetObject("Item.Id=1")
    assert properties(found)["Text"] == "plain"
    assert found.getClassName() == "Item"
    found, _ = services.GetObject("Row")
    assert set(found.getMethods()) == {"Do", "Rest"}
    assert set(found.getProperties()) == {"N", "S"}
    for path, symbol in (
        ("Item.Id=99", "WBEM_E_NOT_FOUND"),
        ("Nothing", "WBEM_E_NOT_FOUND"),
        ("Item.Id=", "WBEM_E_INVALID_OBJECT_PATH"),
    ):
        with pytest.raises(Exception, match=symbol):
            services.GetObject(path)


@pytest.mark.slow
def test_a_method_with_parameters(client: Client) -> None:
    services = client.log_in()
    found, _ = services.GetObject("Row.N=3")
    answer = found.Do("abc", 3)
    assert (answer.ReturnValue, answer.Done, answer.Length) == (5, "abcabcabc", 9)


@pytest.mark.slow
def test_put_and_delete_instances(served: Served, client: Client) -> None:
    services = client.log_in()
    of_class, _ = services.GetObject("Item")
    one = of_class.SpawnInstance()
    one.Id = 1000
    one.Text = "by impacket"
    result = services.PutInstance(one.marshalMe())
    assert result.GetCallStatus(0) & 0xFFFFFFFF == 0

    async def text() -> Any:
        found = await perform(await served.services(), GetObject("Item.Id=1000"))
        return found.object.get_("Text")  # type: ignore[union-attr]

    assert served.run(text) == "by impacket"
    services.DeleteInstance("Item.Id=1000")
    with pytest.raises(NotFound):
        served.run(text)
    result = services.DeleteInstance("Item.Id=1000")
    assert result.GetCallStatus(0) & 0xFFFFFFFF == status.WBEM_E_NOT_FOUND


@pytest.mark.slow
def test_a_right_that_is_not_held(served: Served, connect: Callable[..., Client]) -> None:
    services = connect(user="bob").log_in()
    of_class, _ = services.GetObject("Item")
    one = of_class.SpawnInstance()
    one.Id = 2000
    result = services.PutInstance(one.marshalMe())
    assert result.GetCallStatus(0) & 0xFFFFFFFF == status.WBEM_E_ACCESS_DENIED


@pytest.mark.slow
def test_wrong_password_namespace_class(connect: Callable[..., Client]) -> None:
    with pytest.raises(Exception, match="rpc_s_access_denied"):
        connect(password="wrong").log_in()
    with pytest.raises(Exception, match="rpc_s_access_denied"):
        connect(user="mallory").log_in()
    with pytest.raises(Exception, match="WBEM_E_INVALID_NAMESPACE"):
        connect().log_in("//./root/nowhere")
    services = connect().log_in()
    enumerator = services.ExecQuery("SELECT * FROM Nothing", lFlags=0x30)
    with pytest.raises(Exception, match="WBEM_E_INVALID_CLASS"):
        enumerator.Next(0xFFFFFFFF, 1)
    with pytest.raises(Exception, match="WBEM_E_INVALID_CLASS"):
        services.ExecQuery("SELECT * FROM Nothing")


@pytest.mark.slow
@pytest.mark.parametrize("form", ["//./{0}", "\\\\.\\{0}", "\\\\anyhost\\{0}", "{0}", "//anyhost/{0}"])
def test_forms_of_the_resource(connect: Callable[..., Client], form: str) -> None:
    for namespace in (NAMESPACE, NAMESPACE.upper(), NAMESPACE.replace("\\", "/")):
        connect().log_in(form.format(namespace)).RemRelease()


@pytest.mark.req("calls:A33", "calls:A34")
def test_the_small_methods_of_the_log_in(connect: Callable[..., Client]) -> None:
    made = connect().dcom.CoCreateInstanceEx(wmi.CLSID_WbemLevel1Login, wmi.IID_IWbemLevel1Login)
    login = wmi.IWbemLevel1Login(made)
    assert login.EstablishPosition() == 1
    with pytest.raises(Exception, match="WBEM_E_NOT_SUPPORTED"):
        login.RequestChallenge()
    with pytest.raises(Exception, match="E_NOTIMPL|0x80004001"):
        login.WBEMLogin()
    client_id = wmi.IWbemLoginClientID(login.RemQueryInterface(1, (wmi.IID_IWbemLoginClientID,)))
    assert client_id.SetClientInfo("somewhere", 7)["ErrorCode"] == 0
    helper = wmi.IWbemLoginHelper(login.RemQueryInterface(1, (wmi.IID_IWbemLoginHelper,)))
    assert helper.SetEvent("an event")["ErrorCode"] == 0


def test_a_class_that_is_not_registered(connect: Callable[..., Client]) -> None:
    with pytest.raises(Exception, match="REGDB_E_CLASSNOTREG"):
        connect().dcom.CoCreateInstanceEx(b"\1" * 16, wmi.IID_IWbemLevel1Login)


class Reference(bytes):
    """What impacket takes for an object."""

    def getData(self) -> bytes:
        return bytes(self)


def put_class(services: Any, reference: bytes, flags: int = 0) -> int:
    result = services.PutClass(Reference(reference), lFlags=flags)
    return int(result.GetCallStatus(-1)) & 0xFFFFFFFF


@pytest.mark.slow
def test_put_and_delete_classes(served: Served, client: Client) -> None:
    async def made() -> bytes:
        await compile_mof("class Made { [key] uint32 N; string S; };", await served.services())
        found = await perform(await served.services(), GetObject("Made"))
        assert found.object is not None
        return reference_to(found.object)

    reference = served.run(made)
    services = client.log_in()
    assert put_class(services, reference, flags=2) == status.WBEM_E_ALREADY_EXISTS
    result = services.DeleteClass("Made")
    assert result.GetCallStatus(-1) & 0xFFFFFFFF == 0
    with pytest.raises(Exception, match="WBEM_E_NOT_FOUND"):
        services.GetObject("Made")
    assert put_class(services, reference) == 0
    found, _ = services.GetObject("Made")
    assert set(found.getProperties()) == {"N", "S"}
    result = services.DeleteClass("Nothing")
    assert result.GetCallStatus(-1) & 0xFFFFFFFF == status.WBEM_E_NOT_FOUND


@pytest.mark.slow
@pytest.mark.parametrize(
    "class_name", ["Win32_OperatingSystem", "Win32_ComputerSystem", "Win32_Processor", "Win32_LogicalDisk"]
)
def test_classes_of_this_machine_show_what_they_show_here(
    served: Served, connect: Callable[..., Client], class_name: str
) -> None:
    """Whatever stays the same over two looks is the same over the wire, but for impacket's own faults."""

    async def look() -> list[Any]:
        services = await served.services("root\\cimv2")
        return list((await perform(services, CreateInstanceEnum(class_name))).objects)

    before = served.run(look)
    services = connect().log_in("//./root/cimv2")
    shown = [properties(one) for one in all_of(services.ExecQuery(f"SELECT * FROM {class_name}"))]
    after = served.run(look)
    assert len(shown) == len(before) == len(after) > 0
    compared = 0
    for mine, again, theirs in zip(before, after, shown, strict=True):
        for name in mine.layout_.names:
            value = mine.raw_(name)
            if (
                name in VOLATILE
                or value != again.raw_(name)
                or mine.defaults_ >> mine.layout_.index[name.lower()] & 1
            ):
                continue
            compared += 1
            if value is None:
                assert theirs[name] in NULLS or str(theirs[name]) in ALL_ONES, name
            elif isinstance(value, bool):
                assert theirs[name] == str(value), name
            elif isinstance(value, tuple):
                assert [str(one) for one in theirs[name] or ()] == [str(one) for one in value], name
            else:
                assert theirs[name] == value, name
    assert compared >= 20


def numbers(enumerator: Any, count: int) -> list[int]:
    return [properties(row)["N"] for row in enumerator.Next(0xFFFFFFFF, count)]


@pytest.mark.req("calls:F12", "calls:F13", "calls:F18", "calls:F19")
def test_an_enumerator_can_be_skipped_cloned_and_reset(client: Client) -> None:
    services = client.log_in()
    enumerator = services.CreateInstanceEnum("Row")
    assert enumerator.Skip(1000, 10)["ErrorCode"] == 0
    assert numbers(enumerator, 3) == [10, 11, 12]
    made = enumerator.Clone()
    connection = dcomrt.INTERFACE(
        enumerator.get_cinstance(),
        b"".join(made["ppEnum"]["abData"]),
        enumerator.get_ipidRemUnknown(),
        target=enumerator.get_target(),
    )
    twin = wmi.IEnumWbemClassObject(connection, services)
    assert enumerator.Reset()["ErrorCode"] == 0
    assert numbers(enumerator, 1) == [0]
    assert numbers(twin, 1) == [13]
    forward = services.ExecQuery("SELECT N FROM Row", lFlags=0x30)
    with pytest.raises(Exception, match="WBEM_E_INVALID_OPERATION"):
        forward.Reset()


@pytest.mark.slow
@pytest.mark.req("calls:B84", "calls:F3", "calls:F6")
def test_events_are_pulled(served: Served, client: Client) -> None:
    services = client.log_in()
    query = "SELECT * FROM __InstanceCreationEvent WHERE TargetInstance ISA 'Item'"
    with pytest.raises(Exception, match="WBEM_E_INVALID_PARAMETER"):
        services.ExecNotificationQuery(query)
    events = services.ExecNotificationQuery(query, 0x30)
    with pytest.raises(Exception, match="WBEM_S_TIMEDOUT"):
        events.Next(0, 1)
    item, _ = services.GetObject("Item")
    new = item.SpawnInstance()
    new.Id = 901
    services.PutInstance(new.marshalMe())
    (event,) = events.Next(10_000, 1)
    target = properties(event)["TargetInstance"]["ObjectBlock"]
    target.parseObject()
    assert target.ctCurrent["properties"]["Id"]["value"] == 901
    services.DeleteInstance("Item.Id=901")
    services.RemRelease()
    with pytest.raises(Exception, match="WBEM_E_CALL_CANCELLED"):
        events.Next(10_000, 1)


@pytest.mark.req("calls:B6", "calls:D2")
def test_no_asynchronous_method_takes_a_null_sink(connect: Callable[..., Client]) -> None:
    """All ten, and CancelAsyncCall."""
    services = connect().log_in()
    objects = {"pObject", "pInst", "pInParams", "pCtx", "pResponseHandler", "IWbemObjectSink"}
    requests = [
        value
        for name, value in vars(wmi).items()
        if name.startswith("IWbemServices_")
        and (name.endswith("Async") or name == "IWbemServices_CancelAsyncCall")
    ]
    assert len(requests) == 11
    for kind in requests:
        request = kind()
        for name, _ in request.structure:
            if name in objects:
                request[name] = NULL
            elif name == "lFlags":
                request[name] = 0
            else:
                request[name]["asData"] = {
                    "strQueryLanguage": "WQL\0",
                    "strQuery": "SELECT * FROM Row\0",
                }.get(name, "Row\0")
        with pytest.raises(Exception, match="WBEM_E_INVALID_PARAMETER"):
            services.request(request, iid=wmi.IID_IWbemServices, uuid=services.get_iPid())
    assert [properties(row)["N"] for row in all_of(services.ExecQuery("SELECT N FROM Row WHERE N < 2"))] == [
        0,
        1,
    ]
