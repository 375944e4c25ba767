"""A log-on and the way to it: what every proxy of one connection shares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from openwmi.contract.operations import GetObject
from openwmi.faces.com.process import Blanket
from openwmi.faces.views import perform
from openwmi.model.classes import Class
from openwmi.model.errors import WbemError, error
from openwmi.model.status import WBEM_E_SHUTTING_DOWN

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from openwmi.contract.services import Services
    from openwmi.portal import Portal

T = TypeVar("T")


class Connection:
    """The services of a log-on and the portal that leads to their loop."""

    __slots__ = ("client", "portal", "services")

    def __init__(self, portal: Portal, services: Services) -> None:
        self.portal = portal
        self.services = services
        # What a sink learns of who calls it (E9, E15): the service, as the user it runs for.
        self.client = Blanket(identity=services.caller.name)

    def run(self, function: Callable[..., Awaitable[T]], *args: Any, **kwargs: Any) -> T:
        """Run a coroutine function on the service's loop and block until it is done."""
        if not self.portal.loop.is_running():
            raise error(WBEM_E_SHUTTING_DOWN, "the service of this process has ended")
        result: T = self.portal.run(function, *args, **kwargs)  # type: ignore[arg-type]
        return result

    def post(self, function: Callable[[], Coroutine[object, object, object]]) -> None:
        """Run a coroutine function on the service's loop without waiting; not at all once the service has ended."""
        if self.portal.loop.is_running():
            self.portal.submit(function)

    def find_class(self, name: str) -> Class | None:
        """The class of a name in this namespace; None where there is none, or the caller may not see it."""
        try:
            found = self.run(perform, self.services, GetObject(name)).object
        except WbemError:
            return None
        return found if isinstance(found, Class) else None
