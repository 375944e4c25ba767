"""openwmi doctor: one line for each step, the exit code of the first that fails, and what to do about it."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from tests.cli.conftest import Main
from tests.remote.server.serving import NAMESPACE, free_port

from openwmi.cli.verbs import sec


def steps(text: str) -> dict[str, str]:
    """What is said of each step: `ok`, `FAIL` or `-`."""
    return {line[5:21].strip(): line[:4].strip() for line in text.splitlines()}


def test_all_is_well(main: Main, host: str, password: str) -> None:
    code, out, err = main("doctor", host, "--user", "ada", "--password-file", password)
    assert (code, err) == (0, "")
    assert steps(out) == {
        "name": "ok",
        "port": "ok",
        "resolver": "ok",
        "authentication": "ok",
        "activation": "ok",
        "dynamic port": "ok",
        "log-on": "ok",
        "rights": "-",
        "one row": "ok",
        "callbacks": "ok",
    }
    assert "NTLMv2, packet privacy" in out
    (rights,) = [line[21:] for line in out.splitlines() if line[5:].startswith("rights")]
    assert {"enable", "remote-enable"} <= set(rights.split(", "))
    assert set(rights.split(", ")) <= sec.RIGHTS.keys(), "what `openwmi sec grant` understands"
    assert "sink: 127.0.0.1 calls back to 127.0.0.1[" in out
    port = free_port()
    who = ("--user", "ada", "--password-file", password)
    firewalled = main("--callback-port", str(port), "doctor", host, *who)
    assert f"sink: 127.0.0.1 calls back to 127.0.0.1[{port}]" in firewalled.out
    polled = main("doctor", host, *who, "--delivery", "poll")
    assert steps(polled.out)["callbacks"] == "-"


@pytest.mark.slow
def test_the_step_that_fails_says_why(main: Main, host: str, password: str, tmp_path: Path) -> None:
    who = ("--user", "ada", "--password-file", password)
    code, out, err = main("doctor", "no.such.host.invalid", *who)
    assert (code, steps(out)) == (3, {"name": "FAIL"})
    assert "RPC_S_SERVER_UNAVAILABLE 0x800706BA" in err
    code, out, _ = main("doctor", "127.0.0.1[9]", *who)
    assert (code, steps(out)["port"]) == (3, "FAIL")
    wrong = tmp_path / "wrong"
    wrong.write_text("guess\n")
    code, out, err = main("doctor", host, "--user", "ada", "--password-file", str(wrong))
    assert (code, steps(out)["authentication"]) == (4, "FAIL")
    assert "guess" not in out + err
    code, out, _ = main("doctor", host, *who, "-n", "root/nowhere")
    assert (code, steps(out)["log-on"]) == (1, "FAIL")
    assert "0 namespaces are below" in main("doctor", host, *who, "-n", NAMESPACE).out


def test_a_port_that_says_nothing(main: Main) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        code, out, _ = main("doctor", f"127.0.0.1[{port}]", "--user", "ada", "--timeout", "0.1")
    assert (code, steps(out)["port"]) == (5, "FAIL")


def test_what_is_asked_wrongly(main: Main) -> None:
    assert main("doctor").code == 2
    assert main("doctor", "h", "-H", "x").code == 2
    for port in ("0", "65536", "https"):
        assert main("doctor", "h", "--callback-port", port).code == 2
