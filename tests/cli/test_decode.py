"""`openwmi decode`: files and standard input, formats, passwords, notes and exit codes."""

from __future__ import annotations

import json
import select
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.conftest import ROOT, Main
from tests.wire.pcapfile import conversation, ethernet, pcap
from tests.wire.peers import PASSWORD, accept, initiator
from tests.wire.session import played

from openwmi.wire.ntlm import nt_hash


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A capture of a whole session at privacy."""
    path = tmp_path_factory.mktemp("captures") / "sealed.pcap"
    path.write_bytes(pcap([ethernet(one) for one in conversation(played(initiator, accept).chunks)]))
    return path


def secret(folder: Path, text: str) -> str:
    path = folder / "secret"
    path.write_text(text + "\n")
    path.chmod(0o600)
    return str(path)


def test_text_is_for_people(main: Main, sealed: Path, tmp_path: Path) -> None:
    ended = main("decode", str(sealed), "--password-file", secret(tmp_path, PASSWORD))
    assert ended.code == 0, ended.err
    assert "IWbemServices.ExecQuery  (object, ntlm privacy, verified)" in ended.out
    assert "        query: SELECT * FROM Test_Thing\n" in ended.out
    assert "Name: Grün\n" in ended.out
    assert ended.err == "35 PDUs\n"


def test_json_and_its_lines_are_the_same(main: Main, sealed: Path, tmp_path: Path) -> None:
    hashed = secret(tmp_path, nt_hash(PASSWORD).hex())
    lines = main("decode", str(sealed), "--nt-hash-file", hashed, "-o", "jsonl", "-q")
    whole = main("decode", str(sealed), "--nt-hash-file", hashed, "-o", "json", "-q")
    assert [json.loads(line) for line in lines.out.splitlines()] == json.loads(whole.out)
    assert {record["pdu"] for record in json.loads(whole.out)} >= {
        "bind",
        "auth3",
        "request",
        "response",
        "fault",
    }
    assert (lines.err, whole.err) == ("", "")


def test_without_a_password_it_says_what_would_help(main: Main, sealed: Path) -> None:
    ended = main("decode", str(sealed))
    assert ended.code == 0
    assert (
        "31 of them are sealed: --password-file opens those of NTLM log-ons, --keytab Kerberos" in ended.err
    )
    assert "SELECT" not in ended.out


@pytest.mark.slow
def test_standard_input_and_a_broken_file(sealed: Path) -> None:
    command = [sys.executable, "-m", "openwmi", "decode", "-"]
    data = sealed.read_bytes()[:-10]
    done = subprocess.run(command, input=data, capture_output=True, cwd=ROOT, timeout=60)
    assert done.returncode == 6
    assert b"breaks off" in done.stdout
    assert b"could not be read whole" in done.stderr


@pytest.mark.slow
def test_a_running_capture_is_shown_as_it_grows(sealed: Path) -> None:
    """The first PDU is told while the writer has not finished."""
    command = [sys.executable, "-m", "openwmi", "decode", "-", "-o", "jsonl"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        data = sealed.read_bytes()
        half = len(data) // 2
        process.stdin.write(data[:half])
        process.stdin.flush()
        assert select.select([process.stdout], [], [], 20)[0]
        assert json.loads(process.stdout.readline())["pdu"] == "bind"
        process.stdin.write(data[half:])
        process.stdin.close()
        rest = [json.loads(line) for line in process.stdout]
        assert len(rest) == 34
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("content", "options", "said"),
    [
        (b"nothing", (), "the text is not hexadecimal"),
        (b"\x7fELF\2", (), "not a capture, a PDU"),
        (b"", (), "the file is empty"),
        (b"05", ("-o", "csv"), "there is no format csv here"),
        (b"05", ("--nt-hash-file", "FILE"), "an NT hash has 32 hexadecimal digits"),
        (b"abcdef", ("--keytab", "FILE"), "not a keytab"),
        (b"05", ("--password-file", "/does/not/exist"), "No such file"),
    ],
)
def test_what_cannot_be_done_is_said(
    main: Main, tmp_path: Path, content: bytes, options: tuple[str, ...], said: str
) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    path.chmod(0o600)
    ended = main("decode", str(path), *[str(path) if one == "FILE" else one for one in options])
    assert ended.code == 2
    assert said in ended.err


def test_a_file_that_is_not_there(main: Main) -> None:
    ended = main("decode", "/does/not/exist")
    assert (ended.code, ended.out) == (2, "")
    assert "/does/not/exist: No such file" in ended.err
