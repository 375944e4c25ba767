"""impacket's wmipersist.py, unmodified: it stores a permanent subscription over the wire, which then works."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.remote.server.serving import PASSWORD, SECONDS, Served
from tests.service.conftest import Collector

from openwmi.accounts.callers import creator
from openwmi.contract import operations as ops
from openwmi.host import Host
from openwmi.model.sids import Sid
from openwmi.model.status import WBEM_E_NOT_SUPPORTED

PROGRAM = Path(sys.executable).with_name("wmipersist.py")
SUBSCRIPTION = "root\\subscription"


def persist(address: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, str(PROGRAM), f"ada:{PASSWORD}@{address}", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def settled(here: Host, true: Callable[[], object]) -> None:
    """Wait until something holds, looked at on the service's loop."""

    async def looking() -> None:
        async with asyncio.timeout(SECONDS):
            while not true():
                await asyncio.sleep(0.01)

    here.portal.submit(looking).result(2 * SECONDS)


@pytest.mark.slow
@pytest.mark.req("E-51", "E-73", "B-43")
def test_wmipersist_as_a_program(served: Served, on_135: str, tmp_path: Path) -> None:
    here = served.host
    here.service.find_creator = lambda sid: creator(Sid.decode(sid), here.caller, served.accounts)
    here.own()
    services = here.portal.submit(here.services, SUBSCRIPTION).result(SECONDS)
    permanent: Any = here.service.permanent
    failures = Collector()
    told = here.portal.submit(
        services.start, ops.ExecNotificationQuery("SELECT * FROM __ConsumerFailureEvent"), failures
    ).result(SECONDS)
    here.portal.submit(told.begun).result(SECONDS)
    (tmp_path / "script.vbs").write_text("MsgBox 1\n")

    said = persist(on_135, "install", "-name", "it", "-vbs", str(tmp_path / "script.vbs"), "-timer", "100")
    assert said.count(" - OK") == 4

    settled(here, lambda: failures.objects)
    failure = failures.objects[0]
    assert failure.ErrorCode == WBEM_E_NOT_SUPPORTED
    assert (failure.Event.classname_, failure.Event.TimerId) == ("__TimerEvent", "TI_it")
    assert failure.IntendedConsumer.endswith('ActiveScriptEventConsumer.Name="it"')
    (route,) = permanent.routes.values()
    assert str(Sid.decode(bytes(route.binding.consumer.creator))) == "S-1-5-32-544"
    assert route.binding.actor.name == "ada"

    assert persist(on_135, "remove", "-name", "it").count(" - OK") == 4
    settled(here, lambda: not permanent.routes)
