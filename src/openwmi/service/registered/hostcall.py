"""The stand-in for a provider object in a host process: it has the methods of the contract, and sends them on."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Final

from openwmi.model.errors import WbemError, error
from openwmi.model.status import WBEM_E_PROVIDER_FAILURE
from openwmi.model.values import coerce
from openwmi.repository.encoding import packed, packed_class, unpacked
from openwmi.service.registered import frames as fr
from openwmi.service.registered.hostprocess import Channel
from openwmi.service.registered.patience import timed_out

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from openwmi.contract.provider import Initialization, Request
    from openwmi.model.classes import Class
    from openwmi.model.instances import Instance
    from openwmi.service.registered.hostprocess import HostProcess, HostProcesses
    from openwmi.service.registered.registration import Registration
    from openwmi.service.schema import Schema

# Rows that a host process may be ahead of its reader.
CREDIT: Final = 1000
# What a consumer provider may ask for: events of one call, seconds of one delivery.
MOST_EVENTS: Final = 10_000
LONGEST_DELIVERY: Final = 86_400.0
_numbers = itertools.count(1)


class HostedObject:
    """A provider object in a host process; made with it. Its methods wait on the calling thread."""

    def __init__(
        self, hosts: HostProcesses, registration: Registration, initialization: Initialization, schema: Schema
    ) -> None:
        assert registration.host is not None
        self._registration = registration
        self._schema = schema
        self._hosts = hosts
        self._number = next(_numbers)
        self._host = hosts.hold(registration.host)
        try:
            channel = Channel()
            content = (self._number, registration.module, registration.class_name, initialization)
            call = self._host.begin(channel, fr.LOAD, content)
            said = list(self._answers(channel, call, registration.initialization_timeout, None))
        except BaseException:
            hosts.release(self._host)
            raise

        self._takes(said[0] if said and isinstance(said[0], dict) else {})

    def _takes(self, said: dict[str, Any]) -> None:
        """What it says of itself as a consumer provider; it is not trusted."""
        batch = said.get("batch")
        self.batch = batch if isinstance(batch, int) and 1 <= batch <= MOST_EVENTS else 1
        self._limits = said.get("limits") is True

    @property
    def alive(self) -> bool:
        """Whether its process is."""
        return self._host.usable

    @property
    def process(self) -> HostProcess:
        return self._host

    def close(self) -> None:
        """Release it there; the last one takes its process with it."""
        self._host.say(fr.UNLOAD, 0, self._number)
        self._hosts.release(self._host)

    # The contract

    def instances(self, request: Request) -> Iterator[Any]:
        return self._rows(request, "instances", ())

    def instance(self, request: Request, keys: Mapping[str, object]) -> Any:
        return next(iter(list(self._rows(request, "instance", (keys,)))), None)

    def put(self, request: Request, instance: Instance, flags: int) -> None:
        list(self._call(request, "put", (instance, flags)))

    def delete(self, request: Request, keys: Mapping[str, object]) -> None:
        list(self._call(request, "delete", (keys,)))

    def consume(self, request: Request, consumer: Instance, events: Sequence[Instance]) -> None:
        list(self._call(request, "consume", (consumer, tuple(events))))

    def delivery_limit(self, request: Request, consumer: Instance) -> float | None:
        if not self._limits:
            return None
        for answer in self._call(request, "delivery_limit", (consumer,)):
            seconds = answer.get("seconds") if isinstance(answer, dict) else None
            if isinstance(seconds, int | float) and 0 < seconds <= LONGEST_DELIVERY:
                return float(seconds)
            raise self._failure("the limit of a delivery is no number of seconds")
        return None

    def method(
        self, request: Request, method: str, keys: Mapping[str, object] | None, params: Mapping[str, object]
    ) -> Mapping[str, object]:
        for answer in self._call(request, "method", (method, keys, params)):
            if isinstance(answer, dict):
                return {name: unpacked(value, self._schema.find_class) for name, value in answer.items()}
        return {}

    # Calls

    def _rows(self, request: Request, method: str, arguments: tuple[Any, ...]) -> Iterator[Any]:
        """Rows checked against the types of the class: what another process says is not to be trusted."""
        declared = [request.class_.properties[name.lower()] for name in request.columns]
        find = self._schema.find_class
        count = len(declared)
        for row in self._call(request, method, arguments):
            if not isinstance(row, list) or len(row) != count:
                raise self._failure(f"a row of {request.class_.name} does not have {count} values")
            try:
                yield tuple(
                    [
                        None
                        if value is None
                        else coerce(unpacked(value, find), one.type, name=one.name, reference=one.reference)
                        for one, value in zip(declared, row, strict=True)
                    ]
                )
            except (WbemError, LookupError, TypeError, ValueError) as failure:
                raise self._failure(f"a row of {request.class_.name} is wrong: {failure}") from None

    def _call(self, request: Request, method: str, arguments: tuple[Any, ...]) -> Iterator[Any]:
        class_ = request.class_
        key = f"{class_.namespace}:{class_.name}".lower()
        context = request.context
        content = (
            self._number,
            method,
            key,
            request.columns,
            [(name, op, packed(value)) for name, op, value in request.conditions],
            request.caller,
            None if context is None else [(name, packed(value)) for name, value in context.items()],
            [_packed_argument(one) for one in arguments],
            request._report is not None,
            CREDIT,
            getattr(request, "publisher", None),
        )
        late = getattr(request, "late", None)
        channel = Channel(
            lambda payload: _on_progress(request, payload),
            late=None if late is None else lambda payload: late(self._told(payload)),
        )
        call = self._host.begin(
            channel, fr.CALL, content, (key, class_, lambda: self._definition(key, class_))
        )
        return self._answers(channel, call, self._registration.operation_timeout, request)

    def _answers(
        self, channel: Channel, call: int, seconds: float | None, request: Request | None
    ) -> Iterator[Any]:
        """What comes back, row by row, until the end of the call."""
        host = self._host
        if request is not None:
            request.on_cancel(channel.close)
        ended = False
        try:
            while True:
                taken = channel.take(seconds)
                if taken is None:
                    if request is not None and request.cancelled:
                        return
                    raise timed_out(self._registration.name, seconds or 0)
                kind, payload = taken
                try:
                    content = fr.content_of(payload)
                except fr.FrameError as failure:
                    raise self._failure(str(failure)) from None
                if kind == fr.END:
                    ended = True
                    self._raise(content)
                    return
                if not isinstance(content, list):
                    raise self._failure("it sends something else than rows")
                yield from content
                host.say(fr.GRANT, call, len(content))
        finally:
            if not ended:
                host.say(fr.CANCEL, call)
            host.forget(call)

    def _raise(self, content: Any) -> None:
        """The failure that ended a call; nothing for a success."""
        if content is not None:
            raise self._failed(content)

    def _failed(self, content: Any) -> WbemError:
        code, text = content if isinstance(content, list) and len(content) == 2 else (0, "")
        if isinstance(code, int) and 0x80000000 <= code <= 0xFFFFFFFF:
            return error(code, str(text))
        return self._failure(str(text))

    def _told(self, payload: bytes) -> WbemError:
        """A failure that came late."""
        try:
            return self._failed(fr.content_of(payload))
        except fr.FrameError as failure:
            return self._failure(str(failure))

    def _failure(self, what: str) -> WbemError:
        return error(WBEM_E_PROVIDER_FAILURE, f"provider {self._registration.name} failed: {what}")

    def _definition(self, key: str, class_: Class) -> list[Any]:
        line = [self._schema.class_named(name) for name in reversed(class_.derivation)]
        return [key, class_.namespace, class_.server, [packed_class(one) for one in (*line, class_)]]


def _packed_argument(value: Any) -> Any:
    if isinstance(value, dict):
        return {"m": {name: packed(one) for name, one in value.items()}}
    return packed(value)


def _on_progress(request: Request, payload: bytes) -> None:
    try:
        current, total, message = fr.content_of(payload)
        request.progress(int(current), int(total), None if message is None else str(message)[:1000])
    except (fr.FrameError, TypeError, ValueError):
        pass  # whoever sends that has no progress to tell
