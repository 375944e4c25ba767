"""One operation being carried out: what every part of the work needs to know of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openwmi.contract.flags import right_names
from openwmi.contract.provider import Request
from openwmi.model.errors import error
from openwmi.model.status import WBEM_E_ACCESS_DENIED

if TYPE_CHECKING:
    from collections.abc import Callable

    from openwmi.contract.caller import Caller
    from openwmi.contract.context import Context
    from openwmi.contract.provider import Condition
    from openwmi.model.classes import Class
    from openwmi.service.namespaces import Namespace


class Execution:
    """One operation being carried out: where, for whom, with which flags and context.

    text: what a put has to say, once it is done: the path of the stored object.
    """

    __slots__ = ("caller", "context", "flags", "report", "space", "text")

    def __init__(
        self,
        space: Namespace,
        caller: Caller,
        *,
        flags: int = 0,
        context: Context | None = None,
        report: Callable[[int, int, str | None], None] | None = None,
    ) -> None:
        self.space = space
        self.caller = caller
        self.flags = flags
        self.context = context
        self.report = report
        self.text: str | None = None

    def require(self, right: int, deed: str) -> None:
        """ACCESS_DENIED, naming what is missing, unless the caller was granted a right at log-on (I2)."""
        caller = self.caller
        if not caller.holds(right):
            missing = right_names(right & ~caller.granted)
            raise error(
                WBEM_E_ACCESS_DENIED,
                f"{caller.name} may not {deed} in {self.space.path}: it lacks {missing} there",
                namespace=self.space.path,
            )

    def request(
        self, class_: Class, columns: tuple[str, ...], conditions: tuple[Condition, ...] = ()
    ) -> Request:
        """A question to the provider of a class."""
        return Request(
            class_, columns, conditions, caller=self.caller, context=self.context, report=self.report
        )
