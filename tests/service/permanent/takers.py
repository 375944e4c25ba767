"""Providers of consumers for registrations to name; what they take they write into the file that the consumer says."""

from __future__ import annotations

import os
from collections.abc import Sequence

from openwmi.contract.provider import Delivery
from openwmi.model.instances import Instance


class FileTaker:
    def consume(self, request: Delivery, consumer: Instance, events: Sequence[Instance]) -> None:
        for event in events:
            if event.Text == "die":
                os._exit(1)
            if event.Text == "fail":
                raise ValueError("I do not like it")
            with open(consumer.File, "a") as file:
                file.write(
                    f"{os.getpid()} {request.caller.sid} {consumer.Name} {event.classname_} {event.Text}\n"
                )
