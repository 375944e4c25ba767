"""`--trace FILE`: who may read it, what a full disk does, and a served conversation in it."""

from __future__ import annotations

import json
import logging
import os
import select
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from tests.wire.peers import accept, initiator
from tests.wire.session import played

from openwmi.cli.options import Misuse
from openwmi.cli.tracing import ROOM, leave, opened
from openwmi.wire.dcom import exporter, guids
from openwmi.wire.decoding import Trace
from openwmi.wire.rpc import ClientConnection
from openwmi.wire.rpc import events as e

PATIENCE = 20.0


def play(trace: Trace | None) -> None:
    assert trace is not None
    played(initiator, accept, watch=lambda client, _: trace.watch(client, peer=("a", 1), local=("b", 2)))


def test_nobody_else_may_read_it_and_it_grows(tmp_path: Path) -> None:
    path = tmp_path / "trace"
    for _ in range(2):
        trace = opened(str(path))
        play(trace)
    leave(PATIENCE)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    records = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(records) == 2 * 35
    assert opened(None) is None


def test_a_file_that_cannot_be_had(tmp_path: Path) -> None:
    with pytest.raises(Misuse, match="No such file"):
        opened(str(tmp_path / "no" / "folder"))


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")
def test_a_full_disk_ends_the_trace_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    trace = opened("/dev/full")
    with caplog.at_level(logging.ERROR, "openwmi.trace"):
        play(trace)
        leave(PATIENCE)
    assert [record.getMessage() for record in caplog.records] == [
        "/dev/full: No space left on device: the trace ends"
    ]


@pytest.mark.slow
def test_nobody_waits_for_a_file_that_takes_no_more_for_now(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As on a file system that hangs: here a pipe whose reader sleeps."""
    path = tmp_path / "slow"
    os.mkfifo(path)
    reading = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    trace = opened(str(path))
    os.set_blocking(reading, True)
    assert trace is not None
    for _ in range(3):
        trace._put({"pdu": "x" * (ROOM // 2)})
    for number in range(5):
        trace._put({"pdu": number})
    with caplog.at_level(logging.ERROR, "openwmi.trace"):
        leave(0.0)
    assert "PDUs are not in the trace" in caplog.text
    heard = b""
    while not heard.endswith(b"}\n") or b"lost" not in heard:
        heard += os.read(reading, 1 << 20)
    leave(PATIENCE)
    os.close(reading)
    records = [json.loads(line) for line in heard.splitlines()]
    assert records[-1]["error"] == "PDUs are missing here"
    assert len(records) - 1 + records[-1]["lost"] == 8


@pytest.mark.slow
def test_serve_writes_one(tmp_path: Path) -> None:
    path = tmp_path / "trace"
    command = [sys.executable, "-m", "openwmi", "serve", "--listen", "127.0.0.1:0", "--trace", str(path)]
    environment = {**os.environ, "OPENWMI_HOME": str(tmp_path / "home")}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        assert select.select([process.stdout], [], [], 20)[0]
        host, _, port = process.stdout.readline().split()[-1].rpartition(":")
        client = ClientConnection()
        client.bind([(0, guids.IObjectExporter)])
        with socket.create_connection((host, int(port)), 10) as line:
            happened = _talked(line, client)
            assert isinstance(happened, e.Bound)
            client.request(0, exporter.SERVER_ALIVE2.opnum, b"")
            assert isinstance(_talked(line, client), e.ResponseReceived)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=20)
        assert process.returncode == 0, err
    records = [json.loads(line) for line in path.read_text().splitlines()]
    assert [record["pdu"] for record in records] == ["bind", "bind_ack", "request", "response"]
    assert records[2]["method"] == "ServerAlive2"
    assert records[3]["out"]["bindings"]["strings"][0] == f"ncacn_ip_tcp:127.0.0.1[{port}]"


def _talked(line: socket.socket, client: ClientConnection) -> object:
    line.sendall(client.take())
    while True:
        data = line.recv(65536)
        assert data, "the server has closed the connection"
        happened = client.receive(data)
        if happened:
            return happened[-1]
