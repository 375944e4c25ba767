"""Flag constants of IWbemServices under their own names (calls.md 0.1; [MS-WMI] 2.2.5, 2.2.6, 2.2.9, 2.2.12).

The same bit means different things per method (calls.md 0.1a), so nothing here is a global mask: what a method
takes is written in :mod:`openwmi.contract.operations`.
"""

from __future__ import annotations

from typing import Final

WBEM_FLAG_RETURN_WBEM_COMPLETE: Final = 0
WBEM_FLAG_RETURN_IMMEDIATELY: Final = 0x10
WBEM_FLAG_BIDIRECTIONAL: Final = 0
WBEM_FLAG_FORWARD_ONLY: Final = 0x20
WBEM_FLAG_RETURN_ERROR_OBJECT: Final = 0
WBEM_FLAG_NO_ERROR_OBJECT: Final = 0x40
WBEM_FLAG_DONT_SEND_STATUS: Final = 0
WBEM_FLAG_SEND_STATUS: Final = 0x80
WBEM_FLAG_ENSURE_LOCATABLE: Final = 0x100
WBEM_FLAG_DIRECT_READ: Final = 0x200
WBEM_MASK_RESERVED_FLAGS: Final = 0x1F000
WBEM_FLAG_OWNER_UPDATE: Final = 0x10000
WBEM_FLAG_ADVISORY: Final = 0x10000
WBEM_FLAG_USE_AMENDED_QUALIFIERS: Final = 0x20000
WBEM_FLAG_STRONG_VALIDATION: Final = 0x100000

WBEM_FLAG_DEEP: Final = 0
WBEM_FLAG_SHALLOW: Final = 1
WBEM_FLAG_PROTOTYPE: Final = 2

WBEM_FLAG_CREATE_OR_UPDATE: Final = 0
WBEM_FLAG_UPDATE_ONLY: Final = 1
WBEM_FLAG_CREATE_ONLY: Final = 2
WBEM_FLAG_UPDATE_COMPATIBLE: Final = 0
WBEM_FLAG_UPDATE_SAFE_MODE: Final = 0x20
WBEM_FLAG_UPDATE_FORCE_MODE: Final = 0x40
WBEM_MASK_UPDATE_MODE: Final = 0x60

WBEM_FLAG_CONNECT_REPOSITORY_ONLY: Final = 0x40
WBEM_FLAG_CONNECT_USE_MAX_WAIT: Final = 0x80
WBEM_FLAG_CONNECT_PROVIDERS: Final = 0x100

WBEM_FLAG_UNSECAPP_DEFAULT_CHECK_ACCESS: Final = 0
WBEM_FLAG_UNSECAPP_CHECK_ACCESS: Final = 1
WBEM_FLAG_UNSECAPP_DONT_CHECK_ACCESS: Final = 2

WBEM_FLAG_BATCH_IF_NEEDED: Final = 0
WBEM_FLAG_MUST_BATCH: Final = 1
WBEM_FLAG_MUST_NOT_BATCH: Final = 2

WBEM_STATUS_COMPLETE: Final = 0
WBEM_STATUS_REQUIREMENTS: Final = 1
WBEM_STATUS_PROGRESS: Final = 2
WBEM_STATUS_LOGGING_INFORMATION: Final = 0x100
WBEM_STATUS_LOGGING_INFORMATION_PROVIDER: Final = 0x200
WBEM_STATUS_LOGGING_INFORMATION_HOST: Final = 0x400
WBEM_STATUS_LOGGING_INFORMATION_REPOSITORY: Final = 0x800
WBEM_STATUS_LOGGING_INFORMATION_ESS: Final = 0x1000
WBEM_REQUIREMENTS_START_POSTFILTER: Final = 0
WBEM_REQUIREMENTS_STOP_POSTFILTER: Final = 1
WBEM_REQUIREMENTS_RECHECK_SUBSCRIPTIONS: Final = 2

WBEM_NO_WAIT: Final = 0
WBEM_INFINITE: Final = 0xFFFFFFFF

# Namespace rights (calls.md I.1). Log-on computes the granted set once (A13).
WBEM_ENABLE: Final = 0x1
WBEM_METHOD_EXECUTE: Final = 0x2
WBEM_FULL_WRITE_REP: Final = 0x4
WBEM_PARTIAL_WRITE_REP: Final = 0x8
WBEM_WRITE_PROVIDER: Final = 0x10
WBEM_REMOTE_ACCESS: Final = 0x20
WBEM_RIGHT_SUBSCRIBE: Final = 0x40
WBEM_RIGHT_PUBLISH: Final = 0x80
READ_CONTROL: Final = 0x20000
WRITE_DAC: Final = 0x40000
ALL_NAMESPACE_RIGHTS: Final = 0x6003F
# As people call them, in the order of Windows' own dialogue.
RIGHT_NAMES: Final = {
    WBEM_ENABLE: "enable",
    WBEM_METHOD_EXECUTE: "execute-methods",
    WBEM_FULL_WRITE_REP: "full-write",
    WBEM_PARTIAL_WRITE_REP: "partial-write",
    WBEM_WRITE_PROVIDER: "provider-write",
    WBEM_REMOTE_ACCESS: "remote-enable",
    WBEM_RIGHT_SUBSCRIBE: "subscribe",
    WBEM_RIGHT_PUBLISH: "publish",
    READ_CONTROL: "read-security",
    WRITE_DAC: "edit-security",
}


def right_names(mask: int) -> str:
    """The names of all rights in a mask, what has no name as a number."""
    names = [name for bit, name in RIGHT_NAMES.items() if mask & bit]
    rest = mask & ~sum(RIGHT_NAMES)
    return ", ".join([*names, *([f"0x{rest:X}"] if rest else [])])


# Limits (calls.md H1, B7; A36).
WBEM_MAX_IDENTIFIER: Final = 0x1000
WBEM_MAX_PATH: Final = 0x2000
WBEM_MAX_QUERY: Final = 0x4000
WBEM_MAX_OBJECT_NESTING: Final = 64
MAX_NAMESPACE: Final = 0x2000 - 19
