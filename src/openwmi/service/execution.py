"""One operation being carried out: what every part of the work needs to know of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openwmi.contract.flags import right_names
from openwmi.contract.provider import Request
from openwmi.model.errors import error
from openwmi.model.status import WBEM_E_ACCESS_DENIED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from openwmi.contract.caller import Caller
    from openwmi.contract.context import Context
    from openwmi.contract.provider import Condition
    from openwmi.model.classes import Class
    from openwmi.repository.store import Snapshot
    from openwmi.service.hosting import HostedProvider
    from openwmi.service.namespaces import Namespace


class Execution:
    """One operation being carried out: where, for whom, with which flags and context.

    text: what a put has to say, once it is done: the path of the stored object. snapshot: of the store, for one that
    reads several static classes.
    """

    __slots__ = ("caller", "context", "flags", "report", "snapshot", "space", "text")

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
        self.snapshot: Snapshot | None = None

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

    def reader(self, class_: Class, columns: Iterable[str]) -> HostedProvider:
        """The provider that reads these columns of a class for this caller; see service.acting."""
        if not self.caller.remote:
            return self.space.providers.of(class_)
        from openwmi.service import acting

        return acting.reader(self, class_, columns)

    def writer(self, class_: Class) -> HostedProvider:
        """The provider that writes instances of a class for this caller."""
        if not self.caller.remote:
            return self.space.providers.of(class_)
        from openwmi.service import acting

        return acting.writer(self, class_)

    def runner(self, class_: Class, method: str) -> tuple[HostedProvider, Mapping[str, object] | None]:
        """The provider that runs a method for this caller, or the out-parameters that refuse it."""
        if not self.caller.remote:
            return self.space.providers.of(class_), None
        from openwmi.service import acting

        return acting.runner(self, class_, method)

    def request(
        self, class_: Class, columns: tuple[str, ...], conditions: tuple[Condition, ...] = ()
    ) -> Request:
        """A question to the provider of a class."""
        return Request(
            class_, columns, conditions, caller=self.caller, context=self.context, report=self.report
        )
