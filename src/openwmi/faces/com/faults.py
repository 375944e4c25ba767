"""The thread's error object: IErrorInfo, and the __ExtendedStatus behind it (calls.md G9)."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from openwmi.faces.com.connection import Connection
    from openwmi.model.errors import WbemError

_LOCAL: Final = threading.local()


def begin(connection: Connection) -> None:
    """A call to the service begins on this thread: its failure will be that of this connection."""
    _LOCAL.fault = None
    _LOCAL.connection = connection


def remember(fault: WbemError, operation: str) -> None:
    """Make an error the error object of this thread."""
    if fault.operation is None:
        fault.operation = operation
    _LOCAL.fault = fault


def forget() -> None:
    """Leave this thread without an error object."""
    _LOCAL.fault = None


def taken() -> tuple[WbemError, Connection | None] | None:
    """The error of the thread's last failing call and where it was made; asking takes it."""
    fault: WbemError | None = getattr(_LOCAL, "fault", None)
    _LOCAL.fault = None
    return None if fault is None else (fault, getattr(_LOCAL, "connection", None))
