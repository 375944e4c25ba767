"""OpenWMI: Windows Management Instrumentation for every operating system.

    async with openwmi.connect() as wmi:
        async for process in wmi.query("SELECT Name, ProcessId FROM Win32_Process"):
            print(process.Name)

Importing this package loads next to nothing; a name loads what it stands for when it is first used.
"""

from __future__ import annotations

TYPE_CHECKING = False  # `typing` itself would cost the command line's start
if TYPE_CHECKING:
    from openwmi import com, errors, mof, sync, testing
    from openwmi.contract import flags as _flags
    from openwmi.contract.context import Context
    from openwmi.contract.operations import (
        CreateClassEnum,
        CreateInstanceEnum,
        DeleteClass,
        DeleteInstance,
        ExecMethod,
        ExecNotificationQuery,
        ExecQuery,
        GetObject,
        PutClass,
        PutInstance,
    )
    from openwmi.contract.outcome import Outcome, Progress
    from openwmi.contract.services import Sink
    from openwmi.faces.aio import Call, Connection, Query, Subscription, connect
    from openwmi.model.classes import Class
    from openwmi.model.datetimes import CimDateTime
    from openwmi.model.errors import QuerySyntaxError, WbemError, WmiError
    from openwmi.model.instances import Instance
    from openwmi.model.paths import ObjectPath

    CREATE_ONLY = _flags.WBEM_FLAG_CREATE_ONLY
    CREATE_OR_UPDATE = _flags.WBEM_FLAG_CREATE_OR_UPDATE
    DEEP = _flags.WBEM_FLAG_DEEP
    DIRECT_READ = _flags.WBEM_FLAG_DIRECT_READ
    ENSURE_LOCATABLE = _flags.WBEM_FLAG_ENSURE_LOCATABLE
    PROTOTYPE = _flags.WBEM_FLAG_PROTOTYPE
    SEND_STATUS = _flags.WBEM_FLAG_SEND_STATUS
    SHALLOW = _flags.WBEM_FLAG_SHALLOW
    UPDATE_FORCE_MODE = _flags.WBEM_FLAG_UPDATE_FORCE_MODE
    UPDATE_ONLY = _flags.WBEM_FLAG_UPDATE_ONLY
    UPDATE_SAFE_MODE = _flags.WBEM_FLAG_UPDATE_SAFE_MODE
    USE_AMENDED_QUALIFIERS = _flags.WBEM_FLAG_USE_AMENDED_QUALIFIERS

__version__ = "0.1.0"

# Where each public name lives.
_LAZY: dict[str, tuple[str, ...]] = {
    "contract.context": ("Context",),
    "contract.operations": (
        "CreateClassEnum",
        "CreateInstanceEnum",
        "DeleteClass",
        "DeleteInstance",
        "ExecMethod",
        "ExecNotificationQuery",
        "ExecQuery",
        "GetObject",
        "PutClass",
        "PutInstance",
    ),
    "contract.outcome": (
        "Outcome",
        "Progress",
    ),
    "contract.services": ("Sink",),
    "faces.aio": (
        "Call",
        "Connection",
        "Query",
        "Subscription",
        "connect",
    ),
    "model.classes": ("Class",),
    "model.datetimes": ("CimDateTime",),
    "model.errors": (
        "QuerySyntaxError",
        "WbemError",
        "WmiError",
    ),
    "model.instances": ("Instance",),
    "model.paths": ("ObjectPath",),
}
_FLAGS = (
    "CREATE_ONLY",
    "CREATE_OR_UPDATE",
    "DEEP",
    "DIRECT_READ",
    "ENSURE_LOCATABLE",
    "PROTOTYPE",
    "SEND_STATUS",
    "SHALLOW",
    "UPDATE_FORCE_MODE",
    "UPDATE_ONLY",
    "UPDATE_SAFE_MODE",
    "USE_AMENDED_QUALIFIERS",
)
_MODULES = ("com", "errors", "mof", "sync", "testing")

__all__ = [
    "CREATE_ONLY",
    "CREATE_OR_UPDATE",
    "DEEP",
    "DIRECT_READ",
    "ENSURE_LOCATABLE",
    "PROTOTYPE",
    "SEND_STATUS",
    "SHALLOW",
    "UPDATE_FORCE_MODE",
    "UPDATE_ONLY",
    "UPDATE_SAFE_MODE",
    "USE_AMENDED_QUALIFIERS",
    "Call",
    "CimDateTime",
    "Class",
    "Connection",
    "Context",
    "CreateClassEnum",
    "CreateInstanceEnum",
    "DeleteClass",
    "DeleteInstance",
    "ExecMethod",
    "ExecNotificationQuery",
    "ExecQuery",
    "GetObject",
    "Instance",
    "ObjectPath",
    "Outcome",
    "Progress",
    "PutClass",
    "PutInstance",
    "Query",
    "QuerySyntaxError",
    "Sink",
    "Subscription",
    "WbemError",
    "WmiError",
    "com",
    "connect",
    "errors",
    "mof",
    "sync",
    "testing",
]


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name in _MODULES:
        return import_module(f"openwmi.{name}")
    module, attribute = _home(name)
    value = globals()[name] = getattr(import_module(f"openwmi.{module}"), attribute)
    return value


def _home(name: str) -> tuple[str, str]:
    """The module that has a public name, and what it is called there."""
    if name in _FLAGS:
        return "contract.flags", f"WBEM_FLAG_{name}"
    for module, names in _LAZY.items():
        if name in names:
            return module, name
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
