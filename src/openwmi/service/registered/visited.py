"""The program of a decoupled provider, as a service sees it: a host process that it neither starts nor ends (F-08)."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from openwmi.model.errors import error
from openwmi.model.status import WBEM_E_PROVIDER_FAILURE, WBEM_E_PROVIDER_NOT_FOUND
from openwmi.service.registered.hostprocess import HostProcess
from openwmi.service.registered.meeting import reached

if TYPE_CHECKING:
    from openwmi.service.limits import HostQuotas
    from openwmi.service.registered.hostprocess import HostProcesses
    from openwmi.service.registered.registration import HostName


class VisitedProgram(HostProcess):
    """A connection to such a program. The quotas of host processes do not concern it: it is not the service's."""

    counted = False

    def __init__(self, name: HostName, quotas: HostQuotas, watch: HostProcesses, folder: str | None) -> None:
        super().__init__(name, quotas, watch)
        self._folder = folder

    @property
    def _provider(self) -> tuple[str, str]:
        namespace, _, name = self.name.group.partition("|")
        return namespace, name

    @property
    def usable(self) -> bool:
        """A program that has closed its end is not asked any more, though nobody may have noticed it yet."""
        connection = self._socket
        if not self.alive or connection is None:
            return self.alive
        try:
            return bool(connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
        except BlockingIOError:
            return True
        except OSError:
            return False

    def start(self) -> None:
        """Connect; nobody there is the failure of its calls."""
        self.pid = 0  # it has been tried
        namespace, name = self._provider
        try:
            if self._folder is None:
                raise OSError("the store is in memory")
            self._socket = reached(self._folder, namespace, name)
        except OSError as failure:
            self.end(
                error(
                    WBEM_E_PROVIDER_NOT_FOUND,
                    f"decoupled provider {name} of {namespace} is not running: {failure}",
                    parameter=name,
                )
            )

    def on_gone(self) -> None:
        self.end(
            error(
                WBEM_E_PROVIDER_FAILURE,
                f"the program of decoupled provider {self._provider[1]} ended while it served the call",
            )
        )

    def reaped(self) -> bool:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        return True

    def usage(self) -> None:
        return None

    def _kill(self) -> None:
        """It goes on: it may serve others."""
