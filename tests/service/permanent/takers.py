"""Providers of consumers for registrations to name; what they take they write into the file that the consumer says."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence

from openwmi.contract.provider import Delivery
from openwmi.model.errors import error
from openwmi.model.instances import Instance
from openwmi.model.status import WBEM_E_NOT_AVAILABLE


def afterwards(request: Delivery) -> None:
    """Most likely the delivery is over by then."""
    request.late(ValueError("the day after"))


class Plain:
    """Has nothing that it need not have."""

    def consume(self, request: Delivery, consumer: Instance, events: Sequence[Instance]) -> None:
        pass


class FileTaker:
    batch = 3

    def delivery_limit(self, request: Delivery, consumer: Instance) -> float | None:
        return 100.0 if consumer.Name == "patient" else None

    def consume(self, request: Delivery, consumer: Instance, events: Sequence[Instance]) -> None:
        for event in events:
            if event.Text == "die":
                os._exit(1)
            if event.Text == "late":
                request.late(error(WBEM_E_NOT_AVAILABLE, f"too late for {consumer.Name}"))
            if event.Text == "later":
                threading.Thread(target=afterwards, args=(request,)).start()
            if event.Text == "fail":
                raise ValueError("I do not like it")
            with open(consumer.File, "a") as file:
                file.write(
                    f"{os.getpid()} {request.caller.sid} {consumer.Name} {event.classname_} {event.Text}\n"
                )
