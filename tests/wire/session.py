"""A whole WMI session in memory, from ServerAlive2 to the last release, callbacks and a fault among it.

What the client says and what the server says is fixed; the connections are real ones, at any level.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from openwmi.contract.context import Context
from openwmi.contract.operations import ExecMethod, ExecQuery, GetObject
from openwmi.model.cimtypes import CimType
from openwmi.model.classes import Class, ClassDeclaration, Property, derive
from openwmi.model.qualifiers import EMPTY, Qualifier, QualifierSet
from openwmi.wire.dcom import activation, exporter, guids, objref, remunknown
from openwmi.wire.dcom.bindings import OFFERED, DualStringArray, tcp
from openwmi.wire.dcom.method import Method
from openwmi.wire.dcom.orpc import OrpcThis
from openwmi.wire.dcom.properties import (
    InstantiationInfo,
    PropsOutInfo,
    ScmReply,
    ScmReplyInfo,
    ScmRequest,
    ScmRequestInfo,
)
from openwmi.wire.rpc import AuthLevel, ClientConnection, ServerConnection, SyntaxId
from openwmi.wire.rpc import events as e
from openwmi.wire.wmi import enumerators, login, results, services
from openwmi.wire.wmi import guids as wmi
from openwmi.wire.wmi.contexts import write_context
from openwmi.wire.wmi.types import EMPTY as NO_OBJECT
from openwmi.wire.wmi.types import reference_to
from openwmi.wmio.arrays import ArrayEncoder

THIS = OrpcThis(UUID(int=0xC1D))
BINDINGS = DualStringArray((tcp("192.0.2.2", 135), tcp("server")), OFFERED)
LOGIN_IPID, SERVICES_IPID, ENUM_IPID, FETCH_IPID, SMART_IPID, SINK_IPID, REM_UNKNOWN = (
    UUID(int=0x1000 + number) for number in range(7)
)
PROXY = UUID(int=0x5EED)
INTERFACES = (
    guids.IObjectExporter,
    guids.IRemoteSCMActivator,
    wmi.IWbemLevel1Login,
    guids.IRemUnknown2,
    wmi.IWbemServices,
    wmi.IEnumWbemClassObject,
    wmi.IWbemFetchSmartEnum,
    wmi.IWbemWCOSmartEnum,
    wmi.IWbemObjectSink,
)


def a_class() -> Class:
    key = QualifierSet([Qualifier("key", True, CimType.BOOLEAN, 3)])
    members = (
        Property("Name", CimType.STRING, None, None, False, key, "Test_Thing", True),
        Property("Size", CimType.UINT64, None, None, False, EMPTY, "Test_Thing", True),
        Property("Notes", CimType.STRING | 0x2000, None, None, False, EMPTY, "Test_Thing", True),
    )
    declared = ClassDeclaration("Test_Thing", None, EMPTY, members, ())
    return derive(declared, None, namespace="root\\cimv2", server="SERVER")


CONTEXT = write_context(Context({"Word": "meaning", "Number": 7}))
THING = a_class().spawn({"Name": "Grün", "Size": 2**63, "Notes": ["a", "b"]})
OTHER = a_class().spawn({"Name": "second"})


def reference(iid: SyntaxId, ipid: UUID) -> bytes:
    return objref.Standard(iid.uuid, objref.StdObjRef(0, 5, 0xAB, 0xCD, ipid), BINDINGS).encode()


def _in_out(name: str, value: bytes | None) -> dict[str, Any]:
    return {name: value, "call_result": None, "result": 0}


def _outputs(method: Any, **values: Any) -> Any:
    return method.response.members.holds(**values)


class Step(NamedTuple):
    interface: SyntaxId
    ipid: UUID | None
    method: Any
    inputs: Any
    outputs: Any  # an int: a fault with this status


def steps() -> list[Step]:
    """The calls of the session and their answers."""
    asked = activation.activation_in(
        [
            InstantiationInfo(wmi.CLSID_WbemLevel1Login, (wmi.IWbemLevel1Login.uuid,)),
            ScmRequestInfo(ScmRequest()),
        ]
    )
    made = activation.activation_out(
        [
            PropsOutInfo((wmi.IWbemLevel1Login.uuid,), (0,), (reference(wmi.IWbemLevel1Login, LOGIN_IPID),)),
            ScmReplyInfo(ScmReply(0xAB, BINDINGS, REM_UNKNOWN, 5)),
        ]
    )
    query = services.method_of(ExecQuery("x"), asynchronous=False)
    get = services.method_of(GetObject("x"), asynchronous=False)
    call = services.method_of(ExecMethod("x", "y", None), asynchronous=False)
    encoder = ArrayEncoder(lambda: b"G" * 16)
    pages = [encoder.encode([THING]), encoder.encode([OTHER, THING])]
    sink = reference(wmi.IWbemObjectSink, SINK_IPID)
    query_async = services.method_of(ExecQuery("x"), asynchronous=True)
    return [
        Step(
            guids.IObjectExporter,
            None,
            exporter.SERVER_ALIVE2,
            exporter.Nothing(),
            exporter.ServerAlive2Answer(BINDINGS),
        ),
        Step(
            guids.IRemoteSCMActivator,
            None,
            activation.REMOTE_CREATE_INSTANCE,
            activation.CreateInstance(asked),
            activation.ActivationAnswer(made),
        ),
        Step(
            wmi.IWbemLevel1Login,
            LOGIN_IPID,
            login.NTLM_LOGIN,
            login.NtlmLogin("//./root/cimv2"),
            login.LoginAnswer(reference(wmi.IWbemServices, SERVICES_IPID)),
        ),
        Step(
            wmi.IWbemServices,
            SERVICES_IPID,
            query,
            services.inputs_of(ExecQuery("SELECT * FROM Test_Thing"), 0x30, CONTEXT),
            _outputs(query, enumerator=reference(wmi.IEnumWbemClassObject, ENUM_IPID), result=0),
        ),
        Step(
            guids.IRemUnknown2,
            REM_UNKNOWN,
            remunknown.REM_QUERY_INTERFACE,
            remunknown.QueryInterface(ENUM_IPID, 5, (wmi.IWbemFetchSmartEnum.uuid,)),
            remunknown.QueryInterfaceAnswer(
                (remunknown.QueryInterfaceResult(0, objref.StdObjRef(0, 5, 0xAB, 0xCE, FETCH_IPID)),), 0
            ),
        ),
        Step(
            wmi.IWbemFetchSmartEnum,
            FETCH_IPID,
            enumerators.GET_SMART_ENUM,
            enumerators.Nothing(),
            enumerators.EnumeratorAnswer(reference(wmi.IWbemWCOSmartEnum, SMART_IPID)),
        ),
        *[
            Step(
                wmi.IWbemWCOSmartEnum,
                SMART_IPID,
                enumerators.SMART_NEXT,
                enumerators.SmartNext(PROXY, -1, 100),
                enumerators.SmartNextAnswer(number + 1, page, number),
            )
            for number, page in enumerate(pages)
        ],
        Step(
            wmi.IEnumWbemClassObject,
            ENUM_IPID,
            enumerators.NEXT,
            enumerators.Next(1000, 2),
            enumerators.NextAnswer((reference_to(THING), reference_to(OTHER)), 0, 2),
        ),
        Step(
            wmi.IWbemServices,
            SERVICES_IPID,
            get,
            services.inputs_of(GetObject("Test_Thing"), 0),
            _outputs(get, **_in_out("found", reference_to(a_class()))),
        ),
        Step(
            wmi.IWbemServices,
            SERVICES_IPID,
            call,
            services.inputs_of(ExecMethod("Test_Thing", "Do", OTHER), 0),
            _outputs(call, **_in_out("found", NO_OBJECT)),
        ),
        Step(
            wmi.IWbemServices,
            SERVICES_IPID,
            query_async,
            services.inputs_of(ExecQuery("SELECT * FROM Test_Thing"), 0, sink=sink),
            _outputs(query_async, result=0),
        ),
        Step(
            wmi.IWbemObjectSink,
            SINK_IPID,
            results.INDICATE,
            results.Indicate((reference_to(THING),)),
            login.Result(),
        ),
        Step(
            wmi.IWbemObjectSink,
            SINK_IPID,
            results.SET_STATUS,
            results.SetStatus(0, 0x80041002, "gone"),
            login.Result(),
        ),
        Step(
            guids.IRemUnknown2,
            REM_UNKNOWN,
            remunknown.REM_RELEASE,
            remunknown.References((remunknown.InterfaceRef(SERVICES_IPID, 5),)),
            remunknown.ReleaseAnswer(0),
        ),
        Step(wmi.IEnumWbemClassObject, ENUM_IPID, enumerators.RESET, enumerators.Nothing(), 0x80010108),
    ]


class Carried(NamedTuple):
    """What went over the wire: (from the client, bytes), in order."""

    chunks: list[tuple[bool, bytes]]
    client: ClientConnection
    server: ServerConnection


def played(
    context: Callable[[], Any] | None,
    accept: Callable[[int, int], Any],
    level: int = AuthLevel.PRIVACY,
    *,
    watch: Callable[[ClientConnection, ServerConnection], None] | None = None,
    on_one_context: bool = False,
    calls: Sequence[Step] | None = None,
) -> Carried:
    """Run the session. on_one_context: as aiowmi does, all calls under the last presentation context of the bind."""
    calls = steps() if calls is None else calls
    client, server = ClientConnection(), ServerConnection(lambda _: True, accept, address="135")
    if watch is not None:
        watch(client, server)
    chunks: list[tuple[bool, bytes]] = []
    happened: list[Any] = []

    def carry() -> None:
        while (up := client.take()) or server._leaving:
            if up:
                chunks.append((True, up))
                happened.extend(server.receive(up))
            down = server.take()
            if down:
                chunks.append((False, down))
                happened.extend(client.receive(down))

    bound = INTERFACES[:3] if on_one_context else INTERFACES
    client.bind(
        list(enumerate(bound)), context() if context else None, level=level if context else AuthLevel.NONE
    )
    carry()
    for step in calls:
        number = INTERFACES.index(step.interface)
        plain = isinstance(step.method, Method)
        stub = step.method.call(step.inputs) if plain else step.method.call(step.inputs, THIS)
        client.request(min(number, len(bound) - 1), step.method.opnum, stub, object_id=step.ipid)
        carry()
        call = next(event for event in reversed(happened) if isinstance(event, e.RequestReceived))
        if isinstance(step.outputs, int):
            server.fault(call.call_id, step.outputs, executed=False)
        else:
            server.respond(call.call_id, step.method.answer(step.outputs))
        carry()
    answers = [event for event in happened if isinstance(event, e.ResponseReceived | e.FaultReceived)]
    assert len(answers) == len(calls)
    return Carried(chunks, client, server)
