"""Results pushed: the sink that stands for one call on the wire, and what the server brings to it (wire.md 6).

The server is not trusted to keep the sink's contract. Everything goes through the call's own delivery machine, which
keeps it towards the program's sink whatever comes: callbacks before the call's answer, beside each other, after the
end, or never.
"""

from __future__ import annotations

import asyncio
from copy import copy
from typing import TYPE_CHECKING, Any, ClassVar, Final

from openwmi.contract.outcome import Outcome, Progress
from openwmi.model.errors import WbemError, error
from openwmi.model.status import (
    WBEM_E_CALL_CANCELLED,
    WBEM_E_INVALID_PARAMETER,
    WBEM_E_SERVER_TOO_BUSY,
    WBEM_E_TRANSPORT_FAILURE,
    WBEM_S_NO_ERROR,
    failed,
)
from openwmi.remote.client.failures import RemoteFailure
from openwmi.remote.client.hearing import error_object
from openwmi.remote.inbound.incoming import Fault, interface
from openwmi.wire.dcom import objref
from openwmi.wire.errors import ACCESS_DENIED, ProtocolError
from openwmi.wire.wmi import results
from openwmi.wire.wmi.guids import CLSID_WbemClassObject, IWbemObjectSink
from openwmi.wire.wmi.login import Result
from openwmi.wire.wmi.services import CANCEL
from openwmi.wmio import Decoder

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from openwmi.calls.running import RunningCall
    from openwmi.model.batches import Batch
    from openwmi.remote.client.machine import Machine
    from openwmi.remote.inbound.incoming import Incoming
    from openwmi.remote.outbound.references import Proxy
    from openwmi.remote.places import Address

_COMPLETE: Final = 0
_PROGRESS: Final = 2
# How long a server's callback is held up while the program's sink is busy; less than the server's own patience (C7).
_HOLD: Final = 20.0
# How many callbacks of one call may wait; a server that keeps to B24 has one.
_MOST_WAITING: Final = 4
# How long a sink stays callable after the end of its call, for a server that has not heard of it yet, in seconds.
_AFTERWARDS: Final = 5.0


class Push:
    """One call's sink on the wire. Implements inbound.incoming.Exported and calls.running.Source.

    progress: whether reports were asked for; explain: gives an error its place; otherwise: how to get the results where
    the server does not come, None where the call ends then.
    """

    def __init__(
        self,
        call: RunningCall,
        services: Proxy,
        machine: Machine,
        place: Address,
        *,
        progress: bool,
        explain: Callable[[WbemError], WbemError],
        otherwise: Callable[[], Coroutine[Any, Any, object]] | None = None,
    ) -> None:
        self._call = call
        self._otherwise = otherwise
        self._heard = False
        self._watch: asyncio.TimerHandle | None = None
        self._services = services
        self._machine = machine
        self._receiver = machine.receiver
        self._place = place
        self._progress = progress
        self._explain = explain
        self._decoder = Decoder()
        self._accepted = False
        self._over = False  # the server has said how it ended
        self._gone = False
        self._lost: WbemError | None = None
        self._waiting = 0
        self._room: asyncio.Future[None] | None = None
        self._receiver.expect(machine)
        machine.on_lost(self._on_lost)

    # Beginning and end

    def reference(self) -> bytes:
        """The OBJREF of the sink; several are to the same object."""
        return self._receiver.reference(self, self._place)

    def accepted(self) -> None:
        """The server has accepted the call: what came before is delivered now (calls.md B21)."""
        self._accepted = True
        if not self._gone:
            patience = self._machine.settings.callback_wait
            self._watch = self._machine.loop.call_later(patience, self._look, patience)
        if self._lost is not None:  # before the answer, or in the same turn of the loop
            self._finish(RemoteFailure.of(self._explain(self._lost)))

    def withdraw(self) -> None:
        """The server is not let in for this call any more."""
        if not self._gone:
            self._gone = True
            if self._watch is not None:
                self._watch.cancel()
            self._wake()
            self._machine.off_lost(self._on_lost)
            self._receiver.exporter.withdraw(self)
            self._receiver.dismiss(self._machine)

    def _look(self, seconds: float) -> None:
        """Whether the server has found its way back here. Some say nothing when they cannot: they would be waited for
        without end."""
        if (
            self._heard
            or self._over
            or not self._call.machine.pending
            or self._receiver.reached(self._machine)
        ):
            return
        if self._otherwise is None:
            why = f"{self._machine.host} accepted the call, but did not call back within {seconds:g} s"
            self._fail(error(WBEM_E_TRANSPORT_FAILURE, why))
            self.withdraw()
            return
        self._machine.farewell(self._cancel())
        self._over = True
        self._machine.farewell(self._otherwise())

    def released(self) -> None:
        """The server has let the sink go."""
        self._fail(self._uncalled("let go of the sink without a final status"))

    def _uncalled(self, deed: str) -> WbemError:
        """What ends a call as cancelled that nobody here has cancelled: a server does so when it cannot reach the sink
        any more, or waits for it in vain (calls.md C7, C9)."""
        machine = self._machine
        why = (
            f"{machine.host} {deed}, though nobody here has cancelled the call: it ended, lost its way back to"
            f" {self._place.host}[{self._place.port}], or waited for the sink for too long"
        )
        made = error(WBEM_E_CALL_CANCELLED, why)
        made.hint = 'make the call again; delivery="poll" needs no way back'
        return made

    def _on_lost(self, reason: WbemError | None) -> None:
        """The connection that the call was made on has ended."""
        if reason is not None:
            mine = copy(reason)  # other calls get the same one
            mine.phase = None
            self._fail(mine)
        self.withdraw()

    def _fail(self, reason: WbemError) -> None:
        """Nothing more will come of the call, which does not end before it was accepted."""
        if self._over or self._lost is not None or not self._call.machine.pending:
            return
        self._lost = reason
        if self._accepted:
            self._finish(RemoteFailure.of(self._explain(reason)))

    def _finish(self, outcome: Outcome) -> None:
        self._over = True
        self._call.on_outcome(outcome)

    # Source

    def allow(self, demand: int) -> None:
        self._wake()

    def stop(self) -> None:
        """The call is over on this side; where the server does not know that yet, it is told."""
        self._wake()
        if not self._over and self._accepted and not self._machine.channel.closed:
            self._machine.farewell(self._cancel())
        elif not self._gone:
            # The answer to the callback that brought the end has still to leave.
            self._machine.loop.call_later(_AFTERWARDS if not self._over else 0.0, self.withdraw)

    async def _cancel(self) -> None:
        inputs = CANCEL.request.members.holds(sink=self.reference())
        try:
            await self._services.call(
                CANCEL, inputs, deadline=self._machine.settings.cancel_wait + _AFTERWARDS
            )
        except WbemError:
            pass  # it has ended by itself, or is gone; nobody is let in any more either way
        finally:
            self.withdraw()

    def _wake(self) -> None:
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)

    # IWbemObjectSink

    def _judge(self, incoming: Incoming) -> None:
        """Only the server that was logged on to, and at no lower level (wire.md 6.4)."""
        machine = self._machine
        if incoming.identity != machine.principal or incoming.level < machine.credentials.level:
            raise Fault(ACCESS_DENIED)
        self._heard = True

    async def indicate(self, incoming: Incoming, inputs: results.Indicate) -> Result:
        """Objects. Answered when there is room for more, so that the server feels a slow sink."""
        self._judge(incoming)
        if self._over or not self._call.machine.pending:
            return Result(WBEM_E_CALL_CANCELLED)
        if self._waiting >= _MOST_WAITING:
            return Result(WBEM_E_SERVER_TOO_BUSY)
        batch = self._decoded(inputs.objects)
        self._call.machine.produced(batch)
        if self._accepted:
            self._call.advance()
        await self._until_room()
        return Result(WBEM_S_NO_ERROR if self._wanted() else WBEM_E_CALL_CANCELLED)

    def _wanted(self) -> bool:
        return self._over or self._call.machine.pending

    async def _until_room(self) -> None:
        machine = self._call.machine
        if machine.demand > 0 or not machine.pending:
            return
        self._waiting += 1
        try:
            async with asyncio.timeout(_HOLD):
                while machine.pending and machine.demand <= 0:
                    if self._room is None:
                        self._room = self._machine.loop.create_future()
                    await asyncio.shield(self._room)
        except TimeoutError:
            pass  # the sink may take as long as its own patience says; the server must not wait for that
        finally:
            self._waiting -= 1

    def _decoded(self, references: Any) -> Batch:
        try:
            return [
                self._decoder.decode(objref.custom(reference, CLSID_WbemClassObject))
                for reference in references
            ]
        except ProtocolError:
            raise  # a fault, and the end of this callback alone
        except WbemError as reason:
            self._finish(RemoteFailure.of(self._explain(reason)))
            raise

    def set_status(self, incoming: Incoming, inputs: results.SetStatus) -> Result:
        """Progress, or the end."""
        self._judge(incoming)
        if inputs.flags not in (_COMPLETE, _PROGRESS):
            raise error(WBEM_E_INVALID_PARAMETER, f"SetStatus with flags {inputs.flags}")  # B37
        if self._over or not self._call.machine.pending:
            self._over = self._over or inputs.flags == _COMPLETE
            return Result(WBEM_E_CALL_CANCELLED if inputs.flags == _PROGRESS else WBEM_S_NO_ERROR)
        if inputs.flags == _PROGRESS:
            if self._progress:
                self._call.machine.reported(Progress.from_hresult(inputs.status, inputs.text))
                if self._accepted:
                    self._call.advance()
            return Result(WBEM_S_NO_ERROR)
        self._over = True
        self._call.machine.ended(self._outcome(inputs))
        if self._accepted:
            self._call.advance()
        return Result(WBEM_S_NO_ERROR)

    def _outcome(self, inputs: results.SetStatus) -> Outcome:
        plain = Outcome(inputs.status, inputs.text, error_object(inputs.error))
        if not failed(inputs.status):
            return plain
        bare = inputs.status == WBEM_E_CALL_CANCELLED and plain.error is None
        reason = self._uncalled("ended the call") if bare else plain.as_error()
        return RemoteFailure.of(self._explain(reason), inputs.text)

    interfaces: ClassVar[Any] = {
        IWbemObjectSink.uuid: interface((results.INDICATE, indicate), (results.SET_STATUS, set_status))
    }
