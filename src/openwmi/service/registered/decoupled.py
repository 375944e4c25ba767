"""A decoupled provider, on its own side: a program that serves the requests of services in other processes (F-08).

The services come to the program (registered.meeting), each with a connection of its own, and speak as they do with host
processes (registered.frames). The provider is an object of the program; what services do not use costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from openwmi.service.registered import code
from openwmi.service.registered.hosted import Serving, error_content
from openwmi.service.registered.meeting import trusted

if TYPE_CHECKING:
    import socket
    from types import TracebackType

    from openwmi.contract.provider import Initialization
    from openwmi.portal import Portal
    from openwmi.service.registered.meeting import Claim

THREADS: Final = 64
# Services that may be connected at a time.
SERVICES: Final = 64


class _Service(Serving):
    """What one service asks of the program. Its end is that of its connection, never of the program."""

    def __init__(self, owner: Decoupled, connection: socket.socket) -> None:
        super().__init__(connection, owner.portal.loop, THREADS, acting=False)
        self._owner = owner

    def _loaded(self, module: str, class_name: str, initialization: Initialization) -> Any:
        return self._owner.initialized(initialization)

    def _content_of(self, failure: BaseException) -> list[Any]:
        return error_content(failure)  # running out of memory is the program's business

    def _released(self, provider: Any) -> None:
        """The object belongs to the program."""

    def gone(self) -> None:
        """The service is gone: nobody wants its answers."""
        self.leave()
        self._owner.forget(self)


class Decoupled:
    """A provider that this program serves for services of the same store, until it is closed or the program ends.

    portal: a loop of its own, which ends with it.
    """

    def __init__(self, provider: Any, claim: Claim, portal: Portal) -> None:
        self._provider = provider
        self._claim = claim
        self._services: set[_Service] = set()
        self._closed = False
        self.portal = portal
        self.portal.loop.call_soon_threadsafe(self._listen)

    def initialized(self, initialization: Initialization) -> Any:
        """The provider, told of a service that begins to use it (F-06)."""
        return code.told(self._provider, initialization)

    def _listen(self) -> None:
        self.portal.loop.add_reader(self._claim.listener.fileno(), self._on_service)

    def _on_service(self) -> None:
        try:
            connection, _ = self._claim.listener.accept()
        except OSError:
            return
        if len(self._services) >= SERVICES or not trusted(connection):
            connection.close()
            return
        connection.setblocking(False)
        self._services.add(_Service(self, connection))

    def forget(self, service: _Service) -> None:
        """On the loop: a service has gone."""
        self._services.discard(service)

    def close(self) -> None:
        """Serve it no longer; calls that are under way fail."""
        if self._closed:
            return
        self._closed = True
        self.portal.run(self._end)
        self.portal.stop()

    async def _end(self) -> None:
        self.portal.loop.remove_reader(self._claim.listener.fileno())
        self._claim.close()
        for service in list(self._services):
            service.gone()

    def __enter__(self) -> Decoupled:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
