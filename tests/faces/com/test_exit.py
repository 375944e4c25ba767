"""A program that ends without cancelling: silent, and gone within a second (DESIGN.md section 2)."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

Make = Callable[..., Any]
PROGRAM = """
import atexit
class Sink(com.IWbemObjectSink):
    def __init__(self, hang=False):
        self.hang, self.called = hang, threading.Event()
    def Indicate(self, objects):
        self.called.set()
        if self.hang:
            threading.Event().wait()
    def SetStatus(self, *status):
        pass
def endless():
    number = 0
    while True:
        yield {"Id": number}
        number += 1
def blocked():
    asked.set()
    threading.Event().wait()
    yield {"Id": 1}
asked = threading.Event()
# Runs after the service has ended: a late call has to come back, with a code.
atexit.register(lambda: print(hex(services.GetObject(None, 0, None)[0])))
initialise()
testing.provide("root/cimv2", "class Endless { [key] uint32 Id; };", instances=endless)
testing.provide("root/cimv2", "class Blocked { [key] uint32 Id; };", instances=blocked)
services = connect()
sinks = [Sink(), Sink(hang=HANG), Sink()]
for sink, name in zip(sinks, ("Endless", "Endless", "Blocked")):
    assert services.ExecQueryAsync("WQL", "SELECT * FROM " + name, 0, None, sink) == 0
assert sinks[0].called.wait(10) and sinks[1].called.wait(10) and asked.wait(10)
hr, enumerator = services.ExecQuery("WQL", "SELECT * FROM Endless", 0x30, None)
assert enumerator.Next(-1, 1)[0] == 0
print(time.monotonic())
"""


@pytest.mark.slow
@pytest.mark.req("calls:A15")
@pytest.mark.parametrize("hang", [False, True])
def test_exit_without_cancelling(program: Make, hang: bool) -> None:
    done = program(PROGRAM.replace("HANG", str(hang)))
    gone = time.monotonic()
    assert done.stderr == ""
    assert done.returncode == 0
    ended, late = done.stdout.split()
    assert late == "0x80041033"
    assert gone - float(ended) < 1.0
