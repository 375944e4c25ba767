"""Providers for registrations to name. What they note down, `LOG` keeps: one list per process."""

from __future__ import annotations

import os
import threading
from typing import Any

from openwmi.contract.provider import Initialization, PropertyPlace, Request
from openwmi.model.errors import error
from openwmi.model.status import WBEM_E_ACCESS_DENIED

LOG: list[tuple[Any, ...]] = []
GATE = threading.Event()
RAISED: list[tuple[str, Any]] = []  # no queue: host processes read nothing more of the library
NOT_A_CLASS = 7


class Things:
    """Numbered things, all roles: Number (key), Name, Owner (what the object was initialized with), Pid."""

    def __init__(self) -> None:
        self.items: dict[int, str] = {number: f"thing {number}" for number in range(5)}
        self.initialization: Initialization | None = None

    def initialize(self, initialization: Initialization) -> None:
        LOG.append(("initialize", initialization))
        self.initialization = initialization

    def close(self) -> None:
        LOG.append(("close", self.initialization))

    def row(self, request: Request, number: int) -> tuple[Any, ...]:
        values = {
            "Number": number,
            "Name": self.items[number],
            "Owner": str(self.initialization),
            "Pid": os.getpid(),
            "Values": (number, number + 1),
        }
        return tuple(values.get(name) for name in request.columns)

    def instances(self, request: Request) -> Any:
        LOG.append(("instances", [tuple(one) for one in request.conditions]))
        for number in sorted(self.items):
            yield self.row(request, number)

    def instance(self, request: Request, keys: Any) -> Any:
        LOG.append(("instance", dict(keys)))
        return self.row(request, keys["Number"]) if keys["Number"] in self.items else None

    def put(self, request: Request, instance: Any, flags: int) -> None:
        self.items[instance.raw_("Number")] = instance.raw_("Name")

    def delete(self, request: Request, keys: Any) -> None:
        del self.items[keys["Number"]]

    def method(self, request: Request, method: str, keys: Any, params: Any) -> dict[str, Any]:
        return {"ReturnValue": 0, "Reply": f"{method} {params['Text']} {keys}"}


class OnlyInstances:
    """Enumerates and nothing else, whatever its registration says."""

    def instances(self, request: Request) -> Any:
        return [tuple(7 if name == "Number" else None for name in request.columns)]


class Asynchronous:
    """All of it as coroutines."""

    async def instances(self, request: Request) -> Any:
        for number in range(3):
            yield tuple(number if name == "Number" else None for name in request.columns)

    async def instance(self, request: Request, keys: Any) -> Any:
        return tuple(keys.get(name) for name in request.columns)


class Unready:
    def __init__(self) -> None:
        raise RuntimeError("not today")


class Stuck:
    """Does not answer before GATE is set."""

    def instances(self, request: Request) -> Any:
        yield tuple(1 if name == "Number" else None for name in request.columns)
        GATE.wait(60)

    def instance(self, request: Request, keys: Any) -> Any:
        GATE.wait(60)


class StuckAsynchronously:
    async def instances(self, request: Request) -> Any:
        import asyncio

        yield tuple(1 if name == "Number" else None for name in request.columns)
        await asyncio.sleep(60)

    async def instance(self, request: Request, keys: Any) -> Any:
        import asyncio

        await asyncio.sleep(60)


class SlowStart:
    def initialize(self, initialization: Initialization) -> None:
        GATE.wait(60)


class Refusing:
    def instances(self, request: Request) -> Any:
        raise error(WBEM_E_ACCESS_DENIED, "not for you")
        yield


class Failing:
    def instances(self, request: Request) -> Any:
        yield tuple(1 if name == "Number" else None for name in request.columns)
        raise ValueError("broken")


class Slow:
    """Sends one row, then waits until somebody cancels; leaves a file behind when it was told to stop."""

    def instances(self, request: Request) -> Any:
        import time

        request.progress(1, 2, "halfway")
        yield tuple(
            os.getpid() if name == "Pid" else 1 if name == "Number" else None for name in request.columns
        )
        while not request.cancelled:
            time.sleep(0.01)
        with open(os.path.join(os.environ["TMPDIR"], f"cancelled-{os.getpid()}"), "w"):
            pass


class Many:
    """More rows than anybody wants."""

    def instances(self, request: Request) -> Any:
        number = 0
        while True:
            yield tuple(
                number if name == "Number" else "x" * 100 if name == "Name" else None
                for name in request.columns
            )
            number += 1


class Greedy:
    def instances(self, request: Request) -> Any:
        yield (len(bytearray(4 << 30)),)

    def instance(self, request: Request, keys: Any) -> Any:
        """So many files, or so many threads, that it is noticed."""
        if keys["Number"] == 1:
            self.files = [os.dup(0) for _ in range(50)]
        else:
            for _ in range(40):
                threading.Thread(target=GATE.wait, daemon=True).start()
        GATE.wait(60)


class Looking:
    """Tells what a host process has: open descriptors, user, environment, arguments."""

    def instances(self, request: Request) -> Any:
        print("nobody must see this")
        descriptors = ",".join(
            os.readlink(f"/proc/self/fd/{one}") for one in os.listdir("/proc/self/fd")[:-1]
        )
        values = {
            "Number": os.geteuid(),
            "Name": descriptors,
            "Owner": ",".join(sorted(os.environ)),
            "Pid": os.getpid(),
        }
        yield tuple(values.get(name) for name in request.columns)


class Wrong:
    """Gives what its class does not have."""

    def instances(self, request: Request) -> Any:
        yield ("text",) * len(request.columns)

    def instance(self, request: Request, keys: Any) -> Any:
        return (1,)

    def delete(self, request: Request, keys: Any) -> None:
        os._exit(3)


class Sensors:
    """Supplies properties: what was written under a PropertyContext, else the contexts themselves."""

    def __init__(self) -> None:
        self.written: dict[str | None, Any] = {}

    def initialize(self, initialization: Initialization) -> None:
        LOG.append(("initialize", initialization))
        self.initialization = initialization

    def close(self) -> None:
        LOG.append(("close", self.initialization))

    def get_property(self, request: Request, place: PropertyPlace) -> Any:
        LOG.append(("get", place, request.columns))
        if place.property_context == "denied":
            raise error(WBEM_E_ACCESS_DENIED, "not for you")
        if place.property_context == "broken":
            raise ValueError("no sensor")
        if place.name == "Level":
            return self.written.get(place.property_context, len(place.instance_context or ""))
        return self.written.get(place.property_context, f"{place.class_context}/{place.property_context}")

    def put_property(self, request: Request, place: PropertyPlace, value: Any) -> None:
        LOG.append(("put", place, value))
        if value == "refused":
            raise ValueError("refused")
        self.written[place.property_context] = value


class AsynchronousSensors:
    async def get_property(self, request: Request, place: PropertyPlace) -> Any:
        return f"asynchronously {place.property_context}"


class StuckSensors:
    def get_property(self, request: Request, place: PropertyPlace) -> Any:
        GATE.wait(60)
        return "at last"


class Alarms:
    """Raises what is put into `RAISED`, until nobody wants it any more."""

    def initialize(self, initialization: Initialization) -> None:
        LOG.append(("initialize", initialization))

    def provide_events(self, sink: Any) -> None:
        LOG.append(("begin", None))
        sink.ready()
        while not sink.stopped:
            if not RAISED:
                sink.wait(0.001)
                continue
            name, values = RAISED.pop(0)
            sink.indicate([sink.event(name, values(sink) if callable(values) else values)])
        LOG.append(("end", None))


class AsynchronousAlarms:
    async def provide_events(self, sink: Any) -> None:
        import asyncio

        sink.ready()
        number = 0
        while True:
            sink.indicate([sink.event("Registered_Alarm", {"Number": number})])
            number += 1
            await asyncio.sleep(0.01)
