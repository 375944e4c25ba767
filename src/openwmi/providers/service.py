"""Win32_Service on Linux: the services of systemd (G-28, G-29).

Name is that of the unit without ".service". State, ProcessId and the like are what systemd says at the moment; a frozen
service is "Paused". StartMode is Auto for units that are enabled, Disabled for those that are masked, else Manual: what
nothing but other units start is Manual, too. PathName is the first ExecStart. StartName is User, root where none is
set. ExitCode is as on Windows: 0 when all is well, 1077 for one that has not been started since the boot, and 1066 for
one that failed, whose own code, or 128 and a signal, is ServiceSpecificExitCode. A machine that systemd has not started
says that it cannot answer.

NULL always: CheckPoint, InstallDate, TagId, WaitHint.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from openwmi.contract.provider import Guard
from openwmi.model.errors import error
from openwmi.model.status import WBEM_E_PROVIDER_LOAD_FAILURE, WBEM_E_PROVIDER_NOT_CAPABLE
from openwmi.providers.columns import not_capable, reader, same, wanted
from openwmi.providers.linux.host import Host
from openwmi.providers.linux.systemd import SUFFIX, Listed, Refusal, Systemd, is_here

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from openwmi.contract.provider import Request, Row

SUCCESS = 0
NOT_SUPPORTED = 1
ACCESS_DENIED = 2
CANNOT_ACCEPT = 5
NOT_ACTIVE = 6
TIMEOUT = 7
UNKNOWN_FAILURE = 8
ALREADY_RUNNING = 10
DEPENDENCY_FAILURE = 13
DISABLED = 14
INVALID_PARAMETER = 21
ALREADY_PAUSED = 24

NEVER_STARTED, OWN_CODE = 1077, 1066
_STATES: Final = {
    "active": "Running",
    "reloading": "Running",
    "refreshing": "Running",
    "activating": "Start Pending",
    "deactivating": "Stop Pending",
    "inactive": "Stopped",
    "failed": "Stopped",
    "maintenance": "Stopped",
}
_FREEZER: Final = {
    "frozen": "Paused",
    "freezing": "Pause Pending",
    "thawing": "Continue Pending",
    "frozen-by-parent": "Paused",
    "freezing-by-parent": "Pause Pending",
}
_EXITED: Final = 1  # CLD_EXITED; else a signal has ended it
# What systemd calls its refusals and results -> the codes of G-29.
_REFUSALS: Final = {
    "AccessDenied": ACCESS_DENIED,
    "InteractiveAuthorizationRequired": ACCESS_DENIED,
    "UnitMasked": DISABLED,
    "OnlyByDependency": CANNOT_ACCEPT,
    "NotSupported": NOT_SUPPORTED,
    "Disconnected": UNKNOWN_FAILURE,
    "NoReply": TIMEOUT,
}
_RESULTS: Final = {
    "done": SUCCESS,
    "skipped": SUCCESS,
    "timeout": TIMEOUT,
    "dependency": DEPENDENCY_FAILURE,
}


class Service:
    """One service. told: what systemd says of it beyond the list, read when a column asks for it."""

    def __init__(
        self, host: Host, listed: Listed, systemd: Systemd | None, told: Mapping[str, Any] | None = None
    ) -> None:
        self.host = host
        self.listed = listed
        self._systemd = systemd
        self._told = told

    @property
    def told(self) -> Mapping[str, Any]:
        """Empty for a service that is gone by now."""
        if self._told is None:
            assert self._systemd is not None
            try:
                self._told = self._systemd.properties(self.listed)
            except Refusal:
                self._told = {}
        return self._told

    @property
    def name(self) -> str:
        return self.listed.unit.removesuffix(SUFFIX)

    @property
    def is_stopped(self) -> bool:
        return _STATES.get(self.listed.active) == "Stopped"

    @property
    def state(self) -> str:
        """The freezer is asked of running services alone: what does not run is not frozen."""
        found = _STATES.get(self.listed.active, "Unknown")
        return _FREEZER.get(self.told.get("FreezerState", ""), found) if found == "Running" else found


class Services:
    """The services of the host whose file tree begins at `root`; address: of systemd's bus, for another one."""

    def __init__(self, root: str = "", *, address: str | None = None) -> None:
        self._root = root
        self._address = address

    @property
    def guard(self) -> Guard:
        """Services are controlled as the caller's own user: systemd and polkit decide."""
        return Guard(methods={name: {"ReturnValue": ACCESS_DENIED} for name in METHODS})

    def instances(self, request: Request) -> Iterator[Row]:
        name = wanted(request, "Name")
        with self.connected() as systemd:
            host, read = Host(self._root), reader(COLUMNS, request.columns)
            for listed in systemd.services():
                if request.cancelled:
                    return
                if name is None or same(listed.unit.removesuffix(SUFFIX), name):
                    yield read(Service(host, listed, systemd))

    def instance(self, request: Request, keys: Mapping[str, object]) -> Row | None:
        with self.connected() as systemd:
            listed = _named(systemd, str(keys.get("Name")))
            if listed is None:
                return None
            return reader(COLUMNS, request.columns)(Service(Host(self._root), listed, systemd))

    def method(
        self, request: Request, method: str, keys: Mapping[str, object] | None, params: Mapping[str, object]
    ) -> Mapping[str, object]:
        act = METHODS.get(method.lower())
        if act is None:
            raise not_capable(request, method)
        if not request.as_caller:
            return {"ReturnValue": ACCESS_DENIED}
        if keys is None:  # Create, the only one that needs no service
            return {"ReturnValue": NOT_SUPPORTED}
        with self.connected() as systemd:
            listed = _named(systemd, str(keys.get("Name")))
            if listed is None:  # gone since the service looked
                return {"ReturnValue": UNKNOWN_FAILURE}
            try:
                return {"ReturnValue": act(systemd, Service(Host(self._root), listed, systemd), params)}
            except Refusal as refusal:
                return {"ReturnValue": _REFUSALS.get(refusal.name, UNKNOWN_FAILURE)}
            except TimeoutError:
                return {"ReturnValue": TIMEOUT}

    @contextmanager
    def connected(self) -> Iterator[Systemd]:
        """A connection to systemd; PROVIDER_NOT_CAPABLE where there is none."""
        if self._address is None and not is_here(self._root):
            raise error(
                WBEM_E_PROVIDER_NOT_CAPABLE,
                "systemd has not started this machine: the instances of Win32_Service are its services",
            )
        try:
            systemd = Systemd(self._address)
        except ModuleNotFoundError as missing:
            raise error(
                WBEM_E_PROVIDER_LOAD_FAILURE,
                f"Win32_Service needs the package {missing.name}: pip install 'openwmi[systemd]'",
            ) from missing
        except OSError as reason:
            raise error(WBEM_E_PROVIDER_NOT_CAPABLE, f"systemd's bus cannot be reached: {reason}") from reason
        try:
            yield systemd
        finally:
            systemd.close()


def _named(systemd: Systemd, name: str) -> Listed | None:
    """The service of that name; one that differs in letter case only when there is no exact one."""
    found = [one for one in systemd.services() if same(one.unit.removesuffix(SUFFIX), name)]
    found.sort(key=lambda one: one.unit != name + SUFFIX)
    return found[0] if found else None


# Methods


def _start(systemd: Systemd, service: Service, params: Mapping[str, object]) -> int:
    if service.state in ("Running", "Start Pending"):
        return ALREADY_RUNNING
    if service.state == "Paused":
        return ALREADY_PAUSED
    if _start_mode(service) == "Disabled":
        return DISABLED
    return _RESULTS.get(systemd.job("StartUnit", service.listed.unit), UNKNOWN_FAILURE)


def _stop(systemd: Systemd, service: Service, params: Mapping[str, object]) -> int:
    if service.is_stopped:
        return NOT_ACTIVE
    return _RESULTS.get(systemd.job("StopUnit", service.listed.unit), UNKNOWN_FAILURE)


def _pause(systemd: Systemd, service: Service, params: Mapping[str, object]) -> int:
    if service.is_stopped:
        return NOT_ACTIVE
    if service.state == "Paused":
        return ALREADY_PAUSED
    return _frozen(systemd, service, "FreezeUnit")


def _resume(systemd: Systemd, service: Service, params: Mapping[str, object]) -> int:
    if service.is_stopped:
        return NOT_ACTIVE
    return _frozen(systemd, service, "ThawUnit")


def _frozen(systemd: Systemd, service: Service, method: str) -> int:
    if not service.told.get("CanFreeze"):
        return CANNOT_ACCEPT
    systemd.ask(method, "s", service.listed.unit)
    return SUCCESS


def _interrogate(systemd: Systemd, service: Service, params: Mapping[str, object]) -> int:
    return NOT_ACTIVE if service.is_stopped else SUCCESS


def _unsupported(systemd: Systemd, service: Service, params: Mapping[str, object]) -> int:
    """systemd hands no codes on, and its unit files are not for programs to make, change and remove."""
    return NOT_SUPPORTED


def _change(systemd: Systemd, service: Service, params: Mapping[str, object]) -> int:
    """Of all that could be changed, StartMode alone."""
    given = {name for name, value in params.items() if value is not None}
    if given - {"StartMode"}:
        return NOT_SUPPORTED
    return _change_start_mode(systemd, service, params) if given else SUCCESS


def _change_start_mode(systemd: Systemd, service: Service, params: Mapping[str, object]) -> int:
    """Automatic: enabled; Manual: not; Disabled: masked. A unit without an [Install] section cannot be enabled."""
    mode, units = str(params.get("StartMode")).lower(), [service.listed.unit]
    if mode not in ("automatic", "manual", "disabled"):
        return NOT_SUPPORTED if mode in ("boot", "system") else INVALID_PARAMETER
    if mode == "disabled":
        systemd.ask("MaskUnitFiles", "asbb", units, False, True)
    else:
        systemd.ask("UnmaskUnitFiles", "asb", units, False)
        if mode == "automatic":
            carries_install, _ = systemd.ask("EnableUnitFiles", "asbb", units, False, True)
            if not carries_install:
                return CANNOT_ACCEPT
        else:
            systemd.ask("DisableUnitFiles", "asb", units, False)
    systemd.ask("Reload")
    return SUCCESS


METHODS: Final[dict[str, Callable[[Systemd, Service, Mapping[str, object]], int]]] = {
    "startservice": _start,
    "stopservice": _stop,
    "pauseservice": _pause,
    "resumeservice": _resume,
    "interrogateservice": _interrogate,
    "usercontrolservice": _unsupported,
    "changestartmode": _change_start_mode,
    "change": _change,
    "create": _unsupported,
    "delete": _unsupported,
}

# Columns


def _display_name(service: Service) -> str:
    return service.listed.description or service.told.get("Description") or service.name


def _start_mode(service: Service) -> str:
    state = service.listed.file_state
    if state is None:
        state = service.told.get("UnitFileState") or ""
    if state.startswith("masked"):
        return "Disabled"
    return "Auto" if state.startswith("enabled") else "Manual"


def _path_name(service: Service) -> str | None:
    from shlex import join

    commands = service.told.get("ExecStart")
    if not commands:
        return None
    path, arguments = commands[0][:2]
    return join([path, *arguments[1:]])


def _own_code(service: Service) -> int:
    code, status = (int(service.told.get(name, 0)) for name in ("ExecMainCode", "ExecMainStatus"))
    return status if code in (0, _EXITED) else 128 + status


def _exit_code(service: Service) -> int | None:
    if not service.is_stopped:
        return 0
    if not service.told:
        return None
    if service.listed.active == "failed":
        return OWN_CODE
    return 0 if service.told.get("ExecMainStartTimestamp") else NEVER_STARTED


def _status(service: Service) -> str:
    if service.listed.active == "failed":
        return "Error"
    return {"Start Pending": "Starting", "Stop Pending": "Stopping"}.get(service.state, "OK")


COLUMNS: Final[dict[str, Callable[[Service], object]]] = {
    "AcceptPause": lambda service: service.state == "Running" and bool(service.told.get("CanFreeze")),
    "AcceptStop": lambda service: not service.is_stopped and bool(service.told.get("CanStop")),
    "Caption": _display_name,
    "CreationClassName": lambda service: "Win32_Service",
    "DelayedAutoStart": lambda service: False,
    "Description": _display_name,
    "DesktopInteract": lambda service: False,
    "DisplayName": _display_name,
    "ErrorControl": lambda service: "Normal",
    "ExitCode": _exit_code,
    "Name": lambda service: service.name,
    "PathName": _path_name,
    "ProcessId": lambda service: service.told.get("MainPID"),
    "ServiceSpecificExitCode": lambda service: _own_code(service) if service.listed.active == "failed" else 0,
    "ServiceType": lambda service: "Own Process",
    "StartMode": _start_mode,
    "StartName": lambda service: service.told.get("User") or "root",
    "Started": lambda service: not service.is_stopped,
    "State": lambda service: service.state,
    "Status": _status,
    "SystemCreationClassName": lambda service: "Win32_ComputerSystem",
    "SystemName": lambda service: service.host.name,
}
family = Services
