"""The hosts of a process: private ones end with their connection, bad input spoils none, the exit waits for nobody."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import openwmi
from openwmi import host, testing

MOF = "class Test_Host { [key] string K; };"


def test_a_private_host_ends_with_its_connection() -> None:
    before = set(host._hosts)
    names: list[str] = []

    async def use() -> None:
        async with openwmi.connect(repository=":memory:") as wmi:
            assert await wmi.query("SELECT Name FROM Win32_OperatingSystem").first()
            names.extend(thread.name for thread in threading.enumerate())
        await wmi.close()

    serving = sum(thread.name == "openwmi-service" for thread in threading.enumerate())
    asyncio.run(use())
    with openwmi.sync.connect(repository=":memory:") as wmi:
        assert wmi.query("SELECT Name FROM Win32_OperatingSystem").first()
    assert names.count("openwmi-service") == serving + 1
    assert sum(thread.name == "openwmi-service" for thread in threading.enumerate()) == serving
    assert set(host._hosts) == before


def test_a_namespace_that_cannot_be_spoils_no_other_host() -> None:
    for namespace in ("", "root\\\\x", "root\\a b"):
        with pytest.raises(openwmi.errors.InvalidNamespace):
            testing.provide(namespace, MOF)
    with openwmi.sync.connect(repository=":memory:") as wmi:
        assert wmi.query("SELECT Name FROM Win32_OperatingSystem").first()


@pytest.mark.slow
def test_a_provider_that_holds_the_loop_delays_the_exit_no_longer_than_others(tmp_path: Path) -> None:
    program = """
import asyncio, sys, threading, time, openwmi
from openwmi import testing
held = threading.Event()
async def rows():
    held.set()
    time.sleep(60)  # an asynchronous provider must not; this one does
    yield {}
testing.provide("root/cimv2", "class Test_Held { [key] string K; };", instances=rows)
async def main():
    wmi = await openwmi.connect()
    asyncio.ensure_future(wmi.query("SELECT * FROM Test_Held").fetch_all())
    while not held.is_set():
        await asyncio.sleep(0.001)
asyncio.run(main())
print(time.monotonic())
sys.stdout.flush()
"""
    run = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={"OPENWMI_HOME": str(tmp_path)},
    )
    gone = time.monotonic()
    assert (run.returncode, run.stderr) == (0, "")
    assert gone - float(run.stdout) < 1.3  # a second, and the interpreter's own end
