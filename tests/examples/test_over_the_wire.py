"""examples/asynchronous_call.py against a machine that serves: the seven steps, with callbacks over TCP."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.examples.test_calls import heard, run
from tests.remote.server.serving import NAMESPACE, PASSWORD, Served


@pytest.mark.slow
@pytest.mark.req("calls:E1", "calls:K1", "calls:K5")
def test_the_seven_steps_over_the_wire(tmp_path: Path) -> None:
    served = Served(tmp_path / "accounts")
    try:
        host, port = served.listen()
        password = tmp_path / "password"
        password.write_text(PASSWORD + "\n", encoding="utf-8")
        where = ("--host", f"{host}[{port}]", "--user", "ada", "--password-file", str(password))
        lines = run(
            "asynchronous_call.py", *where, "--namespace", NAMESPACE, "--query", "SELECT N, S FROM Row"
        )
    finally:
        served.close()
    first, second = heard(lines)
    assert first[-1].startswith("  SetStatus(COMPLETE, 0x00000000)")
    assert sum(int(line.partition("(")[2].partition(")")[0]) for line in first if "Indicate(" in line) == 250
    assert "CancelAsyncCall returned 0x00000000; the second call heard:" in lines
    assert second[-1].startswith("  SetStatus(COMPLETE, 0x80041032)")
    assert sum("COMPLETE" in line for line in first + second) == 2
