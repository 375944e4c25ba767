"""Win32_Process on this machine: beside psutil, with odd names, vanishing and foreign processes, and its methods."""

from __future__ import annotations

import os
import resource
import select
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import psutil
import pytest
from tests.providers.questions import GUEST, Ask, class_named, opened_files, request, settled

from openwmi.model.classes import ClassDeclaration, derive
from openwmi.model.errors import WbemError
from openwmi.model.instances import Instance
from openwmi.model.qualifiers import EMPTY
from openwmi.model.status import WBEM_E_NOT_FOUND
from openwmi.providers.cimwin32 import CimWin32
from openwmi.providers.process import Processes

Call = Callable[..., Mapping[str, object]]
LookUp = Callable[..., dict[str, object] | None]
ME = os.getpid()

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="changes the effective user")


@contextmanager
def as_nobody() -> Iterator[None]:
    """Run without root's rights; the saved user leads back."""
    os.setresuid(65534, 65534, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


@pytest.fixture
def stranger(sleeper: subprocess.Popen[bytes]) -> Iterator[int]:
    """A process of root, while the test itself runs as nobody."""
    with as_nobody():
        yield sleeper.pid


# Properties ---------------------------------------------------------------------------------------------------


@pytest.mark.req("G-25")
def test_all_45_properties_are_there(ask: Ask) -> None:
    (row,) = ask("Win32_Process", ProcessId=ME)
    assert len(row) == 45
    assert sum(value is not None for value in row.values()) == 33


def psutil_rows() -> dict[int, dict[str, object]]:
    """What psutil says of every process, in our form; what it cannot read is left out."""
    found: dict[int, dict[str, object]] = {}
    for process in psutil.process_iter():
        try:
            with process.oneshot():
                line = " ".join(process.cmdline()).rstrip() or None
                created = datetime.fromtimestamp(process.create_time()).astimezone()
                found[process.pid] = {
                    "Name": printable(process.name()),
                    "CommandLine": None if line is None else printable(line),
                    "ParentProcessId": process.ppid(),
                    "Handle": str(process.pid),
                    "CreationDate": created.strftime("%Y%m%d%H%M%S"),
                }
        except (psutil.Error, OSError):
            continue
    return found


def printable(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


@pytest.mark.req("G-25")
def test_rows_are_those_of_psutil(ask: Ask) -> None:
    before = psutil_rows()
    rows = {int(str(row["ProcessId"])): row for row in ask("Win32_Process")}
    after = psutil_rows()
    lately = datetime.now().astimezone() - timedelta(seconds=5)  # a younger one may be about to exec
    newest = lately.strftime("%Y%m%d%H%M%S")
    steady = {
        pid: row for pid, row in before.items() if after.get(pid) == row and str(row["CreationDate"]) < newest
    }
    assert len(steady) > len(before) // 2
    for pid, expected in steady.items():
        mine = {column: rows[pid][column] for column in expected}
        assert {**mine, "CreationDate": str(mine["CreationDate"])[:14]} == expected


@pytest.mark.req("G-25", "G-06")
def test_figures_of_a_quiet_process_are_those_of_psutil(sleeper: subprocess.Popen[bytes], ask: Ask) -> None:
    process = psutil.Process(sleeper.pid)
    (row,) = ask("Win32_Process", ProcessId=sleeper.pid)
    memory = process.memory_info()
    # /proc/PID/stat, which ps prints too, leaves out what each processor counted last; psutil reads a slower file.
    batch = (os.cpu_count() or 1) * max(32, 2 * (os.cpu_count() or 1)) * os.sysconf("SC_PAGE_SIZE")
    assert row["WorkingSetSize"] == pytest.approx(memory.rss, abs=4 * batch)
    assert row["VirtualSize"] == memory.vms
    assert row["ThreadCount"] == 1
    assert row["HandleCount"] == process.num_fds()
    assert row["ExecutablePath"] == process.exe()
    assert row["CommandLine"] == "cat"
    assert row["SessionId"] == os.getsid(sleeper.pid)
    counters = process.io_counters()
    assert row["ReadOperationCount"] == counters.read_count
    assert row["WriteTransferCount"] == counters.write_chars
    assert row["PeakWorkingSetSize"] >= memory.rss // 1024  # type: ignore[operator]
    assert row["ExecutionState"] in (3, 4)


def test_times_are_in_units_of_100_ns(ask: Ask) -> None:
    spent = os.times()
    (row,) = ask("Win32_Process", "UserModeTime", "KernelModeTime", ProcessId=ME)
    assert int(str(row["UserModeTime"])) / 1e7 == pytest.approx(spent.user, abs=0.1)
    assert int(str(row["KernelModeTime"])) / 1e7 == pytest.approx(spent.system, abs=0.1)


def test_a_scan_goes_by_number_and_names_nobody_twice(ask: Ask) -> None:
    numbers = [int(str(row["ProcessId"])) for row in ask("Win32_Process", "ProcessId")]
    assert numbers == sorted(set(numbers))
    assert {1, ME} <= set(numbers)


def test_a_kernel_thread_has_no_command_line_and_no_memory(ask: Ask) -> None:
    threads = [row for row in ask("Win32_Process") if row["ParentProcessId"] == 2]
    if not threads:
        pytest.skip("a container shows no kernel threads")
    for row in threads:
        assert (row["CommandLine"], row["ExecutablePath"], row["PeakWorkingSetSize"]) == (None, None, None)
    with opened_files() as paths:
        ask("Win32_Process", "CommandLine", "ParentProcessId")
    assert not {f"/proc/{row['Handle']}/cmdline" for row in threads} & set(paths)
    assert f"/proc/{ME}/cmdline" in paths


# Names that nobody thought of ---------------------------------------------------------------------------------


@pytest.mark.req("G-25")
@pytest.mark.parametrize(
    ("file", "name"),
    [
        (b"with space", "with space"),
        (b"a) R 1 (b", "a) R 1 (b"),
        (b"two\nlines", "two\nlines"),
        (b"\xff\xfe raw", "\\xff\\xfe raw"),
        ("größe-μ".encode(), "größe-μ"),
        (b"longer-than-fifteen-bytes", "longer-than-fifteen-bytes"),
        (b"fifteen-bytes-0", "fifteen-bytes-0"),
    ],
)
def test_a_program_may_have_any_name(tmp_path: Path, ask: Ask, file: bytes, name: str) -> None:
    program = os.path.join(os.fsencode(tmp_path), file)
    shutil.copy(shutil.which("cat") or "", program)
    with settled([program, b"-u", b"-"]) as child:
        (row,) = ask("Win32_Process", ProcessId=child.pid)
        assert (row["Name"], row["ParentProcessId"], row["ThreadCount"]) == (name, ME, 1)
        assert row["ExecutablePath"] == f"{tmp_path}/{name}"
        assert row["CommandLine"] == f"{tmp_path}/{name} -u -"
        assert {"Name": name, "ProcessId": child.pid} in ask("Win32_Process", "Name", "ProcessId")


def test_a_command_line_of_any_length_and_any_bytes(ask: Ask) -> None:
    long = "x" * 5000
    program = "print(input(), flush=True); input()"
    with settled([sys.executable, "-c", program, b"\xe2\x28\xa1", "", long, "end"]) as child:
        (row,) = ask("Win32_Process", "CommandLine", ProcessId=child.pid)
        assert row["CommandLine"] == f"{sys.executable} -c {program} \\xe2(\\xa1  {long} end"


# What is read -------------------------------------------------------------------------------------------------


@pytest.mark.req("G-25", "D-55")
def test_a_key_look_up_reads_one_process_and_lists_none(look_up: LookUp, ask: Ask) -> None:
    for found in (
        lambda: look_up("Win32_Process", "Name", "ProcessId", Handle=str(ME)),
        lambda: ask("Win32_Process", "Name", "ProcessId", ProcessId=ME)[0],
        lambda: ask("Win32_Process", "Name", "ProcessId", Handle=str(ME))[0],
    ):
        with opened_files() as paths:
            row = found()
        assert row is not None
        assert row["ProcessId"] == ME
        assert {path for path in paths if path.startswith("/proc")} <= {
            f"/proc/{ME}/stat",
            f"/proc/{ME}/cmdline",
        }


@pytest.mark.parametrize(
    ("columns", "files"),
    [
        (("Handle", "ProcessId", "CreationClassName"), set()),
        (("ParentProcessId", "ThreadCount"), {"stat"}),
        (("CommandLine",), {"cmdline"}),
        (("PeakWorkingSetSize", "PageFileUsage"), {"status"}),
        (("ReadTransferCount",), {"io"}),
        (("HandleCount",), {"fd"}),
        (("InstallDate",), set()),
    ],
)
def test_a_scan_reads_only_the_files_of_its_columns(
    ask: Ask, columns: tuple[str, ...], files: set[str]
) -> None:
    with opened_files() as paths:
        assert ask("Win32_Process", *columns)
    assert {
        path.split("/")[3] for path in paths if path.startswith("/proc/") and path.split("/")[2].isdigit()
    } == files


def test_the_first_row_comes_before_the_last_process_is_read() -> None:
    with opened_files() as paths:
        rows = iter(Processes().instances(request("Win32_Process", "ParentProcessId")))
        next(rows)
    assert len([path for path in paths if path.endswith("/stat")]) == 1


@pytest.mark.req("calls:B36", "G-25")
def test_progress_is_reported_and_ends_with_all(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    for pid in range(1, 201):
        (tmp_path / "proc" / str(pid)).mkdir()
    reports: list[tuple[int, int]] = []
    question = request("Win32_Process", "Handle", report=lambda done, total, _: reports.append((done, total)))
    assert len(list(CimWin32(str(tmp_path)).instances(question))) == 200
    assert reports == [(64, 200), (128, 200), (192, 200), (200, 200)]


def test_a_cancelled_scan_stops_at_the_next_process() -> None:
    question = request("Win32_Process", "Handle")
    rows = iter(Processes().instances(question))
    next(rows)
    question.cancelled = True
    assert list(rows) == []


# Processes that are not there, or not for us ------------------------------------------------------------------


@pytest.mark.req("G-25")
@pytest.mark.parametrize(
    "handle", ["0", "-1", "01", "", " 1", "1 ", "x", "4194305", "99999999999", "١", "1\n", "self"]
)
def test_what_is_no_process_number_is_no_process(look_up: LookUp, handle: str) -> None:
    assert look_up("Win32_Process", "Name", Handle=handle) is None


def test_a_thread_is_no_process(look_up: LookUp) -> None:
    """Its number opens in /proc though no listing shows it."""
    go = threading.Event()
    thread = threading.Thread(target=go.wait)
    thread.start()
    try:
        assert os.path.exists(f"/proc/{thread.native_id}/stat")
        assert look_up("Win32_Process", "Name", Handle=str(thread.native_id)) is None
        assert look_up("Win32_Process", "Name", Handle=str(ME)) is not None
    finally:
        go.set()
        thread.join()


def test_a_process_that_ends_in_mid_scan_is_left_out(sleeper: subprocess.Popen[bytes]) -> None:
    rows = iter(Processes().instances(request("Win32_Process", "ProcessId", "ParentProcessId")))
    next(rows)  # the listing stands, the sleeper is in it
    sleeper.kill()
    sleeper.wait()
    assert sleeper.pid not in [row[0] for row in rows]


@pytest.mark.parametrize("lacking", ["cmdline", "status", "io", "fd"])
def test_a_process_that_ends_between_two_files_is_left_out(
    tree: Callable[..., Path], ask: Ask, lacking: str
) -> None:
    files = {
        "stat": "7 (x) S 1 7 7 0 -1 0 1 0 2 0 3 4 0 0 20 0 1 0 5 4096 1 0 0 0 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0",
        "cmdline": "x\0",
        "status": "Name:\tx\nVmPeak:\t 8 kB\nVmHWM:\t 4 kB\nRssAnon:\t 2 kB\nVmSwap:\t 1 kB\n",
        "io": "rchar: 1\nwchar: 2\nsyscr: 3\nsyscw: 4\n",
        "fd/0": "",
        "exe": "->/bin/x (deleted)",
    }
    whole = {f"/proc/7/{name}": content for name, content in files.items()}
    left = {f"/proc/8/{name}": content for name, content in files.items() if not name.startswith(lacking)}
    rows = ask("Win32_Process", root=tree({**whole, **left}))
    assert [row["ProcessId"] for row in rows] == [7]
    (row,) = rows
    assert (row["ExecutablePath"], row["HandleCount"]) == ("/bin/x", 1)
    assert (row["PrivatePageCount"], row["PeakVirtualSize"], row["PageFileUsage"]) == (3072, 8192, 1)
    assert (row["PageFaults"], row["WorkingSetSize"]) == (3, os.sysconf("SC_PAGE_SIZE"))


@pytest.mark.req("G-25", "G-66")
@as_root
def test_of_a_strangers_process_the_guarded_columns_are_null(stranger: int, ask: Ask) -> None:
    (row,) = ask("Win32_Process", ProcessId=stranger)
    assert row["Name"] == row["CommandLine"] == "cat"
    guarded = ("ExecutablePath", "HandleCount", "ReadOperationCount", "WriteTransferCount")
    assert [row[column] for column in guarded] == [None] * 4


def test_a_remote_caller_sees_no_guarded_column(ask: Ask) -> None:
    (row,) = ask("Win32_Process", ProcessId=ME, caller=GUEST)
    assert (row["ExecutablePath"], row["HandleCount"], row["ReadOperationCount"]) == (None, None, None)
    assert (row["CommandLine"], row["ThreadCount"] is not None) == (None, True)


# Methods ------------------------------------------------------------------------------------------------------


def outcome(call: Call, method: str, pid: int, **params: object) -> object:
    return call("Win32_Process", method, {"Handle": str(pid)}, **params)["ReturnValue"]


@pytest.fixture
def create(call: Call) -> Iterator[Callable[..., Mapping[str, object]]]:
    """Start processes that end with the test."""
    started: list[int] = []

    def made(command_line: str | None, **params: object) -> Mapping[str, object]:
        answer = call("Win32_Process", "Create", CommandLine=command_line, **params)
        if answer["ProcessId"] is not None:
            started.append(int(str(answer["ProcessId"])))
        return answer

    yield made
    for pid in started:
        try:
            os.kill(pid, 9)
        except ProcessLookupError:
            continue


def startup_information(settings: dict[str, object]) -> Instance:
    """Win32_ProcessStartup is abstract (A-263), so a subclass carries the settings."""
    declaration = ClassDeclaration("Test_Startup", "Win32_ProcessStartup", EMPTY, (), ())
    return derive(declaration, class_named("Win32_ProcessStartup")).spawn(settings)


def until_gone(pid: int) -> None:
    """Wait for the end of a process without asking again and again."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    waiting = select.poll()  # select() takes no descriptor beyond 1,023
    waiting.register(descriptor, select.POLLIN)
    waiting.poll(10_000)
    os.close(descriptor)


@pytest.mark.req("G-26")
def test_create_starts_a_detached_process(
    create: Callable[..., Mapping[str, object]], tmp_path: Path, ask: Ask
) -> None:
    os.mkfifo(tmp_path / "pipe")
    answer = create("sh  -c 'echo >pipe; read x <pipe'", CurrentDirectory=str(tmp_path))
    assert answer["ReturnValue"] == 0
    pid = int(str(answer["ProcessId"]))
    assert (tmp_path / "pipe").read_bytes() == b"\n"  # now it runs its own program
    (row,) = ask("Win32_Process", "CommandLine", "SessionId", "Name", "ParentProcessId", ProcessId=pid)
    assert row == {
        "CommandLine": "sh -c echo >pipe; read x <pipe",
        "SessionId": pid,
        "Name": "sh",
        "ParentProcessId": ME,
    }
    assert os.readlink(f"/proc/{pid}/cwd") == str(tmp_path)
    assert {os.readlink(f"/proc/{pid}/fd/{number}") for number in range(3)} == {"/dev/null"}


def test_what_create_started_can_be_seen_at_once(
    create: Callable[..., Mapping[str, object]], ask: Ask
) -> None:
    for _ in range(20):
        pid = create("sleep 300")["ProcessId"]
        (row,) = ask("Win32_Process", "Name", "CommandLine", ProcessId=pid)
        assert row == {"Name": "sleep", "CommandLine": "sleep 300"}


@pytest.mark.req("G-26")
@pytest.mark.parametrize(
    ("command_line", "params", "code"),
    [
        (None, {}, 21),
        ("", {}, 21),
        ("  ", {}, 21),
        ("sleep 'unclosed", {}, 21),
        ("sleep a\0b", {}, 21),
        ("no-such-program-anywhere", {}, 9),
        ("/no/such/file", {}, 9),
        ("sleep 1", {"CurrentDirectory": "/no/such/directory"}, 9),
        ("sleep 1", {"CurrentDirectory": "/etc/passwd"}, 9),
        ("/etc/passwd", {}, 2),
        ("/tmp", {}, 2),
        ("sleep 1", {"ProcessStartupInformation": "not an instance"}, 21),
    ],
)
def test_create_answers_with_the_codes_of_windows(
    create: Callable[..., Mapping[str, object]],
    command_line: str | None,
    params: dict[str, object],
    code: int,
) -> None:
    assert create(command_line, **params) == {"ReturnValue": code, "ProcessId": None}


@pytest.mark.req("G-26", "A-305")
def test_create_honours_environment_and_priority(
    create: Callable[..., Mapping[str, object]], ask: Ask, tmp_path: Path
) -> None:
    startup = startup_information(
        {"EnvironmentVariables": ["OPENWMI_TEST=a=b", "EMPTY="], "PriorityClass": 16384, "Title": "ignored"}
    )
    os.mkfifo(tmp_path / "pipe")
    answer = create(
        "sh -c 'echo \"$OPENWMI_TEST,${EMPTY-unset},$PATH\" >pipe; read x <pipe'",
        CurrentDirectory=str(tmp_path),
        ProcessStartupInformation=startup,
    )
    assert (tmp_path / "pipe").read_text() == f"a=b,,{os.environ['PATH']}\n"
    pid = int(str(answer["ProcessId"]))
    assert os.getpriority(os.PRIO_PROCESS, pid) == 10
    (row,) = ask("Win32_Process", "Priority", ProcessId=pid)
    assert row["Priority"] == 6


@pytest.mark.req("G-26")
@pytest.mark.parametrize("settings", [{"EnvironmentVariables": ["NOEQUALS"]}, {"PriorityClass": 33}])
def test_create_refuses_startup_information_that_makes_no_sense(
    create: Callable[..., Mapping[str, object]], settings: dict[str, object]
) -> None:
    startup = startup_information(settings)
    assert create("sleep 1", ProcessStartupInformation=startup)["ReturnValue"] == 21


def test_a_created_process_leaves_no_zombie(
    create: Callable[..., Mapping[str, object]], look_up: LookUp
) -> None:
    pid = int(str(create("true")["ProcessId"]))
    until_gone(pid)
    waiting = [thread for thread in threading.enumerate() if thread.name == f"openwmi-child-{pid}"]
    for thread in waiting:
        thread.join(10)
    assert look_up("Win32_Process", "Name", Handle=str(pid)) is None


@pytest.mark.req("G-26")
def test_terminate_ends_a_process(sleeper: subprocess.Popen[bytes], call: Call) -> None:
    assert outcome(call, "Terminate", sleeper.pid, Reason=5) == 0
    assert sleeper.wait(10) == -9


@pytest.mark.req("G-26")
def test_the_first_process_cannot_be_terminated(call: Call) -> None:
    assert outcome(call, "Terminate", 1, Reason=None) == 2


@pytest.mark.req("G-26", "calls:B94")
@pytest.mark.parametrize(
    "method", ["Terminate", "GetOwner", "GetOwnerSid", "SetPriority", "GetAvailableVirtualSize"]
)
def test_a_method_on_a_process_that_is_gone_finds_nothing(call: Call, method: str) -> None:
    child = subprocess.Popen(["true"])
    child.wait()
    with pytest.raises(WbemError) as failed:
        call("Win32_Process", method, {"Handle": str(child.pid)})
    assert failed.value.code == WBEM_E_NOT_FOUND


@pytest.mark.req("G-26")
@as_root
def test_a_strangers_process_is_neither_ended_nor_ranked(stranger: int, call: Call) -> None:
    assert outcome(call, "Terminate", stranger, Reason=0) == 2
    assert outcome(call, "SetPriority", stranger, Priority=64) == 2
    assert outcome(call, "GetOwner", stranger) == 0


@pytest.mark.req("G-26")
@as_root
def test_a_higher_rank_needs_a_privilege(call: Call) -> None:
    child = subprocess.Popen(["sleep", "300"], user=65534)
    try:
        with as_nobody():
            assert outcome(call, "SetPriority", child.pid, Priority=64) == 0
            assert outcome(call, "SetPriority", child.pid, Priority=128) == 3
    finally:
        child.kill()
        child.wait()


@pytest.mark.req("G-26")
@pytest.mark.parametrize(
    ("priority_class", "priority"), [(64, 4), (16384, 6), (32, 8), (32768, 10), (128, 13), (256, 24)]
)
@as_root
def test_set_priority_is_what_priority_shows(
    sleeper: subprocess.Popen[bytes], call: Call, ask: Ask, priority_class: int, priority: int
) -> None:
    assert outcome(call, "SetPriority", sleeper.pid, Priority=priority_class) == 0
    assert ask("Win32_Process", "Priority", ProcessId=sleeper.pid) == [{"Priority": priority}]


@pytest.mark.req("G-26")
@pytest.mark.parametrize("priority_class", [None, 0, 33, -20])
def test_an_unknown_priority_class_is_a_bad_parameter(
    sleeper: subprocess.Popen[bytes], call: Call, priority_class: int | None
) -> None:
    assert outcome(call, "SetPriority", sleeper.pid, Priority=priority_class) == 21


@pytest.mark.req("G-26")
def test_the_owner_is_the_effective_user(sleeper: subprocess.Popen[bytes], call: Call) -> None:
    keys = {"Handle": str(sleeper.pid)}
    assert call("Win32_Process", "GetOwner", keys) == {
        "ReturnValue": 0,
        "User": psutil.Process(sleeper.pid).username(),
        "Domain": os.uname().nodename.partition(".")[0].upper(),
    }
    assert call("Win32_Process", "getownersid", keys) == {"ReturnValue": 0, "Sid": f"S-1-22-1-{os.geteuid()}"}


@as_root
def test_an_owner_without_a_name_is_shown_by_number(call: Call) -> None:
    child = subprocess.Popen(["sleep", "300"], user=4_000_000_001)
    try:
        assert call("Win32_Process", "GetOwner", {"Handle": str(child.pid)})["User"] == "4000000001"
    finally:
        child.kill()
        child.wait()


@pytest.mark.req("G-26")
def test_the_free_address_space_is_what_the_limit_leaves(
    sleeper: subprocess.Popen[bytes], call: Call, ask: Ask
) -> None:
    limit = 8 << 30
    resource.prlimit(sleeper.pid, resource.RLIMIT_AS, (limit, limit))
    answer = call("Win32_Process", "GetAvailableVirtualSize", {"Handle": str(sleeper.pid)})
    (row,) = ask("Win32_Process", "VirtualSize", ProcessId=sleeper.pid)
    assert answer == {"ReturnValue": 0, "AvailableVirtualSize": limit - int(str(row["VirtualSize"]))}


@pytest.mark.parametrize("method", ["Create", "Terminate", "SetPriority"])
def test_a_remote_caller_changes_nothing(sleeper: subprocess.Popen[bytes], call: Call, method: str) -> None:
    """DESIGN.md section 5: nobody remote acts as the service."""
    params = {"CommandLine": "true", "Priority": 64}
    answer = call("Win32_Process", method, {"Handle": str(sleeper.pid)}, caller=GUEST, **params)
    assert answer["ReturnValue"] == 2
    assert sleeper.poll() is None
    assert os.getpriority(os.PRIO_PROCESS, sleeper.pid) == os.getpriority(os.PRIO_PROCESS, 0)
