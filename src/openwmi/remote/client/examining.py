"""How far one gets with another machine, step by step, and what to do about the step that fails.

The same steps that a connection takes (`machine.Machine.reach`), one finding each: name, port, resolver, authentication
and activation, the exporter's port, log-on, rights, one row, and the way back for callbacks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from openwmi.contract import flags as f
from openwmi.contract.operations import ExecMethod, ExecQuery
from openwmi.model.errors import WbemError
from openwmi.model.status import WBEM_E_INVALID_CLASS, WBEM_E_NOT_FOUND
from openwmi.remote.client.machine import Machine
from openwmi.remote.client.services import RemoteServices
from openwmi.remote.outbound.channel import Channel
from openwmi.remote.outbound.dialling import NoSuchName, look_up
from openwmi.remote.outbound.failures import unreachable
from openwmi.remote.outbound.resolving import server_alive2
from openwmi.wire.dcom.guids import IObjectExporter
from openwmi.wire.rpc import AuthLevel

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from openwmi.contract.outcome import Outcome
    from openwmi.model.batches import Batch
    from openwmi.remote.client.credentials import Credentials
    from openwmi.remote.client.settings import Settings
    from openwmi.remote.places import Address

_ROW: Final = "SELECT Caption, Version FROM Win32_OperatingSystem"
_ANY: Final = "SELECT Name FROM __NAMESPACE"


class Finding(NamedTuple):
    """One step. ok: None where it says something and decides nothing; failure: why it did not work."""

    step: str
    ok: bool | None
    text: str
    failure: WbemError | None = None


class _Heard:
    """A sink that keeps what it hears."""

    def __init__(self) -> None:
        self.objects: list[object] = []

    def on_objects(self, batch: Batch) -> None:
        self.objects.extend(batch)

    def on_progress(self, progress: object) -> None:
        pass

    def on_completed(self, outcome: Outcome) -> None:
        pass


class _Buffer(_Heard):
    credit = 1000


async def examine(
    resolver: Address, namespace: str, credentials: Credentials, settings: Settings
) -> AsyncIterator[Finding]:
    """The findings, as they are made; the first that is not ok is the last but for those that only say something."""
    step = "name"
    try:
        yield Finding(step, True, await _name(resolver))
        step = "port"
        channel = await Channel.open(resolver, IObjectExporter, network=settings.network)
        await channel.close()
        yield Finding(step, True, f"TCP {resolver.port} is open and speaks DCE/RPC")
        step = "resolver"
        yield Finding(step, True, await _alive(resolver, settings))
        step = "activation"
        machine = await Machine.reach(resolver, credentials, settings)
    except WbemError as reason:
        yield Finding(_step_of(step, reason), False, reason.message, reason)
        return
    try:
        async for finding in _inside(machine, namespace):
            yield finding
    finally:
        await machine.close()


def _step_of(step: str, reason: WbemError) -> str:
    """Connecting has several steps in one: the error's phase says which of them it was."""
    if step != "activation":
        return step
    phases = {"connect": "dynamic port", "bind": "authentication", "RemoteCreateInstance": "authentication"}
    return phases.get(reason.phase or "", step)


async def _name(resolver: Address) -> str:
    try:
        found = await look_up(resolver.host)
    except NoSuchName as reason:
        raise unreachable(resolver, "name", f"it has no address: {reason}") from None
    return f"{resolver.host} is {', '.join(found)}"


async def _alive(resolver: Address, settings: Settings) -> str:
    answer = await server_alive2(resolver, network=settings.network)
    bindings = answer.bindings.strings if answer.bindings else ()
    names = ", ".join(binding.address for binding in bindings)
    return f"ServerAlive2: DCOM {answer.version.major}.{answer.version.minor}, at {names}"


async def _inside(machine: Machine, namespace: str) -> AsyncIterator[Finding]:
    """What there is to find once the machine has let us in."""
    how = "NTLMv2" if machine.by_ntlm else "Kerberos"
    level = "packet privacy" if machine.channel.level >= AuthLevel.PRIVACY else "packet integrity"
    yield Finding("authentication", True, f"{how}, {level}")
    yield Finding("activation", True, "WMI's log-on object is made")
    yield Finding("dynamic port", True, f"the exporter is on TCP {machine.channel.remote.port}")
    step = "log-on"
    try:
        proxy = await machine.log_on(namespace)
        services = RemoteServices(machine, proxy, namespace, None)
        yield Finding(step, True, f"{namespace} is open")
        step = "rights"
        yield Finding(step, None, await _rights(services))
        step = "one row"
        yield Finding(step, True, await _row(services))
        step = "callbacks"
        yield await _callbacks(services)
        await services.close()
    except WbemError as reason:
        yield Finding(step, False, reason.message, reason)


async def _rights(services: RemoteServices) -> str:
    sink = _Buffer()
    call = await services.start(ExecMethod("__SystemSecurity=@", "GetCallerAccessRights"), sink)
    outcome = await call
    mask = getattr(sink.objects[0], "rights", None) if outcome.ok and sink.objects else None
    if not isinstance(mask, int):
        return "the server does not tell them"
    return f.right_names(mask) or "none"


async def _row(services: RemoteServices) -> str:
    sink = _Buffer()
    outcome = await (await services.start(ExecQuery(_ROW), sink))
    if outcome.status in (WBEM_E_INVALID_CLASS, WBEM_E_NOT_FOUND):  # not every namespace has that class
        (await (await services.start(ExecQuery(_ANY), sink))).raise_()
        return f"queries are answered; {len(sink.objects)} namespaces are below"
    outcome.raise_()
    if not sink.objects:
        return "the query gave no row"
    found = sink.objects[0]
    return f"{getattr(found, 'Caption', None)} {getattr(found, 'Version', None) or ''}".rstrip()


async def _callbacks(services: RemoteServices) -> Finding:
    sink = _Heard()
    outcome = await (await services.start(ExecQuery(_ANY), sink))
    choice = await services.delivery()
    if not outcome.ok:
        return Finding("callbacks", False, choice.why, outcome.as_error())
    return Finding("callbacks", True if choice.mode == "sink" else None, f"{choice.mode}: {choice.why}")
