"""Log-on to a namespace over the network: what has to be right before there is a connection (calls.md A.4, A.5)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from openwmi.contract import flags as f
from openwmi.contract.caller import (
    RPC_C_AUTHN_LEVEL_CONNECT,
    RPC_C_AUTHN_LEVEL_PKT_INTEGRITY,
    RPC_C_AUTHN_LEVEL_PKT_PRIVACY,
    RPC_C_IMP_LEVEL_IMPERSONATE,
)
from openwmi.contract.operations import ExecMethod
from openwmi.model.errors import WbemError, error
from openwmi.model.paths import parse_path
from openwmi.model.status import WBEM_E_ACCESS_DENIED, WBEM_E_INVALID_PARAMETER
from openwmi.service.limits import SECURITY

if TYPE_CHECKING:
    from openwmi.contract.caller import Caller
    from openwmi.contract.operations import AnyOperation
    from openwmi.service.namespaces import Namespace

# MS_409 or en-US, several of them after commas (A37); which of them are known is found out when text is wanted.
_LOCALE: Final = re.compile(r"(MS_[0-9A-F]{1,8}|[A-Z]{2,8}(-[A-Z0-9]{1,8}){0,4})\Z", re.IGNORECASE | re.ASCII)
_LONGEST_LOCALES: Final = 1024


def checked_locale(text: str) -> str:
    """A list of locales; INVALID_PARAMETER when one of them cannot be one (A37)."""
    names = [one.strip(" ") for one in text.split(",")]
    if len(text) > _LONGEST_LOCALES or not all(_LOCALE.match(one) for one in names):
        raise error(
            WBEM_E_INVALID_PARAMETER,
            f"a locale is MS_409 or en-US, not {text[:80]!r}",
            parameter="strPreferredLocale",
        )
    return ",".join(names)


def logged_on(caller: Caller, space: Namespace, operation: str) -> Caller:
    """The caller with the rights it has in a namespace, computed once and for all (A13, A36, A42)."""
    access = space.namespaces.access
    caller = caller._replace(granted=access.granted(caller, space.path))
    check_connection(caller, space, operation)
    if caller.remote and caller.auth_level < RPC_C_AUTHN_LEVEL_PKT_INTEGRITY:
        raise _denied("connections without packet integrity are not taken", space, operation)
    check_right(caller, space, f.WBEM_ENABLE, operation)
    return caller


def required(operation: AnyOperation, right: int) -> int:
    """The right that the call itself needs: that of its row, but everybody may ask what he may do (I21)."""
    if isinstance(operation, ExecMethod) and operation.method.lower() == "getcalleraccessrights":
        try:
            class_name = parse_path(operation.path).class_name or ""
        except WbemError:
            return right
        if class_name.lower() == SECURITY:
            return f.WBEM_ENABLE
    return right


def check_connection(caller: Caller, space: Namespace, operation: str) -> None:
    """What every call needs, whatever its rights: levels (A10, A11, A12).

    Of a remote caller this is the level of the log-on. Clients log on at the level that the server hints at, and raise
    it then (impacket does): whether a namespace requires encryption is tested for each call, by who knows its level
    (Connection.least_level).
    """
    if caller.impersonation < RPC_C_IMP_LEVEL_IMPERSONATE:
        raise _denied("the caller's impersonation level does not allow acting for it", space, operation)
    if caller.auth_level < RPC_C_AUTHN_LEVEL_CONNECT:
        raise _denied("the caller has not been authenticated", space, operation)
    weak = not caller.remote and caller.auth_level < RPC_C_AUTHN_LEVEL_PKT_PRIVACY
    if weak and space.namespaces.access.requires_encryption(space.path):
        raise _denied(f"{space.path} requires packet privacy (RequiresEncryption)", space, operation)


def check_right(caller: Caller, space: Namespace, right: int, operation: str) -> None:
    """ACCESS_DENIED without a right, and without REMOTE_ACCESS for everybody who is not on this machine (I2, I3)."""
    if caller.remote:
        right |= f.WBEM_REMOTE_ACCESS
    if not caller.holds(right):
        missing = f.right_names(right & ~caller.granted)
        raise _denied(f"{caller.name} lacks {missing} on {space.path}", space, operation)


def _denied(why: str, space: Namespace, operation: str) -> Exception:
    return error(WBEM_E_ACCESS_DENIED, f"{operation}: {why}", operation=operation, namespace=space.path)
