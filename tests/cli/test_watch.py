"""`openwmi watch`: rows as events happen, programs run for them, losses told, an end by count, time or Ctrl-C."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import NAMESPACE, ROOT, Ended, Main, Program

import openwmi.testing
from openwmi import host
from openwmi.cli.console import Console
from openwmi.cli.formats import writer_for
from openwmi.model.cimtypes import CimType

SECONDS = 60.0
THINGS: dict[str, int] = {}
DECLARED = """
class Cli_Watched { [key] string Name; sint32 Size; datetime Since; };
"""
EXTRINSIC = """
class Cli_Alarm : __ExtrinsicEvent { string Text; uint32 Number; };
"""


@pytest.fixture(scope="module", autouse=True)
def watched_classes() -> None:
    def instances() -> list[dict[str, object]]:
        return [{"Name": name, "Size": size} for name, size in list(THINGS.items())]

    openwmi.testing.provide(NAMESPACE, DECLARED, instances)
    openwmi.testing.provide(NAMESPACE, "class Cli_Watched_More : Cli_Watched { string More; };", list)
    openwmi.testing.provide(NAMESPACE, EXTRINSIC)


class Meanwhile:
    """Does things while a `watch` runs in the main thread: each step once its subscription is in force."""

    def __init__(self) -> None:
        self.exchange = host.local().service.exchange
        self.before = self.exchange.count
        self.threads: list[threading.Thread] = []
        self.failures: list[BaseException] = []

    def __call__(self, *steps: Callable[[], object]) -> None:
        thread = threading.Thread(target=self.run, args=(steps,), daemon=True)
        self.threads.append(thread)
        thread.start()

    def run(self, steps: tuple[Callable[[], object], ...]) -> None:
        try:
            until(self.in_force)
            for step in steps:
                step()
        except BaseException as failure:  # the test that waits for the thread tells
            self.failures.append(failure)

    def in_force(self) -> bool:
        subscriptions = {one for group in list(self.exchange._by_class.values()) for one in list(group)}
        return len(subscriptions) > self.before and all(one.call.under_way for one in subscriptions)

    def over(self) -> None:
        for thread in self.threads:
            thread.join(SECONDS)
        assert self.failures == []
        until(lambda: self.exchange.count == self.before)


@pytest.fixture
def meanwhile() -> Iterator[Meanwhile]:
    THINGS.clear()
    THINGS["a"] = 1
    made = Meanwhile()
    yield made
    made.over()


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < end
        time.sleep(0.001)


def ring(*numbers: int, text: str = "x") -> Callable[[], object]:
    """A step that raises events, all at once."""

    async def raised() -> None:
        services = await host.local().services(NAMESPACE)
        class_ = services._space.schema.class_named("Cli_Alarm")
        sink: Any = await services.event_sink()
        assert sink.on_objects([class_.spawn({"Number": n, "Text": text}) for n in numbers]) == 0

    return lambda: asyncio.run_coroutine_threadsafe(raised(), host.local().portal.loop).result(SECONDS)


def put(name: str, size: int) -> Callable[[], object]:
    return lambda: THINGS.__setitem__(name, size)


SOON = ("--within", "0.1")


@contextmanager
def watching(home: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """`openwmi watch` as a user runs it, with a store of its own, once its subscription is in force."""
    with subprocess.Popen(
        [str(ROOT / "openwmi"), "watch", *arguments, "-v"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OPENWMI_HOME": str(home)},
    ) as running:
        assert running.stderr is not None
        assert "watching; Ctrl-C ends it\n" in iter(running.stderr.readline, "")
        yield running
        running.kill()


def watch(main: Main, *arguments: str) -> Ended:
    return main("watch", *arguments)


# Rows


def test_creations_are_rows(main: Main, meanwhile: Meanwhile) -> None:
    meanwhile(put("b", 2))
    code, out, err = watch(main, "Cli_Watched", "--on", "create", "--count", "1", *SOON)
    assert (code, err) == (0, "")
    event, moment, path, name = out.rstrip("\n").split("\t")
    assert (event, path, name) == ("create", 'Cli_Watched.Name="b"', "b")
    assert moment.startswith("20")
    assert moment.endswith("+00:00")


def test_everything_that_happens_with_what_changed(main: Main, meanwhile: Meanwhile) -> None:
    def change() -> None:
        THINGS.update({"a": 5, "b": 2})

    def delete() -> None:
        time.sleep(0.15)
        del THINGS["a"]

    meanwhile(change, delete)
    code, out, _ = watch(main, "cli_watched", "--count", "3", *SOON)
    assert code == 0
    rows = [line.split("\t") for line in out.splitlines()]
    assert sorted((row[0], row[3], row[4]) for row in rows[:2]) == [
        ("create", "b", "\\N"),
        ("modify", "a", "Size: 1 -> 5"),
    ]
    assert (rows[2][0], rows[2][3]) == ("delete", "a")


def test_properties_to_show(main: Main, meanwhile: Meanwhile) -> None:
    meanwhile(put("b", 2))
    arguments = ("Cli_Watched", "size", "NAME", "__CLASS", "Missing", "--on", "create", "--count", "1", *SOON)
    code, out, _ = watch(main, *arguments, "-o", "csv")
    assert code == 0
    assert list(csv.reader(io.StringIO(out))) == [
        ["Event", "Size", "Name", "__CLASS", "Missing"],
        ["create", "2", "b", "Cli_Watched", ""],
    ]


def test_columns_of_a_query(main: Main, meanwhile: Meanwhile) -> None:
    meanwhile(put("b", 2))
    query = (
        "SELECT TargetInstance.Name, TargetInstance.Size FROM __InstanceCreationEvent WITHIN 0.1"
        " WHERE TargetInstance ISA 'Cli_Watched'"
    )
    code, out, _ = watch(main, query, "--count", "1", "-o", "csv")
    assert (code, out) == (0, "TargetInstance.Name,TargetInstance.Size\r\nb,2\r\n")


@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_json_has_the_events_as_they_are(main: Main, meanwhile: Meanwhile, form: str) -> None:
    meanwhile(put("b", 2))
    code, out, _ = watch(main, "Cli_Watched", "--on", "create", "--count", "1", *SOON, "-o", form)
    found = json.loads(out)
    event = found[0] if form == "json" else found
    assert code == 0
    assert (event["__CLASS"], event["TargetInstance"]["Size"]) == ("__InstanceCreationEvent", 2)


@pytest.mark.parametrize(
    ("form", "start"),
    [
        ("name", 'Cli_Watched.Name="b"\n'),
        ("mof", "instance of __InstanceCreationEvent"),
        ("xml", "<?xml"),
        ("list", "Event  : create\n"),
        ("table", "Event   Time"),
        ("tsv", "create\t"),
    ],
)
def test_other_formats(main: Main, meanwhile: Meanwhile, form: str, start: str) -> None:
    meanwhile(put("b", 2))
    code, out, err = watch(main, "Cli_Watched", "--on", "create", "--count", "1", *SOON, "-o", form)
    assert (code, err) == (0, "")
    assert out.startswith(start)
    assert '"b"' in out or "&quot;b" in out or "b</VALUE>" in out


def test_extrinsic_events_have_their_own_columns(main: Main, meanwhile: Meanwhile) -> None:
    meanwhile(ring(1, 2, 3))
    code, out, _ = watch(main, "Cli_Alarm", "--where", "Number > 1", "--count", "2")
    assert code == 0
    rows = [line.split("\t") for line in out.splitlines()]
    assert [(row[0], *row[2:]) for row in rows] == [("Cli_Alarm", "x", "2"), ("Cli_Alarm", "x", "3")]


def test_properties_of_an_extrinsic_event(main: Main, meanwhile: Meanwhile) -> None:
    meanwhile(ring(7))
    code, out, _ = watch(main, "Cli_Alarm", "Number", "--count", "1")
    assert (code, out) == (0, "Cli_Alarm\t7\n")


def test_groups_are_counted(main: Main, meanwhile: Meanwhile) -> None:
    meanwhile(ring(1, 2, 3))
    query = "SELECT * FROM Cli_Alarm GROUP WITHIN 0.1"
    code, out, _ = watch(main, query, "--count", "1", "-o", "csv")
    assert code == 0
    header, row = csv.reader(io.StringIO(out))
    found = dict(zip(header, row, strict=True))
    assert (found["Event"], found["Count"], found["Number"]) == ("Cli_Alarm", "3", "1")


def test_events_of_classes(main: Main, meanwhile: Meanwhile) -> None:
    def declared() -> None:
        with openwmi.sync.connect(NAMESPACE) as wmi:
            openwmi.mof.compile("class Cli_Born { [key] string K; };", wmi)

    meanwhile(declared)
    code, out, _ = watch(main, "__ClassCreationEvent", "--count", "1")
    event, _, name = out.rstrip("\n").split("\t")
    assert (code, event, name) == (0, "__ClassCreationEvent", "Cli_Born")


# The query

QUERY_M = (
    "SELECT * FROM __InstanceModificationEvent WITHIN 1 WHERE TargetInstance ISA 'Cli_Watched' AND"
    " (TargetInstance.size > 3 and (TargetInstance.Name LIKE 'Size%' or PreviousInstance.Size=1))"
)
QUERY_D = (
    "SELECT * FROM __InstanceDeletionEvent WITHIN 1 WHERE TargetInstance ISA 'Cli_Watched' AND"
    " (NOT 3 < TargetInstance.Size AND TargetInstance.Name IS NOT NULL)"
)


@pytest.mark.parametrize(
    ("arguments", "query"),
    [
        (
            ("Cli_Watched", "--on", "create"),
            "SELECT * FROM __InstanceCreationEvent WITHIN 1 WHERE TargetInstance ISA 'Cli_Watched'",
        ),
        (
            ("CLI_watched", "--within", "1.5m", "--on", "ANY"),
            "SELECT * FROM __InstanceOperationEvent WITHIN 90 WHERE TargetInstance ISA 'Cli_Watched'",
        ),
        (
            (
                "Cli_Watched",
                "--on",
                "modify",
                "--where",
                "size > 3 and (Name LIKE 'Size%' or PreviousInstance.Size=1)",
            ),
            QUERY_M,
        ),
        (
            ("Cli_Watched", "--on", "delete", "--where", "NOT 3 < Size AND TargetInstance.Name IS NOT NULL"),
            QUERY_D,
        ),
        (("Cli_Alarm",), "SELECT * FROM Cli_Alarm"),
        (
            ("Cli_Alarm", "--within", "2", "--where", "Number=1"),
            "SELECT * FROM Cli_Alarm WITHIN 2 WHERE Number=1",
        ),
        (("select * from Cli_Alarm",), "select * from Cli_Alarm"),
    ],
)
def test_the_query_that_is_built_is_shown_with_v(
    main: Main, meanwhile: Meanwhile, arguments: tuple[str, ...], query: str
) -> None:
    code, out, err = watch(main, *arguments, "--for", "0", "-v")
    assert (code, out, err.splitlines()) == (0, "", [query, "watching; Ctrl-C ends it"])


@pytest.mark.parametrize(
    "arguments",
    [
        ("SELECT * FROM Cli_Alarm", "--on", "create"),
        ("SELECT * FROM Cli_Alarm", "--within", "1"),
        ("SELECT * FROM Cli_Alarm", "--where", "Number = 1"),
        ("SELECT * FROM Cli_Alarm", "Number"),
        ("Cli_Alarm", "--on", "create"),
        ("Cli_Watched", "--on", "birth"),
        ("Cli_Watched", "--within", "0"),
        ("Cli_Watched", "--within", "soon"),
        ("Cli_Watched", "--for", "-1"),
        ("Cli_Watched", "--count", "-1"),
        ("Cli_Watched", "--overflow", "explode"),
        ("Cli_Watched", "--where", "Size > 1 GROUP WITHIN 5"),
        ("Cli_Watched.Name='a'",),
        ("root/cimv2",),
        ("Cli_Watched", "-o", "wood"),
        ("Cli_Watched", "--exec", "no-such-program-of-ours"),
        ("Cli_Watched", "--exec", "'"),
        ("Cli_Watched", "--exec", ""),
        ("SELECT * FROM",),
        ("Cli_Watched", "--where", "Size >"),
        (),
    ],
)
def test_what_cannot_be_meant(main: Main, meanwhile: Meanwhile, arguments: tuple[str, ...]) -> None:
    code, out, err = watch(main, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")


@pytest.mark.req("calls:B86", "D-100")
@pytest.mark.parametrize(
    ("what", "symbol"),
    [
        ("Cli_Wached", "WBEM_E_"),
        ("SELECT * FROM Cli_Watched", "WBEM_E_NOT_EVENT_CLASS 0x80041059"),
        ("__InstanceCreationEvent", "WBEMESS_E_REGISTRATION_TOO_"),
        ("SELECT * FROM No_Such_Event", "WBEM_E_NOT_FOUND"),
    ],
)
def test_what_the_service_refuses(main: Main, meanwhile: Meanwhile, what: str, symbol: str) -> None:
    code, out, err = watch(main, what)
    assert (code, out) == (1, "")
    assert symbol in err
    assert "reached  this machine, namespace root\\CliTests" in err


# Ends


@pytest.mark.slow
def test_time_ends_it_well_whether_events_came_or_not(main: Main, meanwhile: Meanwhile) -> None:
    start = time.monotonic()
    assert watch(main, "Cli_Alarm", "--for", "0.1") == (0, "", "")
    assert 0.1 <= time.monotonic() - start < SECONDS
    meanwhile(ring(1))
    code, out, _ = watch(main, "Cli_Alarm", "Number", "--for", "0.2s", "--count", "5")
    assert (code, out) == (0, "Cli_Alarm\t1\n")


@pytest.mark.slow
@pytest.mark.req("calls:D6")
def test_ctrl_c_unsubscribes(tmp_path: Path) -> None:
    with watching(tmp_path, "__NamespaceCreationEvent", "-n", "root", "-o", "json") as running:
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=SECONDS)
    assert (running.returncode, err) == (130, "cancelled\n")
    assert out in ("", "[]\n")  # the interrupt may come before the output begins


# Losses


def test_a_flood_is_counted_even_when_quiet(main: Main, meanwhile: Meanwhile, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)

    def flood() -> None:
        with fifo.open("w"):  # opens once the program for the first event reads
            ring(*range(1500))()

    meanwhile(ring(0), flood)
    code, _, err = watch(main, "Cli_Alarm", "--count", "1", "--exec", f"cat {fifo}", "--quiet")
    assert (code, err) == (0, "lost: 500 events, 500 in all, because more than 1000 were waiting\n")


def test_a_flood_may_be_an_error(main: Main, meanwhile: Meanwhile) -> None:
    meanwhile(ring(*range(5000)))
    code, out, err = watch(main, "Cli_Alarm", "Number", "--overflow", "error")
    assert code == 1
    assert "WBEM_E_QUEUE_OVERFLOW 0x80041061" in err
    shown = [int(line.split("\t")[1]) for line in out.splitlines()]
    assert 1000 <= len(shown) < 5000
    assert shown == list(range(len(shown)))


# Programs

SCRIPT = """
import json, os, sys
event = json.load(sys.stdin)
found = {name: value for name, value in os.environ.items() if name.startswith("OPENWMI_")}
with open(sys.argv[1], "a") as log:
    log.write(json.dumps([event, found]) + "\\n")
sys.exit(event["TargetInstance"]["Size"])
"""


@pytest.mark.slow
def test_a_program_is_run_for_each_event(main: Main, meanwhile: Meanwhile, tmp_path: Path) -> None:
    script, log = tmp_path / "script.py", tmp_path / "log file"
    script.write_text(SCRIPT)

    def change() -> None:
        THINGS.update({"b c": 0, "a": 3})

    meanwhile(change)
    command = f"{sys.executable} {script} '{log}'"
    code, out, err = watch(main, "Cli_Watched", "--count", "2", *SOON, "--exec", command)
    assert (code, out) == (0, "")
    assert err == f"{sys.executable} ended with 3\n"
    runs = [json.loads(line) for line in log.read_text().splitlines()]
    assert [found["OPENWMI_EVENT_NUMBER"] for _, found in runs] == ["1", "2"]
    (created, found), (modified, other) = sorted(runs, key=lambda run: run[0]["__CLASS"])
    assert created["TargetInstance"] == {"__CLASS": "Cli_Watched", "Name": "b c", "Size": 0, "Since": None}
    assert modified["PreviousInstance"]["Size"] == 1
    assert other["OPENWMI_EVENT"] == "modify"
    assert found["OPENWMI_EVENT"] == "create"
    assert found["OPENWMI_EVENT_CLASS"] == "__InstanceCreationEvent"
    assert found["OPENWMI_EVENT_TIME"].startswith("20")
    assert found["OPENWMI_NAMESPACE"] == NAMESPACE
    assert found["OPENWMI_TARGET_CLASS"] == "Cli_Watched"
    assert found["OPENWMI_TARGET_PATH"] == 'Cli_Watched.Name="b c"'
    assert found["OPENWMI_TARGET_NAME"] == "b c"


def test_no_shell_comes_between(main: Main, meanwhile: Meanwhile, tmp_path: Path) -> None:
    meanwhile(ring(1))
    name = "$HOME; `id` > x"
    assert watch(main, "Cli_Alarm", "--count", "1", "--exec", f"touch '{tmp_path}/{name}'") == (0, "", "")
    assert [one.name for one in tmp_path.iterdir()] == [name]


def test_a_program_beside_the_rows(main: Main, meanwhile: Meanwhile) -> None:
    meanwhile(ring(1))
    code, out, err = watch(main, "Cli_Alarm", "Number", "--count", "1", "--exec", "true", "-o", "tsv")
    assert (code, out, err) == (0, "Cli_Alarm\t1\n", "")


# The real machine


@pytest.mark.slow
def test_a_process_that_starts_is_named(tmp_path: Path) -> None:
    marker = f"marker-{tmp_path.name}"
    where = f"CommandLine LIKE '%{marker}%'"
    arguments = ("--on", "create", "--count", "1", "--within", "0.1", "--where", where, "-o", "jsonl")
    program = [sys.executable, "-c", f"input() #{marker}"]
    with (
        watching(tmp_path, "Win32_Process", *arguments) as running,
        subprocess.Popen(program, stdin=subprocess.PIPE) as started,
    ):
        out, err = running.communicate(timeout=SECONDS)
        assert started.stdin is not None
        started.stdin.close()
    assert (running.returncode, err) == (0, "")
    assert json.loads(out)["TargetInstance"]["ProcessId"] == started.pid


@pytest.mark.slow
def test_help_has_the_examples_first(program: Program) -> None:
    code, out, _ = program("watch", "--help")
    assert code == 0
    assert out.index("openwmi watch Win32_Process --on create") < out.index("--exec CMD")


def test_a_table_shows_what_it_has_when_nothing_follows(capsys: pytest.CaptureFixture[str]) -> None:
    """A table waits for rows to settle its widths, but not while a watch waits for the next event."""
    console = Console()
    writer = writer_for("table", console)
    writer.begin(["Name"])
    for name, shown in (("a", "Name\n----\na\n"), ("longer than a", "longer than a\n")):
        writer.rows((int(CimType.STRING),), [(name,)])
        writer.pause()
        assert capsys.readouterr().out == shown
    writer.end()
    assert capsys.readouterr().out == ""
