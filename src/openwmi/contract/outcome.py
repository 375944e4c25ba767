"""What a sink hears besides objects: progress reports and the one final outcome (calls.md B.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from openwmi.model.errors import error
from openwmi.model.status import failed

if TYPE_CHECKING:
    from openwmi.model.errors import WbemError
    from openwmi.model.instances import Instance

_WORD = 0xFFFF


class Progress(NamedTuple):
    """An interim report: how much of how much, and a message (WBEM_STATUS_PROGRESS)."""

    current: int
    total: int
    message: str | None = None

    @property
    def hresult(self) -> int:
        """Low word done, high word total (B34). Larger figures are scaled to fit, keeping the proportion."""
        current, total = max(0, self.current), max(0, self.total)
        largest = max(current, total)
        if largest > _WORD:
            current = current * _WORD // largest
            total = total * _WORD // largest
        return total << 16 | current

    @classmethod
    def from_hresult(cls, hresult: int, message: str | None = None) -> Progress:
        """Read B34's encoding; the top bit belongs to the total, so this is never a failure code (B35)."""
        return cls(hresult & _WORD, (hresult >> 16) & _WORD, message)


class Outcome(NamedTuple):
    """The final status of an operation.

    status: the HRESULT the synchronous form would have returned, unsigned (B26); text: strParam, the path a put
    stored (B28, B29); error: the __ExtendedStatus object of a failure, or None (B27, G10).
    """

    status: int = 0
    text: str | None = None
    error: Instance | None = None

    @property
    def ok(self) -> bool:
        return not failed(self.status)

    def as_error(self) -> WbemError:
        """The exception that says what this outcome says."""
        details = self.error
        message = operation = parameter = None
        if details is not None:
            message, operation, parameter = (
                details.get_(name) for name in ("Description", "Operation", "ParameterInfo")
            )
        return error(self.status, message, operation=operation, parameter=parameter, extended=details)

    def raise_(self) -> None:
        """Raise the matching WbemError when the operation failed; otherwise nothing."""
        if failed(self.status):
            raise self.as_error()
