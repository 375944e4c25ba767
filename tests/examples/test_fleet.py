"""examples/fleet.py against machines that serve, and others that are not there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.remote.server.serving import PASSWORD, Served, free_port

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_every_machine_answers_or_says_why_not(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text(PASSWORD + "\n", encoding="utf-8")
    served = Served(tmp_path / "accounts")
    nobody = f"127.0.0.1[{free_port()}]"
    try:
        there = [f"127.0.0.1[{served.listen()[1]}]" for _ in range(3)]
        ended = subprocess.run(
            [
                sys.executable,
                "-W",
                "error",
                str(ROOT / "examples" / "fleet.py"),
                *("--user", "ada", "--password-file", str(password)),
                *("--query", "SELECT Name FROM __NAMESPACE WHERE Name = 'nothing'"),
                there[0],
                "-",
            ],
            input="\n".join([*there[1:], nobody]),
            env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        served.close()
    assert (ended.returncode, ended.stderr) == (1, "")
    found = {line["host"]: line for line in map(json.loads, ended.stdout.splitlines())}
    assert {host: found[host].get("rows") for host in there} == {host: [] for host in there}
    assert (found[nobody]["error"], found[nobody]["phase"]) == ("RPC_S_SERVER_UNAVAILABLE", "connect")
    assert len(found) == 4
