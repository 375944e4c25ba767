"""Every verb that reads or changes objects takes another machine: here one that is served in this process."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import socket
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.conftest import ROOT, Main
from tests.remote.server.serving import NAMESPACE, PASSWORD

from openwmi.cli import VALUED
from openwmi.cli.options import COMMON, ELSEWHERE

Ask = Callable[..., "Main"]

_ROW_1 = ("query", "SELECT N FROM Row WHERE N = 1")

_EXTRAS = ROOT / ".venv" / ".openwmi-extras"
_HAS_WIRE = _EXTRAS.exists() and "wire" in _EXTRAS.read_text().split()
launched = pytest.mark.skipif(
    not _HAS_WIRE, reason="the launcher would install the extra `wire` from the network"
)


@pytest.fixture
def ask(main: Main, host: str, password: str) -> Ask:
    """A verb on that machine, as somebody who may everything."""

    def asked(verb: str, *words: str, namespace: str = NAMESPACE):  # type: ignore[no-untyped-def]
        return main(verb, *words, "-H", host, "-n", namespace, "--user", "ada", "--password-file", password)

    return asked


def test_queries(ask: Ask, host: str) -> None:
    code, out, err = ask("query", "SELECT N, S FROM Row WHERE N < 2")
    assert (code, out, err) == (0, "0\ts0\n1\ts1\n", "")
    rows = json.loads(ask("query", "SELECT * FROM Row", "--limit", "3", "-o", "json").out)
    assert [row["N"] for row in rows] == [0, 1, 2]
    heads = ask("query", "SELECT * FROM Item WHERE Id < 1", "-o", "csv").out.splitlines()[0]
    assert {"Id", "Text", "Inner", "R32"} <= set(heads.split(","))
    assert ask("query", "SELECT * FROM meta_class WHERE __this ISA 'Item'", "-o", "name").out.count("\n") == 2
    assert "does not tell it" in ask("query", "SELECT * FROM Row", "--explain").out


def test_a_place_in_the_namespace_or_in_the_path(main: Main, host: str, password: str) -> None:
    place = rf"\\{host}\{NAMESPACE}"
    who = ("--user", "ada", "--password-file", password)
    assert main("query", "SELECT N FROM Row WHERE N = 7", "-n", place, *who).out == "7\n"
    assert main("get", "Item.Id=1", "Text", "-n", place.replace("\\", "/"), *who).out == "plain\n"


@pytest.mark.slow
def test_reading_what_is_there(ask: Ask) -> None:
    assert ask("get", "Item.Id=1", "Text", "U64").out == "plain\t18446744073709551000\n"
    assert ask("get", "Row", "N", "--limit", "2").out == "0\n1\n"
    assert {"Item", "Row", "Special", "Part"} <= set(ask("ls", NAMESPACE.replace("\\", "/")).out.split())
    assert NAMESPACE.replace("\\", "/") in ask("ls").out.split()
    assert "Special" in ask("tree", "Item").out
    assert "uint32 Do(" in ask("describe", "Row.Do").out
    assert "class Part" in ask("mof", "Part").out
    assert "Item" in ask("find", "Item").out


def test_changing_it(ask: Ask, tmp_path: Path) -> None:
    assert ask("create", "Item", "Id=90", "Text=new").code == 0
    assert ask("get", "Item.Id=90", "Text").out == "new\n"
    assert ask("set", "Item.Id=90", "Text=other").code == 0
    assert ask("get", "Item.Id=90", "Text").out == "other\n"
    assert ask("rm", "Item.Id=90", "--yes").code == 0
    code, out, err = ask("get", "Item.Id=90", "Text")
    assert code == 1
    assert "WBEM_E_NOT_FOUND" in err
    called = ask("call", "Row.N=3", "Do", "What=ab", "Times=2")
    assert called.code == 7  # the method's own ReturnValue, 5
    assert "abab" in called.out
    file = tmp_path / "more.mof"
    file.write_text("class Elsewhere { [key] uint32 Id; }; instance of Elsewhere { Id = 1; };")
    assert ask("compile", str(file)).code == 0
    assert ask("query", "SELECT * FROM Elsewhere").out == "1\n"
    assert ask("compile", str(file), "--autorecover").code == 2


@pytest.mark.slow
def test_watching(ask: Ask) -> None:
    code, out, err = ask(
        "watch", "SELECT * FROM __InstanceModificationEvent WITHIN 0.1 WHERE TargetInstance ISA 'Row'",
        "--for", "0.3s",
    )  # fmt: skip
    assert (code, out) == (0, "")


@pytest.mark.slow
def test_how_events_come_may_be_said(ask: Ask) -> None:
    """To a port that is taken nobody can call back; polling needs no way back, and no verb but `watch` does."""
    watch = ("watch", "Row", "--on", "modify", "--within", "0.1", "--for", "0.3s")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = ("--callback-port", str(taken.getsockname()[1]))
        code, _, err = ask(*watch, *port, "--delivery", "sink")
        assert code == 3
        assert f"port {port[1]} cannot be opened for callbacks" in err
        assert ask(*watch, *port, "--delivery", "poll").code == 0
        assert ask("query", "SELECT N FROM Row WHERE N = 1", *port, "--delivery", "sink").out == "1\n"
    assert ask(*watch, "--delivery", "sink").code == 0
    code, _, err = ask(*watch, "--delivery", "push")
    assert code == 2
    assert "auto (unless given), sink (called back) or poll" in err


def test_every_option_that_takes_a_value_may_stand_before_the_verb() -> None:
    options = {one for option in (*ELSEWHERE, *COMMON) if option.value for one in (option.name, option.short)}
    assert options - {None} == VALUED


def test_exit_codes(main: Main, ask: Ask, host: str, tmp_path: Path) -> None:
    query = "SELECT N FROM Row"
    code, _, err = main("query", query, "-n", r"\\no.such.host.invalid\root\cimv2")
    assert code == 3
    assert "0x800706BA" in err
    assert main("query", query, "-H", "127.0.0.1[9]", "-u", "x").code == 3
    wrong = tmp_path / "wrong"
    wrong.write_text("guess\n")
    code, _, err = main("query", query, "-H", host, "-u", "ada", "--password-file", str(wrong))
    assert code == 4
    assert "E_ACCESSDENIED 0x80070005" in err
    assert "guess" not in err
    assert main("query", query, "-H", host, "-u", "ada").code == 4  # nobody asks where nobody can answer
    assert main("query", query, "-u", "ada").code == 4  # for this machine there is nothing to log on to
    assert ask("query", "SELEC", namespace=NAMESPACE).code == 2
    code, _, err = ask("query", query, namespace="root/nowhere")
    assert code == 1
    assert "WBEM_E_INVALID_NAMESPACE" in err
    assert main("query", query, "-H", host, "--password-file", str(tmp_path / "missing")).code == 2
    wrong.write_bytes(b"p\xe4ssword\n")
    code, _, err = main("query", query, "-H", host, "-u", "ada", "--password-file", str(wrong))
    assert (code, "0xe4" in err, "UTF-8" in err) == (2, False, True)
    assert main("user", "ls", "-H", host).code == 2  # that is about this machine


def test_a_password_from_the_environment(
    main: Main, host: str, password: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = (*_ROW_1, "-H", host, "-n", NAMESPACE)
    monkeypatch.setenv("OPENWMI_USER", "ada")
    monkeypatch.setenv("OPENWMI_PASSWORD_FILE", password)
    assert main(*words).out == "1\n"
    monkeypatch.delenv("OPENWMI_PASSWORD_FILE")
    monkeypatch.setenv("OPENWMI_PASSWORD", PASSWORD)
    assert main(*words).out == "1\n"


class _Ring(types.ModuleType):
    """The package keyring, with one password in it or locked."""

    def __init__(self, kept: str | None) -> None:
        super().__init__("keyring")
        self.kept = kept
        self.asked: list[tuple[str, str]] = []

    def get_password(self, service: str, name: str) -> str:
        self.asked.append((service, name))
        if self.kept is None:
            raise RuntimeError("locked")
        return self.kept


def test_a_password_from_the_key_ring(main: Main, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    words = (*_ROW_1, "-H", host, "-n", NAMESPACE, "--user", "ada")
    ring = _Ring(PASSWORD)
    monkeypatch.setitem(sys.modules, "keyring", ring)
    assert main(*words).out == "1\n"
    assert [service for service, _ in ring.asked] == ["openwmi"]
    assert ring.asked[0][1].startswith("ada@127.0.0.1")
    monkeypatch.setitem(sys.modules, "keyring", _Ring(None))  # locked, and nobody at a keyboard
    assert main(*words).code == 4


@pytest.mark.slow
@launched
def test_the_launcher_asks_at_the_keyboard_once(host: str) -> None:
    """It starts the program a second time for a package: before the password is asked for."""
    pid, terminal = pty.fork()
    if pid == 0:  # the program, with a terminal of its own
        os.environ.pop("OPENWMI_NEEDS", None)
        os.execv(str(ROOT / "openwmi"), ["openwmi", *_ROW_1, "-H", host, "-n", NAMESPACE, "--user", "ada"])
    said = b""
    while not said.endswith(b": "):
        said += os.read(terminal, 1000)
    assert said.startswith(b"password of ada on 127.0.0.1")
    os.write(terminal, PASSWORD.encode() + b"\n")
    said = b""
    with contextlib.suppress(OSError):  # EIO: the program has ended
        while b"password" not in said and (more := os.read(terminal, 1000)):
            said += more
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert said.split()[-1] == b"1"


@pytest.mark.slow
@launched
def test_the_launcher_reads_standard_input_once(host: str) -> None:
    ended = subprocess.run(
        [str(ROOT / "openwmi"), *_ROW_1, "-H", host, "-n", NAMESPACE, "-u", "ada", "--password-file", "-"],
        input=f"{PASSWORD}\n".encode(),
        capture_output=True,
        timeout=60,
        check=True,
        env={name: value for name, value in os.environ.items() if name != "OPENWMI_NEEDS"},
    )
    assert ended.stdout == b"1\n"


def test_a_trace_of_what_passes(ask: Ask, tmp_path: Path) -> None:
    path = tmp_path / "trace"
    assert ask("query", "SELECT N FROM Row WHERE N = 7", "--trace", str(path)).out == "7\n"
    records = [json.loads(line) for line in path.read_text().splitlines()]
    assert records[0]["pdu"] == "bind"
    assert records[0]["to"].startswith("127.0.0.1:")
    queries = [one["in"]["query"] for one in records if one.get("method") == "ExecQuery" and "in" in one]
    assert queries == ["SELECT N FROM Row WHERE N = 7"]
    assert PASSWORD not in path.read_text()
    before = len(records)
    assert ask("query", "SELECT N FROM Row WHERE N = 8").out == "8\n"
    assert len(path.read_text().splitlines()) == before
    assert ask("query", "SELECT N FROM Row", "--trace", str(tmp_path / "no" / "folder")).code == 2


def test_nothing_is_traced_in_one_process(main: Main, tmp_path: Path) -> None:
    ended = main("query", "SELECT Name FROM Win32_OperatingSystem", "--trace", str(tmp_path / "trace"))
    assert ended.code == 2
    assert "--trace is about another machine" in ended.err


def test_a_host_that_stops_answering_is_a_timeout(main: Main, tmp_path: Path) -> None:
    import socket

    password = tmp_path / "password"
    password.write_text("x\n")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        code, _, err = main(
            "query", "SELECT N FROM Row", "-H", f"127.0.0.1[{port}]", "-u", "x",
            "--password-file", str(password), "--timeout", "0.05",
        )  # fmt: skip
    assert code == 5
    assert "WBEM_E_TIMED_OUT" in err
