"""What the repository says of a provider: its __Win32Provider instance and the registrations that point at it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from openwmi.model import sddl
from openwmi.model.datetimes import sort_key
from openwmi.model.errors import WbemError, error
from openwmi.model.paths import parse_path
from openwmi.model.sids import InvalidDescriptor
from openwmi.model.status import (
    WBEM_E_INVALID_PROVIDER_REGISTRATION,
    WBEM_E_PROVIDER_DISABLED,
    WBEM_E_PROVIDER_LOAD_FAILURE,
)
from openwmi.service.stored import ident_of, root_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openwmi.contract.caller import UnixUser
    from openwmi.contract.provider import EventCoverage
    from openwmi.model.classes import Class
    from openwmi.model.instances import Instance
    from openwmi.service.hosting import HostedProvider
    from openwmi.service.namespaces import Namespace

# CLSID of a provider that is a Python class: "python:package.module:Class".
_CODE: Final = re.compile(
    r"python:((?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*):([A-Za-z_]\w*)\Z", re.ASCII | re.IGNORECASE
)
# The View provider, which runs in the service wherever its HostingModel would have it.
VIEWS: Final = "{AA70DDF4-E11C-11D1-ABB0-00C04FD9159E}"
_GUID: Final = re.compile(r"\{[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}\}\Z", re.IGNORECASE)
_QUERY_LEVELS: Final = frozenset(
    ("wql:unaryselect", "wql:references", "wql:associators", "wql:v1providerdefined")
)
# HostingModel (F-03): the account whose host process runs the provider; None for the service's own process.
_HOSTS: Final[dict[str, str | None]] = {
    "selfhost": None,
    "localsystemhostorselfhost": None,
    "networkservicehostorselfhost": None,
    "localsystemhost": "LocalSystem",
    "networkservicehost": "NetworkService",
    "localservicehost": "LocalService",
}
# The account of the programs of decoupled providers, which are nobody's host processes.
DECOUPLED: Final = "Decoupled"
# What a registration's flag lets the service call.
_OBJECT_ROLES: Final = (
    ("SupportsGet", "instance"),
    ("SupportsEnumeration", "instances"),
    ("SupportsEnumeration", "query"),
    ("SupportsPut", "put"),
    ("SupportsDelete", "delete"),
)


_PROPERTY_ROLES: Final = (("SupportsGet", "get_property"), ("SupportsPut", "put_property"))
# The singletons of root that say how long an unused object is kept (B-41).
_OBJECTS_KEPT: Final = "__objectprovidercachecontrol"
_EVENTS_KEPT: Final = "__eventprovidercachecontrol"
_PROPERTIES_KEPT: Final = "__propertyprovidercachecontrol"
_CONSUMERS_KEPT: Final = "__eventconsumerprovidercachecontrol"
_EVENTS: Final = "__EventProviderRegistration"
_CONSUMERS: Final = "__EventConsumerProviderRegistration"
_ALL_ROLES: Final = ("instance", "instances", "query", "put", "delete", "method")
# How long the process of a caller may take to be ready.
DEPUTY_SECONDS: Final = 30.0


class HostName(NamedTuple):
    """The host process a provider runs in: providers of one account and group share it."""

    account: str
    group: str


class Registration(NamedTuple):
    """One provider of one namespace.

    module, class_name: the code. host: None for the service's own process. roles: what the registrations declare
    (F-20); selects: conditions may be passed on (WQL:UnarySelect, F-21). Timeouts in seconds, None without limit.
    callers: SDDL of who may call it, None for everybody. ours: its code is the service's own. events: what it raises.
    """

    name: str
    namespace: str
    module: str
    class_name: str
    host: HostName | None
    roles: frozenset[str]
    selects: bool
    reentrancy: int
    per_user: bool
    per_locale: bool
    operation_timeout: float | None
    initialization_timeout: float | None
    callers: str | None
    ours: bool = False
    events: tuple[EventCoverage, ...] = ()

    @property
    def kept(self) -> str:
        """The name of the singleton that says how long an unused object is kept."""
        if self.roles == {"consume"}:
            return _CONSUMERS_KEPT
        if self.roles == {"provide_events"}:
            return _EVENTS_KEPT
        only = {role for _, role in _PROPERTY_ROLES}
        return _PROPERTIES_KEPT if self.roles and self.roles <= only else _OBJECTS_KEPT

    @property
    def views(self) -> bool:
        """Whether it is the View provider (F-40)."""
        return self.class_name == VIEWS

    @property
    def decoupled(self) -> bool:
        """Whether a program of its own serves it (F-08)."""
        return self.host is not None and self.host.account == DECOUPLED

    @property
    def code(self) -> str:
        return f"{self.module}:{self.class_name}"


def deputy(hosted: HostedProvider, user: UnixUser, namespace: str) -> Registration:
    """What runs a provider of the service in a process of a Unix user, with the roles that it has (service.acting)."""
    from openwmi.service.acting import account_of

    code = hosted.deputy or ""
    module, _, class_name = code.partition(":")
    return Registration(
        hosted.name,
        namespace,
        module,
        class_name,
        HostName(account_of(user), code),
        frozenset(role for role in _ALL_ROLES if hosted.role(role) is not None),
        selects=True,
        reentrancy=2,
        per_user=False,
        per_locale=False,
        operation_timeout=None,
        initialization_timeout=DEPUTY_SECONDS,
        callers=None,
        ours=True,
    )


def read_registration(space: Namespace, name: str) -> Registration | None:
    """The registration of a provider in a namespace; None when the repository has none (F-02).

    PROVIDER_DISABLED, INVALID_PROVIDER_REGISTRATION, or LOAD_FAILURE for code that cannot run here.
    """
    if space.namespaces.repository.existing is None:
        return None
    provider = _win32_provider(space, name)
    if provider is None:
        return None
    registrations = list(_registrations(space, name))
    if not registrations:
        return None
    if provider.raw_("Enabled") is False:
        raise error(WBEM_E_PROVIDER_DISABLED, f"provider {name} is disabled", parameter=name)
    roles, selects = _roles(registrations, name)
    host = _host(provider.raw_("HostingModel"), name, space.path)
    decoupled = host is not None and host.account == DECOUPLED
    views = str(provider.raw_("CLSID") or "").upper() == VIEWS
    if views:
        host = None
    module, class_name = ("", VIEWS) if views else ("", "") if decoupled else _code(provider, name)
    if host is not None and not roles.isdisjoint(role for _, role in _PROPERTY_ROLES):
        raise _malformed(name, "a property provider runs in the service's own process (F-26)")
    return Registration(
        provider.raw_("Name"),
        space.path,
        module,
        class_name,
        host,
        roles,
        selects,
        _reentrancy(provider, name),
        bool(provider.raw_("PerUserInitialization")),
        bool(provider.raw_("PerLocaleInitialization")),
        _seconds(provider, "OperationTimeoutInterval", name),
        _seconds(provider, "InitializationTimeoutInterval", name),
        _callers(provider, name),
        events=_events(registrations, name) if host is None else (),
    )


def _events(registrations: list[Instance], name: str) -> tuple[EventCoverage, ...]:
    """What it raises, as the EventQueryLists say (F-27). A host process raises none."""
    texts = [
        str(text)
        for one in registrations
        if one.class_ is not None and one.class_.inherits_from(_EVENTS)
        for text in one.raw_("EventQueryList") or ()
    ]
    if not texts:
        return ()
    from openwmi.service.registered.eventqueries import coverages

    try:
        return coverages(texts)
    except WbemError as reason:
        raise _malformed(name, f"EventQueryList: {reason.message}") from None


def event_providers(space: Namespace) -> list[str]:
    """The names of the providers that registrations let raise events in a namespace."""
    if space.namespaces.repository.existing is None:
        return []
    registered = space.static_instances(space.schema.class_named(_EVENTS))
    names = (_referred(one.raw_("provider")) for one in registered)
    return list(dict.fromkeys(name for name in names if name))


def _callers(provider: Instance, name: str) -> str | None:
    """The SDDL of its SecurityDescriptor, which must be some."""
    text = provider.raw_("SecurityDescriptor")
    if not text:
        return None
    try:
        sddl.parse(text)
    except InvalidDescriptor as reason:
        raise _malformed(name, f"SecurityDescriptor: {reason}") from None
    return str(text)


def _malformed(name: str, what: str) -> WbemError:
    return error(
        WBEM_E_INVALID_PROVIDER_REGISTRATION, f"the registration of provider {name}: {what}", parameter=name
    )


def _win32_provider(space: Namespace, name: str) -> Instance | None:
    """The instance of __Win32Provider, or of a class below it, that has this name."""
    base = space.schema.class_named("__Provider")
    keys = {"Name": name}
    stored = space.namespaces.repository.class_of(
        space.path, root=root_of(base), ident=ident_of(base, keys) or ""
    )
    actual = space.schema.find_class(stored) if stored is not None else None
    if actual is None:
        return None
    if not actual.inherits_from("__Win32Provider"):
        raise _malformed(name, f"it is an instance of {actual.name}, not of __Win32Provider")
    return space.static_instance(actual, keys)


def _registrations(space: Namespace, name: str) -> Iterator[Instance]:
    """The registrations of this namespace that refer to the provider."""
    for class_ in space.schema.subclasses("__ProviderRegistration"):
        if class_.is_abstract or class_.is_dynamic:
            continue
        for one in space.static_instances(class_):
            if _referred(one.raw_("provider")) == name.lower():
                yield one


def _referred(reference: object) -> str | None:
    """The name, in lower case, of the provider that a registration refers to; None when it refers to none."""
    try:
        path = parse_path(str(reference))
    except WbemError:
        return None
    return str(path.keys[0][1]).lower() if len(path.keys) == 1 else None


def _code(provider: Instance, name: str) -> tuple[str, str]:
    clsid = provider.raw_("CLSID")
    if not clsid:
        raise _malformed(name, "CLSID is missing")
    found = _CODE.match(clsid)
    if found is not None:
        return found[1], found[2]
    if _GUID.match(clsid):
        raise error(
            WBEM_E_PROVIDER_LOAD_FAILURE,
            f"provider {name}: {clsid} is a COM server, which cannot be loaded here;"
            " a Python one is registered as python:package.module:Class",
            parameter=name,
        )
    raise _malformed(name, f"CLSID {clsid!r:.100} is not of the form python:package.module:Class")


def _roles(registrations: list[Instance], name: str) -> tuple[frozenset[str], bool]:
    roles: set[str] = set()
    selects = False
    for one in registrations:
        class_ = one.class_
        assert class_ is not None
        if class_.inherits_from("__InstanceProviderRegistration"):
            roles.update(role for flag, role in _OBJECT_ROLES if one.raw_(flag))
            levels = {str(level).lower() for level in one.raw_("QuerySupportLevels") or ()}
            if not levels <= _QUERY_LEVELS:
                raise _malformed(name, f"unknown query support level {min(levels - _QUERY_LEVELS)!r:.60}")
            if "wql:unaryselect" in levels:
                selects = True
                roles.add("query")
        elif class_.inherits_from("__MethodProviderRegistration"):
            roles.add("method")
        elif class_.inherits_from("__PropertyProviderRegistration"):
            roles.update(role for flag, role in _PROPERTY_ROLES if one.raw_(flag))
        elif class_.inherits_from(_CONSUMERS):
            roles.add("consume")
        elif class_.inherits_from(_EVENTS):
            roles.add("provide_events")
    return frozenset(roles), selects


def consumer_provider(space: Namespace, class_: Class) -> str | None:
    """The name of the provider that a registration names for a class of consumers, or for one above it (E-76)."""
    registered = space.schema.class_named(_CONSUMERS)
    found: dict[str, str] = {}
    for one in space.static_instances(registered):
        name = _referred(one.raw_("provider"))
        if name is not None:
            found.update((str(each).lower(), name) for each in one.raw_("ConsumerClassNames") or ())
    return next(
        (found[name.lower()] for name in (class_.name, *class_.derivation) if name.lower() in found), None
    )


def _host(model: Any, name: str, namespace: str) -> HostName | None:
    """The host process that a HostingModel asks for; NULL means NetworkServiceHostOrSelfHost (F-03)."""
    head, _, group = (model or "NetworkServiceHostOrSelfHost").partition(":")
    if head.lower() == "decoupled":
        how, _, folding = group.lower().partition(":")
        if how != "com" or folding not in ("", "foldidentity(true)", "foldidentity(false)"):
            raise _malformed(name, f"HostingModel {model!r:.60} is not supported")
        return HostName(DECOUPLED, f"{namespace}|{name}".lower())
    if head.lower() not in _HOSTS:
        raise _malformed(name, f"there is no HostingModel {model!r:.60}")
    account = _HOSTS[head.lower()]
    return None if account is None else HostName(account, group.lower())


def _reentrancy(provider: Instance, name: str) -> int:
    value = provider.raw_("InitializationReentrancy") or 0
    if value not in (0, 1, 2):
        raise _malformed(name, f"InitializationReentrancy is {value}, not 0, 1 or 2")
    return int(value)


def _seconds(provider: Instance, property_name: str, name: str) -> float | None:
    value = provider.raw_(property_name)
    if value is None:
        return None
    micros = sort_key(value) if value[21] == ":" else None
    if not micros:
        raise _malformed(name, f"{property_name} is not an interval: {value}")
    return micros / 1_000_000
