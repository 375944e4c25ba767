"""CommandLineEventConsumer: arguments without a shell, limits, and whose rights count. Real programs throughout."""

from __future__ import annotations

import os
import pwd
import select
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.consumers.conftest import OWNER, Event, Told
from tests.consumers.test_logfile import mapped

from openwmi.consumers import running
from openwmi.consumers.acting import user_of
from openwmi.consumers.commandline import Command, CommandLineEventConsumer, arguments, launched
from openwmi.contract.caller import Caller
from openwmi.model.errors import WbemError
from openwmi.model.status import (
    WBEM_E_ACCESS_DENIED,
    WBEM_E_FAILED,
    WBEM_E_INVALID_PARAMETER,
    WBEM_E_SERVER_TOO_BUSY,
    WBEM_E_TIMED_OUT,
)

DEADLINE = 60.0
# Writes what it was started with into a pipe, in one piece.
SAYS = """
import json, os, sys
told = [sys.argv[2:], os.getcwd(), os.getuid(), os.nice(0), os.getpgrp() == os.getpid(), os.environ.get("HOME")]
os.write(os.open(sys.argv[1], os.O_WRONLY), json.dumps(told).encode())
"""


class Pipe:
    """A named pipe that programs answer through."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "pipe")
        os.mkfifo(self.path)
        self.says = str(folder / "says.py")
        Path(self.says).write_text(SAYS)
        self._file = os.open(self.path, os.O_RDWR)

    def read(self) -> Any:
        import json

        assert select.select([self._file], [], [], DEADLINE)[0], "the program said nothing"
        return json.loads(os.read(self._file, 65536))

    def close(self) -> None:
        os.close(self._file)


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[Pipe]:
    one = Pipe(tmp_path)
    yield one
    one.close()


class Late(Told):
    """Waits for what a provider says later."""

    def __init__(self, told: Told) -> None:
        self._space = told._space
        self.late: list[Any] = []
        self._told = threading.Event()

    def append(self, failure: Any) -> None:
        self.late.append(failure)
        self._told.set()

    def __call__(self, provider: Any, *events: Any, caller: Caller = OWNER, **values: Any) -> None:
        from openwmi.contract.provider import Delivery

        consumer = self.consumer(provider.name, **values)
        assert consumer.class_ is not None
        provider.consume(Delivery(consumer.class_, caller=caller, late=self.append), consumer, events)

    def failure(self) -> Any:
        assert self._told.wait(DEADLINE), "nothing was said later"
        return self.late[0]


@pytest.fixture
def late(tell: Told) -> Late:
    return Late(tell)


# Arguments


@pytest.mark.req("E-71")
@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("prog a  b", ["prog", "a", "b"]),
        ("prog %Text%", ["prog", 'x; rm -rf "/" $(y) %Number%']),
        ("prog --name=%Number%/%Number%", ["prog", "--name=90/90"]),
        ('prog "%Number% b" c', ["prog", "%Number% b", "c"]),
        ('"/a b/prog" "say \\"it\\""', ["/a b/prog", 'say "it"']),
        ("sh -c 'echo \"$1\" %Number%' sh", ["sh", "-c", 'echo "$1" 90', "sh"]),
        ("prog \"\" '' %Empty%", ["prog", "", "", ""]),
        ("prog 5% %%", ["prog", "5%", "%"]),
        ("it's", ["it's"]),
    ],
)
def test_a_value_is_never_more_than_an_argument(event: Event, template: str, words: list[str]) -> None:
    one = event(Text='x; rm -rf "/" $(y) %Number%', Number=90)
    assert [word.text(one) for word in arguments(template)] == words


# Programs


@pytest.mark.slow
@pytest.mark.req("E-71")
def test_a_program_is_started_with_its_surroundings(
    tell: Told, event: Event, pipe: Pipe, tmp_path: Path
) -> None:
    tell(
        CommandLineEventConsumer(),
        event(Text="a b"),
        ExecutablePath=sys.executable,
        CommandLineTemplate=f"python {pipe.says} {pipe.path} %Text%",
        WorkingDirectory=str(tmp_path),
        Priority=0x40,
    )
    words, folder, uid, nice, leads, home = pipe.read()
    assert (words, folder, uid, leads) == (["a b"], str(tmp_path), os.getuid(), True)
    assert home == os.environ.get("HOME")
    assert nice in (19, os.nice(0))  # the priority is set once it runs


@pytest.mark.slow
@pytest.mark.req("E-71")
def test_the_first_word_is_the_program_where_no_path_is_given(tell: Told, event: Event, pipe: Pipe) -> None:
    tell(
        CommandLineEventConsumer(),
        event(),
        CommandLineTemplate=f"{sys.executable} {pipe.says} {pipe.path}",
        CreateNewProcessGroup=False,
    )
    words, folder, _, nice, leads, _ = pipe.read()
    assert (words, folder, leads, nice) == ([], "/", False, os.nice(0))


@pytest.mark.req("E-71", "E-57")
@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({}, WBEM_E_INVALID_PARAMETER),
        ({"CommandLineTemplate": "  "}, WBEM_E_INVALID_PARAMETER),
        ({"CommandLineTemplate": "no-such-program-here %Text%"}, WBEM_E_FAILED),
        ({"ExecutablePath": "/no/such/program"}, WBEM_E_FAILED),
        ({"ExecutablePath": "/etc/passwd"}, WBEM_E_ACCESS_DENIED),
        ({"CommandLineTemplate": "true", "WorkingDirectory": "/no/such/folder"}, WBEM_E_FAILED),
    ],
)
def test_what_cannot_be_started_is_a_failure(
    tell: Told, event: Event, values: dict[str, str], code: int
) -> None:
    provider = CommandLineEventConsumer()
    with pytest.raises(WbemError) as failed:
        tell(provider, event(), **values)
    assert failed.value.code == code
    assert provider.settle(0)


@pytest.mark.req("E-71")
def test_an_exit_code_is_told_later(late: Late, event: Event) -> None:
    late(CommandLineEventConsumer(), event(), CommandLineTemplate="sh -c 'exit 3'")
    assert (late.failure().code, late.failure().message) == (WBEM_E_FAILED, "sh ended with exit code 3")


@pytest.mark.slow
@pytest.mark.req("E-71")
def test_a_program_that_takes_too_long_is_killed_with_what_it_started(
    late: Late, event: Event, pipe: Pipe
) -> None:
    late(
        CommandLineEventConsumer(),
        event(),
        CommandLineTemplate=f"sh -c 'sleep 1000 & echo $! > {pipe.path}; wait'",
        KillTimeout=1,
    )
    child = pipe.read()
    assert late.failure().code == WBEM_E_TIMED_OUT
    ended = os.pidfd_open(child) if os.path.exists(f"/proc/{child}") else None
    if ended is not None:
        assert select.select([ended], [], [], DEADLINE)[0], "what it started still runs"
        os.close(ended)


@pytest.mark.req("E-57")
def test_not_more_than_some_run_at_a_time(
    late: Late, event: Event, pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "RUNNING", 2)
    monkeypatch.setattr(running, "PATIENCE", 0.01)
    provider = CommandLineEventConsumer()
    hold = str(Path(pipe.path).with_name("hold"))
    os.mkfifo(hold)
    gate = os.open(hold, os.O_RDWR)  # each program ends with a byte of its own
    for _ in range(2):
        late(provider, event(), CommandLineTemplate=f"head -c 1 {hold}")
    with pytest.raises(WbemError) as failed:
        late(provider, event(), CommandLineTemplate=f"head -c 1 {hold}")
    assert failed.value.code == WBEM_E_SERVER_TOO_BUSY
    late(provider, event(), CommandLineTemplate="true", Name="another")  # has places of its own
    monkeypatch.setattr(running, "PATIENCE", DEADLINE)
    os.write(gate, b"..")
    late(provider, event(), CommandLineTemplate="true")
    assert provider.settle(DEADLINE)
    os.close(gate)


# Whose rights count


def test_an_account_that_stands_for_nobody_starts_nothing(tell: Told, event: Event) -> None:
    stranger = Caller("S-1-5-32-544", "Administrators", remote=True)
    with pytest.raises(WbemError) as failed:
        tell(CommandLineEventConsumer(), event(), caller=stranger, CommandLineTemplate="true")
    assert failed.value.code == WBEM_E_ACCESS_DENIED


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes somebody else")
@pytest.mark.req("E-71")
def test_a_program_runs_as_who_created_it(tell: Told) -> None:
    creator = mapped()
    command = Command.of(tell.consumer("CommandLineEventConsumer", CommandLineTemplate="sh"))
    script = 'id -u; id -G; echo "$HOME $USER ${OPENWMI_HOME-unset}"'
    process = launched(["sh", "-c", script], command, user_of(creator), stdout=-1)
    uid, groups, rest = process.communicate(timeout=DEADLINE)[0].decode().splitlines()
    nobody = pwd.getpwnam("nobody")
    assert int(uid) == nobody.pw_uid
    assert {int(one) for one in groups.split()} == set(os.getgrouplist("nobody", nobody.pw_gid))
    assert rest == f"{nobody.pw_dir} nobody unset"
