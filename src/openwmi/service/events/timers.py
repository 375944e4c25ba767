"""Timers: instances of __IntervalTimerInstruction and __AbsoluteTimerInstruction raise __TimerEvent (model.md E4).

They run in the holder of the owner lock. When a timer fires next stands in the store, as __TimerNextFiring beside the
instruction, so that a service that was down knows what it has missed:

    interval   the moment of the next firing, 100 ns since 1601; renewed every SAVE_SECONDS at most, and at the end.
               After a kill up to that much is told again as missed.
    absolute   minus its moment, once it has fired or was skipped: that moment never comes again.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from openwmi.model.datetimes import CimDateTime, filetime, unix_time
from openwmi.service.stored import ident_of, indexed_values, keys_of, root_of

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator

    from openwmi.model.instances import Instance
    from openwmi.repository.repository import Change
    from openwmi.service.events.exchange import Exchange
    from openwmi.service.namespaces import Namespace

INTERVAL: Final = "__IntervalTimerInstruction"
ABSOLUTE: Final = "__AbsoluteTimerInstruction"
NEXT: Final = "__TimerNextFiring"
_CLASSES: Final = (INTERVAL.lower(), ABSOLUTE.lower())
# Intervals may be shorter; what falls into this is one event whose NumFirings counts (E-40).
SHORTEST: Final = 0.1
# Moments are compared with the clock at least so often: it may be set, and stands still for nobody who sleeps.
LOOK_AT_CLOCK: Final = 30.0
# How often the store is asked what other processes have written.
LOOK_AT_STORE: Final = 0.25
SAVE_SECONDS: Final = 10.0
LIMIT: Final = 10_000
_UINT32: Final = 0xFFFFFFFF
_LOG: Final = logging.getLogger("openwmi.events")


class Instruction(NamedTuple):
    """One instance as it stands in the store. interval: seconds; moment: seconds since 1970; None when not given."""

    space: Namespace
    name: str
    skip: bool
    interval: float | None = None
    moment: float | None = None
    next_firing: int | None = None

    @property
    def key(self) -> tuple[str, str]:
        return self.space.path.lower(), self.name.upper()

    @property
    def says(self) -> tuple[Any, ...]:
        """What makes it another instruction when it changes."""
        return self.space, self.skip, self.interval, self.moment


class Timer:
    """An instruction at work."""

    __slots__ = ("_handle", "_saved", "_timers", "due", "instruction", "missed")

    def __init__(self, timers: Timers, instruction: Instruction, *, restart: bool) -> None:
        self._timers = timers
        self.instruction = instruction
        self.missed = 0  # firings that nobody could raise, to be told with the next one
        self._handle: asyncio.TimerHandle | None = None
        self._saved = timers.now()
        self.due = 0.0  # of an interval: when it fires next, by the loop's time
        if instruction.interval is not None:
            self._begin_interval(instruction.interval, restart=restart)
        elif instruction.moment is not None:
            self._wait_for_moment()

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def next_firing(self) -> int | None:
        """What the store is to say, None when there is nothing to say."""
        if self.instruction.interval is None:
            return None
        return filetime(self._timers.now() + self.due - self._timers.loop.time())

    # Intervals, by the loop's time: setting the clock neither hurries nor delays them

    def _begin_interval(self, interval: float, *, restart: bool) -> None:
        loop, saved = self._timers.loop, self.instruction.next_firing
        self.due = loop.time() + interval
        if restart and saved is not None:
            left = unix_time(saved) - self._timers.now()
            if left <= interval:
                self.due = loop.time() + left
        if self.due <= loop.time() and self.instruction.skip:
            self.due += interval * ((loop.time() - self.due) // interval + 1)
        self._wait_for_interval(0.0)

    def _wait_for_interval(self, least: float) -> None:
        loop = self._timers.loop
        self._handle = loop.call_at(max(self.due, loop.time() + least), self._on_interval)

    def _on_interval(self) -> None:
        interval = self.instruction.interval
        assert interval is not None
        late = max(self._timers.loop.time() - self.due, 0.0)
        firings = int(late / interval + 1e-9) + 1
        self.due += firings * interval
        self._wait_for_interval(SHORTEST)
        self._timers.fire(self.instruction, 1 if self.instruction.skip else firings)
        if self._timers.now() - self._saved >= min(SAVE_SECONDS, interval):
            self._saved = self._timers.now()
            self._timers.save([self])

    # Moments, by the clock

    def _wait_for_moment(self) -> None:
        moment = self.instruction.moment
        assert moment is not None
        self._handle = None
        if self.instruction.next_firing == -filetime(moment):
            return  # it has been
        left = moment - self._timers.now()
        if left > 0:
            self._handle = self._timers.loop.call_later(min(left, LOOK_AT_CLOCK), self._on_moment)
            return
        self._done(moment, fires=not self.instruction.skip)

    def _on_moment(self) -> None:
        moment = self.instruction.moment
        assert moment is not None
        if self._timers.now() < moment:
            self._wait_for_moment()
        else:
            self._done(moment, fires=True)

    def _done(self, moment: float, *, fires: bool) -> None:
        self._handle = None
        self.instruction = self.instruction._replace(next_firing=-filetime(moment))
        if fires:
            self._timers.fire(self.instruction, 1)
        self._timers.record(self.instruction, -filetime(moment))


class Timers:
    """All timers of a store. Everything but reading and writing it runs on the service's loop."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._namespaces = exchange.service.namespaces
        self.loop = exchange.loop
        self.now: Callable[[], float] = exchange.clock
        self._timers: dict[tuple[str, str], Timer] = {}
        self._look: asyncio.TimerHandle | None = None
        self._running = False
        self._listening = False
        self._reading = False
        self._stale = False

    def begin(self) -> None:
        """The owner lock is held: start what the store has."""
        self._running = True
        if not self._listening:
            self._listening = True
            self._namespaces.repository.listen(self._on_change)
        self._look = self.loop.call_later(LOOK_AT_STORE, self._look_at_store)
        self._read(restart=True)

    def end(self) -> None:
        """Stop all, and remember when each was to fire."""
        self._running = False
        if self._look is not None:
            self._look.cancel()
        timers = list(self._timers.values())
        self._timers.clear()
        for one in timers:
            one.stop()
        self._save_now([(one.instruction, at) for one in timers if (at := one.next_firing()) is not None])

    def fire(self, instruction: Instruction, firings: int) -> None:
        """Raise the event."""
        exchange, path = self._exchange, instruction.space.path
        if exchange.listening(path, "__TimerEvent"):
            values = {"TimerId": instruction.name, "NumFirings": min(firings, _UINT32)}
            exchange.raise_event(path, exchange.made(instruction.space, "__TimerEvent", values))

    # What the store says

    def _look_at_store(self) -> None:
        self._namespaces.refresh()
        self._look = self.loop.call_later(LOOK_AT_STORE, self._look_at_store)

    def _on_change(self, change: Change) -> None:
        """In any thread."""
        if self._running and (change.kind in ("gap", "namespace-") or change.class_name.lower() in _CLASSES):
            self._tell(self._read)

    def _read(self, *, restart: bool = False) -> None:
        """Have the instructions read on another thread; a change meanwhile has them read once more."""
        if self._reading:
            self._stale = True
            return
        self._reading = True

        def job() -> None:
            try:
                found: list[Instruction] | None = list(self._instructions())
            except Exception:  # noqa: BLE001 - the store is another program's too: look again with its next change
                if self._running and not self._namespaces.repository.left:
                    _LOG.warning("the timers of the store cannot be read", exc_info=True)
                found = None
            self._tell(lambda: self._on_read(found, restart=restart))

        self._exchange.service.planner.submit(job)

    def _tell(self, function: Callable[[], None]) -> None:
        """Have something done on the loop, from any thread."""
        try:
            self.loop.call_soon_threadsafe(function)
        except RuntimeError:  # the service has ended
            self._running = False

    def _on_read(self, found: list[Instruction] | None, *, restart: bool) -> None:
        self._reading = False
        if self._running and found is not None:
            self._take(found, restart=restart)
        if self._stale:
            self._stale = False
            self._read()

    def _take(self, found: list[Instruction], *, restart: bool) -> None:
        """Start what is new, stop what is gone; what says what it said goes on as it is."""
        if len(found) > LIMIT:
            _LOG.warning("%d timer instructions: the first %d of them run", len(found), LIMIT)
        wanted = {one.key: one for one in found[:LIMIT]}
        for key, timer in list(self._timers.items()):
            if key not in wanted:
                timer.stop()
                del self._timers[key]
                self.record(timer.instruction, None)
        fresh = []
        for key, instruction in wanted.items():
            known = self._timers.get(key)
            if known is not None:
                if known.instruction.says == instruction.says:
                    continue
                known.stop()
            self._timers[key] = timer = Timer(self, instruction, restart=restart)
            fresh.append(timer)
        self.save(fresh)

    def _instructions(self) -> Iterator[Instruction]:
        """On a thread: every instruction of every namespace."""
        repository = self._namespaces.repository
        for space in list(self._namespaces.spaces()):
            if not repository.has_instances(space.path, _CLASSES):
                continue
            fired = {
                str(one.raw_("TimerId")).upper(): one.raw_("NextEvent64BitTime")
                for one in space.static_instances(space.schema.class_named(NEXT))
            }
            for name in (INTERVAL, ABSOLUTE):
                for one in space.static_instances(space.schema.class_named(name)):
                    yield _instruction(space, one, fired.get(str(one.raw_("TimerId")).upper()))

    # What the store is told

    def save(self, timers: list[Timer]) -> None:
        """Have the store say when intervals fire next."""
        self._write([(one.instruction, at) for one in timers if (at := one.next_firing()) is not None])

    def record(self, instruction: Instruction, next_firing: int | None) -> None:
        """Have the store say when, or that, an instruction fires; None: nothing any more."""
        self._write([(instruction, next_firing)])

    def _write(self, records: list[tuple[Instruction, int | None]]) -> None:
        if records:
            self._exchange.service.planner.submit(lambda: self._save_now(records))

    def _save_now(self, records: list[tuple[Instruction, int | None]]) -> None:
        if not records:
            return
        repository = self._namespaces.repository.opened()
        try:
            with repository.store.writing():
                for instruction, next_firing in records:
                    space = instruction.space
                    if self._namespaces.find(space.path) is not space:
                        continue  # gone with everything in it
                    class_ = space.schema.class_named(NEXT)
                    one = class_.spawn({"TimerId": instruction.name, "NextEvent64BitTime": next_firing or 0})
                    root, ident = root_of(class_), ident_of(class_, keys_of(one)) or ""
                    if next_firing is None:
                        repository.delete_instance(space.path, class_.name, root=root, ident=ident)
                    else:
                        indexed = indexed_values(space, class_, one)
                        repository.put_instance(space.path, one, root=root, ident=ident, indexed=indexed)
        except Exception:  # noqa: BLE001 - timers go on without a memory
            if not self._namespaces.repository.left:  # whose end has stored it
                _LOG.warning("what timers do cannot be stored", exc_info=True)


def _instruction(space: Namespace, one: Instance, next_firing: int | None) -> Instruction:
    name, skip = str(one.raw_("TimerId")), bool(one.raw_("SkipIfPassed"))
    interval = moment = None
    if one.classname_.lower() == INTERVAL.lower():
        interval = (one.raw_("IntervalBetweenEvents") or 0) / 1000 or None
        if interval is None:
            _LOG.warning("timer %s of %s has no interval: it never fires", name, space.path)
    else:
        try:
            moment = unix_time(CimDateTime(one.raw_("EventDateTime")).to_filetime())
        except (TypeError, ValueError):
            _LOG.warning("timer %s of %s has no complete EventDateTime: it never fires", name, space.path)
    return Instruction(space, name, skip, interval, moment, next_firing)
