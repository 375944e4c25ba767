"""Failures of calls on another machine: the error that says where, and the outcome that still knows it."""

from __future__ import annotations

from contextlib import contextmanager
from copy import copy
from typing import TYPE_CHECKING

from openwmi.contract.operations import described, parameter_info
from openwmi.contract.outcome import Outcome
from openwmi.model.errors import WbemError, error
from openwmi.remote.client.hearing import UNEXPLAINED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openwmi.contract.operations import AnyOperation
    from openwmi.remote.client.hearing import Explanation


class RemoteFailure(Outcome):
    """An outcome with the error that it came from: which host, how far one got, on which object."""

    cause: WbemError

    @classmethod
    def of(cls, cause: WbemError, text: str | None = None) -> RemoteFailure:
        made = cls(cause.code, text, cause.extended)
        made.cause = cause
        return made

    def as_error(self) -> WbemError:
        """The error anew: it may be raised in several places."""
        return copy(self.cause).with_traceback(None)


def as_told(code: int, said: Explanation) -> WbemError:
    """The error for a status, in the server's words where it has some."""
    if said.error is not None:
        return Outcome(code, None, said.error).as_error()
    return error(code, said.text or None)


def refused(
    code: int, operation: AnyOperation, host: str, namespace: str, said: Explanation = UNEXPLAINED
) -> WbemError:
    """The error for a status that a server gave an operation."""
    return explained(as_told(code, said), operation, host, namespace)


def explained(reason: WbemError, operation: AnyOperation, host: str, namespace: str) -> WbemError:
    """An error of the way, with what was being done."""
    reason.operation = reason.operation or described(operation).method
    reason.phase = reason.phase or reason.operation
    reason.namespace = reason.namespace or namespace
    reason.parameter = reason.parameter or parameter_info(operation)
    reason.host = host
    return reason


@contextmanager
def placed(host: str, phase: str | None = None) -> Iterator[None]:
    """Errors say the host as it was named, and the phase unless they know a closer one."""
    try:
        yield
    except WbemError as reason:
        reason.host = host
        reason.phase = reason.phase or phase
        raise
