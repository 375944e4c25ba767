"""examples/logfile_subscription.mof: compiled as it stands but for the name of its file, it writes down a process."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from tests.service.permanent.test_providers import Owning

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "logfile_subscription.mof"


@pytest.mark.slow
@pytest.mark.req("E-51", "E-72")
def test_it_writes_down_processes(tmp_path: Path) -> None:
    owning = Owning(tmp_path / "unused")
    log = tmp_path / "processes.log"
    text = EXAMPLE.read_text("utf-8")
    assert "/var/tmp/processes.log" in text
    owning.compile(text.replace("/var/tmp/processes.log", str(log)), "root\\default")
    permanent = owning.host.service.permanent
    owning.settled(lambda: [route.reason for route in permanent.routes.values()] == [None])
    owning.host.portal.run(permanent._begun)
    with subprocess.Popen(["sleep", "61"]) as process:
        try:
            owning.settled(lambda: log.exists() and f" {process.pid} sleep 61" in log.read_text())
        finally:
            process.kill()
    owning.host.shut_down()
