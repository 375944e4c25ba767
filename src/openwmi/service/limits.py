"""The singletons in root that hold the service's limits: there from the start with the documented defaults, and, but
for __CIMOMIdentification, to be changed by whoever may write to root (calls.md H5, H6, H10, H11; model.md B-41, B-42).

What is stored overrides the defaults; deleting it brings them back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from openwmi.model.datetimes import sort_key

if TYPE_CHECKING:
    from openwmi.model.classes import Class
    from openwmi.model.instances import Instance
    from openwmi.repository.repository import Change
    from openwmi.service.core import Service
    from openwmi.service.namespaces import Namespace, Namespaces
    from openwmi.service.settings import Settings

ROOT: Final = "root"
IDENTIFICATION: Final = "__cimomidentification"
ARBITRATOR: Final = "__arbitratorconfiguration"
# Of every namespace: what keeps its security (service.access), and the qualifiers that set it (I23, I24).
NAMESPACE: Final = "__namespace"
THIS: Final = "__thisnamespace"
SECURITY: Final = "__systemsecurity"
REQUIRES_ENCRYPTION: Final = "RequiresEncryption"
SDDL: Final = "NamespaceSecuritySDDL"
_FIVE_MINUTES: Final = {"ClearAfter": "00000000000500.000000:000"}  # B-41
_DEFAULTS: Final[dict[str, dict[str, Any]]] = {
    # The other properties are documented as unused: stored, not enforced (H6).
    ARBITRATOR: {
        "TemporarySubscriptionsTotal": 10_000,
        "TemporarySubscriptionsPerUser": 1_000,
        "PermanentSubscriptionsTotal": 10_000,
        "PermanentSubscriptionsPerUser": 1_000,
        "PollingInstructionsTotal": 10_000,
        "PollingInstructionsPerUser": 1_000,
        "PollingMemoryTotal": 10_000_000,
        "PollingMemoryPerUser": 5_000_000,
    },
    "__providerhostquotaconfiguration": {
        "ThreadsPerHost": 256,
        "HandlesPerHost": 4096,
        "ProcessLimitAllHosts": 32,
        "MemoryPerHost": 512 << 20,
        "MemoryAllHosts": 1 << 30,
    },
    "__eventconsumerprovidercachecontrol": _FIVE_MINUTES,
    "__eventprovidercachecontrol": _FIVE_MINUTES,
    "__eventsinkcachecontrol": _FIVE_MINUTES,
    "__objectprovidercachecontrol": _FIVE_MINUTES,
    "__propertyprovidercachecontrol": _FIVE_MINUTES,
}


class HostQuotas(NamedTuple):
    """What host processes may use (H10): threads and handles of each, how many there may be, bytes of each and all."""

    threads: int
    handles: int
    processes: int
    memory: int
    memory_all: int


def built_in(space: Namespace, class_: Class) -> Instance | None:
    """The instance of a singleton as the service brings it; None for a class, or a namespace, that has none."""
    name = class_.name.lower()
    path = space.path.lower()
    if name == IDENTIFICATION and path in (ROOT, "root\\default"):
        return class_.spawn(space.namespaces.identification())
    if name in (THIS, SECURITY):
        return class_.spawn()
    if path != ROOT or name not in _DEFAULTS:
        return None
    return class_.spawn(_DEFAULTS[name])


def _effective(namespaces: Namespaces, name: str) -> dict[str, Any]:
    """The values in force; those of the defaults where the stored ones are NULL. Costs nothing without a store."""
    values = dict(_DEFAULTS[name])
    if namespaces.repository.existing is not None:
        space = namespaces.named(ROOT)
        stored = space.static_instance(space.schema.class_named(name), {})
        if stored is not None:
            values.update((key, value) for key in values if (value := stored.raw_(key)) is not None)
    return values


def host_quotas(namespaces: Namespaces) -> HostQuotas:
    """The quotas for host processes started from now on."""
    return HostQuotas(*_effective(namespaces, "__providerhostquotaconfiguration").values())


def permanent_quotas(namespaces: Namespaces) -> tuple[int, int]:
    """How many bindings there may be in all, and of one creator (H5)."""
    values = _effective(namespaces, ARBITRATOR)
    return values["PermanentSubscriptionsTotal"], values["PermanentSubscriptionsPerUser"]


def default_quotas() -> HostQuotas:
    """Those of a service without a store."""
    return HostQuotas(*_DEFAULTS["__providerhostquotaconfiguration"].values())


def idle_seconds(namespaces: Namespaces, name: str = "__objectprovidercachecontrol") -> float:
    """How long a provider is kept at least after its last use (B-41)."""
    micros = sort_key(_effective(namespaces, name)["ClearAfter"])
    return (micros or 0) / 1_000_000


def apply(namespaces: Namespaces, settings: Settings) -> None:
    """Take the stored limits of subscriptions and of polling over into a service (H5)."""
    values = _effective(namespaces, ARBITRATOR)
    settings.subscriptions = values["TemporarySubscriptionsTotal"]
    settings.subscriptions_per_user = values["TemporarySubscriptionsPerUser"]
    settings.polling = values["PollingInstructionsTotal"]
    settings.polling_per_user = values["PollingInstructionsPerUser"]
    settings.polling_memory = values["PollingMemoryTotal"]
    settings.polling_memory_per_user = values["PollingMemoryPerUser"]


def follow(namespaces: Namespaces, service: Service) -> None:
    """Take them over, now and soon after somebody has changed them (H6). Those who subscribe already stay."""
    settings = service.settings

    def changed(change: Change) -> None:
        """In any thread; while the log is read, the store is not."""
        if change.class_name.lower() == ARBITRATOR and change.namespace.lower() == ROOT:
            try:
                service.loop.call_soon_threadsafe(apply, namespaces, settings)
            except RuntimeError:  # the service has ended
                pass

    apply(namespaces, settings)
    namespaces.repository.listen(changed)
