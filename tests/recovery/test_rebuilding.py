"""Stores that are really damaged, and what the owner makes of them when it starts (model.md C-44)."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from openwmi.accounts.accounts import EVERYBODY
from openwmi.contract.caller import Caller
from openwmi.host import Host
from openwmi.model import status as s
from openwmi.model.errors import WbemError
from openwmi.mof.resolution import DEFAULT_NAMESPACE
from openwmi.recovery import rebuilding
from openwmi.recovery.moffiles import read, store
from openwmi.repository import care, damage
from openwmi.repository.making import FORMAT
from openwmi.repository.store import Store
from openwmi.service.access import CLOSED, DEFAULT

pytestmark = [pytest.mark.slow, pytest.mark.req("C-44")]
PAGE = 4096
CLASS = """
#pragma namespace("root\\\\default")
class Kept { [key] uint32 Id; [indexed] uint32 Group; string Text; };
"""
COUNT = 300
USER = Caller("S-1-5-21-1-2-3-1000", "alice", tuple(map(str, EVERYBODY)), granted=0, remote=True)
ROOT = Path(__file__).resolve().parents[2]


class Place:
    """A store with a class, COUNT instances, a recovery list of two files, and a namespace that admits more."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "home" / "repository.db"
        folder.mkdir(exist_ok=True)
        self.first, self.second = folder / "first.mof", folder / "second.mof"
        self.first.write_text(CLASS, encoding="utf-8")
        self.second.write_text(
            '#pragma namespace("root\\\\default")\ninstance of Kept { Id = 1; Text = "from the list"; };',
            encoding="utf-8",
        )
        host = Host(str(self.path))
        try:
            for file in (self.first, self.second):
                store(host, read(str(file)), DEFAULT_NAMESPACE, class_flags=0, instance_flags=0)
                care.remember(host.repository.opened().store, str(file))
            filled = folder / "filled.mof"
            filled.write_text(
                "".join(
                    f'instance of Kept {{ Id = {n}; Group = {n % 7}; Text = "{"x" * 400}"; }};\n'
                    for n in range(1, COUNT + 1)
                ),
                encoding="utf-8",
            )
            store(host, read(str(filled)), DEFAULT_NAMESPACE, class_flags=0, instance_flags=0)
            host.namespaces.access.store(host.namespaces.named("root"), DEFAULT)
        finally:
            host.shut_down()
            host.repository.close()
        connection = sqlite3.connect(self.path)  # damage to a page that the log has once more would be none
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()

    @property
    def lock(self) -> str:
        return f"{self.path}.owner"

    def mend(self) -> None:
        rebuilding.mend(str(self.path), self.lock)

    def overwrite(self, offset: int, content: bytes) -> None:
        with self.path.open("r+b") as file:
            file.seek(offset)
            file.write(content)

    def page_of(self, name: str) -> int:
        connection = sqlite3.connect(self.path)
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (name,)).fetchone()
        connection.close()
        return int(page)

    def host(self) -> Host:
        return Host(str(self.path))

    def texts(self) -> dict[int, str]:
        """What instances there are now."""
        host = self.host()
        try:
            space = host.namespaces.named(DEFAULT_NAMESPACE)
            found = space.schema.class_named("Kept")
            return {one.Id: one.Text for one in space.static_instances(found)}
        finally:
            host.repository.close()

    def descriptor(self, path: str) -> object:
        host = self.host()
        try:
            host.namespaces.refresh()
            return host.namespaces.access.own(path).dacl
        finally:
            host.repository.close()

    def aside(self) -> list[Path]:
        return sorted(self.path.parent.glob("repository.db.damaged-*T*Z"))

    def report(self) -> str:
        return "\n".join(care.rebuilt(str(self.path)))


def copy(place: Place, folder: Path) -> Place:
    """The same store elsewhere, with the same list."""
    shutil.copytree(place.path.parent, folder)
    made = Place.__new__(Place)
    made.path, made.first, made.second = folder / place.path.name, place.first, place.second
    return made


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def truncated(place: Place) -> None:
    os.truncate(place.path, place.path.stat().st_size // 2 // PAGE * PAGE)


def zeroed(place: Place) -> None:
    """Pages in the middle of the file, and among them some of instances."""
    middle = place.path.stat().st_size // PAGE // 2
    place.overwrite(middle * PAGE, bytes(6 * PAGE))


def garbage_header(place: Place) -> None:
    place.overwrite(0, b"\xa5" * 100)


def emptied(place: Place) -> None:
    os.truncate(place.path, 0)


def of_one_byte(place: Place) -> None:
    os.truncate(place.path, 1)


def cut_in_the_header(place: Place) -> None:
    os.truncate(place.path, 60)


def begun_anew(place: Place) -> None:
    """As SQLite leaves a file that it has taken for a new one."""
    os.truncate(place.path, 0)
    connection = sqlite3.connect(place.path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()


def instances_gone(place: Place) -> None:
    place.overwrite((place.page_of("instance") - 1) * PAGE, bytes(PAGE))


def nothing_but_noise(place: Place) -> None:
    place.path.write_bytes(os.urandom(place.path.stat().st_size))


SHORTENED = [emptied, of_one_byte, cut_in_the_header, begun_anew]
LOSSES = [truncated, zeroed, garbage_header, *SHORTENED, instances_gone, nothing_but_noise]


@pytest.mark.parametrize("harm", LOSSES)
def test_a_store_that_lost_something_is_rebuilt(place: Place, harm: Callable[[Place], None]) -> None:
    harm(place)
    before = place.path.read_bytes()
    place.mend()
    assert care.inspect(str(place.path)).faults == []
    texts = place.texts()
    assert 1 in texts, "what the recovery list makes is there"
    assert texts[1] in ("from the list", "x" * 400), "what was kept is newer than the list"
    assert all(text == "x" * 400 for number, text in texts.items() if number != 1)
    (aside,) = place.aside()
    assert aside.read_bytes() == before, "the damaged file is kept as it was"
    assert aside.stat().st_mode & 0o777 == 0o600
    said = place.report()
    assert str(aside) in said
    assert said.index(str(place.first)) < said.index(str(place.second)), "in the order of the list"
    opened = Store(str(place.path))
    assert care.recovery_list(opened) == [str(place.first), str(place.second)]
    opened.close()
    assert not [one for one in place.path.parent.iterdir() if one.suffix in (damage.READY, damage.WORK)]
    place.mend()
    assert place.aside() == [aside], "a rebuilt store is whole"


@pytest.mark.parametrize("harm", LOSSES)
def test_what_is_lost_lets_nobody_in(place: Place, harm: Callable[[Place], None]) -> None:
    """The descriptors of namespaces are instances: where some are lost, nobody knows which."""
    harm(place)
    place.mend()
    host = place.host()
    try:
        host.namespaces.refresh()
        access = host.namespaces.access
        kept = access.own("root").dacl == DEFAULT.dacl
        for space in host.namespaces.spaces():
            if space.path == "root" and kept:
                continue
            assert access.own(space.path).dacl == CLOSED.dacl, space.path
            assert access.granted(USER, space.path) == 0, "nothing is inherited"
            assert access.requires_encryption(space.path)
    finally:
        host.repository.close()
    assert "administrators alone" in place.report()


def test_a_damaged_index_loses_nothing(place: Place) -> None:
    before = place.texts()
    place.overwrite((place.page_of("value_lookup") - 1) * PAGE, bytes(PAGE))
    assert damage.damage(str(place.path), form=str(FORMAT), ours=True)
    place.mend()
    assert care.inspect(str(place.path)).faults == []
    assert place.texts() == before
    assert place.descriptor("root") == DEFAULT.dacl
    assert place.descriptor("root\\default") != CLOSED.dacl
    assert "compiled anew" not in place.report(), "what was deleted since does not come back"


def test_a_page_that_reads_well_but_empty_is_missed(place: Place) -> None:
    """A write that the disk has lost: the table is in order without the rows, its indexes know better."""
    page = place.page_of("instance")
    place.overwrite((page - 1) * PAGE, b"\x0d\x00\x00\x00\x00\x10\x00\x00")
    place.mend()
    assert place.texts().keys() == {1}
    assert "of instance not all could be found" in place.report()
    assert place.descriptor("root") == CLOSED.dacl


def test_a_file_of_the_list_that_will_not_do_is_told(place: Place) -> None:
    place.second.unlink()
    garbage_header(place)
    place.mend()
    assert place.texts() == {}
    assert f"not compiled: {place.second}" in place.report()


def test_the_list_of_an_older_store_is_put_beside_it(place: Place) -> None:
    beside_it = Path(str(place.path) + damage.LIST)
    expected = beside_it.read_bytes()
    beside_it.unlink()
    place.mend()
    assert beside_it.read_bytes() == expected
    assert beside_it.stat().st_mode & 0o777 == 0o600
    garbage_header(place)
    place.mend()
    assert place.texts() == {1: "from the list"}


# What is no damage


def whole(place: Place) -> None:
    pass


def of_a_newer_format(place: Place) -> None:
    opened = Store(str(place.path))
    opened.set("format", "999")
    opened.close()
    instances_gone(place)


def gone(place: Place) -> None:
    place.path.unlink()


@pytest.mark.parametrize("state", [whole, of_a_newer_format, gone])
def test_what_is_not_damaged_is_left_alone(place: Place, state: Callable[[Place], None]) -> None:
    state(place)
    before = damage.identity(str(place.path))
    place.mend()
    assert damage.identity(str(place.path)) == before
    assert place.aside() == []


def foreign_database() -> bytes:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE bookmark (address TEXT)")
    return connection.serialize()


@pytest.mark.parametrize("content", [b"", b"root:x:0:0\n" * 1000, foreign_database()])
@pytest.mark.parametrize("name", ["passwd", damage.STORE])
def test_a_file_of_somebody_else_stays_as_it_is(tmp_path: Path, content: bytes, name: str) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(WbemError) as caught:
        Store(str(file))
    assert caught.value.code == s.WBEM_E_CRITICAL_ERROR
    assert file.read_bytes() == content
    if name == damage.STORE and content != foreign_database():
        return  # by its name it is a store, and its owner rebuilds it
    rebuilding.mend(str(file), f"{file}.owner")
    assert file.read_bytes() == content
    assert list(tmp_path.iterdir()) == [file]


def test_a_store_of_another_name_is_rebuilt_when_it_says_that_it_is_one(place: Place) -> None:
    other = place.path.with_name("other.store")
    place.path.rename(other)
    place.path = other
    instances_gone(place)
    place.mend()
    assert care.inspect(str(other)).faults == []
    garbage_header(place)
    place.mend()
    assert care.inspect(str(other)).faults != [], "nothing says now that it is a store"
    assert len(list(other.parent.glob("other.store.damaged-*Z"))) == 1


@pytest.mark.skipif(os.getuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_left_alone(place: Place) -> None:
    garbage_header(place)
    place.path.chmod(0)
    place.mend()
    assert place.aside() == []


def test_a_store_that_is_locked_is_no_damaged_one(place: Place) -> None:
    connection = sqlite3.connect(place.path, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    assert damage.damage(str(place.path), form=str(FORMAT), ours=True) is None
    connection.close()


CRAMPED = """
import resource, sys
from openwmi.recovery import rebuilding
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), int(sys.argv[3])))
rebuilding.mend(sys.argv[1], sys.argv[2])
print("done")
"""


@pytest.mark.parametrize("room", [100, 50_000, 180_000])
def test_without_room_for_another_the_damaged_store_stays(place: Place, room: int) -> None:
    garbage_header(place)
    before = place.path.read_bytes()
    assert len(before) > 180_000
    with beside(place, CRAMPED, place.lock, str(room)) as other:
        out, _ = other.communicate(timeout=60)
    assert out == "done\n"
    assert place.path.read_bytes() == before
    assert not [one for one in place.path.parent.iterdir() if "damaged" in one.name or "rebuil" in one.name]
    with pytest.raises(WbemError, match="cannot be used"):
        Store(str(place.path))


# Other processes

HOLDER = """
import sys
from openwmi.repository.store import Store
store = Store(sys.argv[1])
store.rows("SELECT 1 FROM setting")
print("open", flush=True)
sys.stdin.readline()
"""


def beside(place: Place, program: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, str(place.path), *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_damaged_while_another_process_has_it_open(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    with beside(place, HOLDER) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        zeroed(place)
        before = damage.identity(str(place.path))
        place.mend()
        assert damage.identity(str(place.path)) == before, "nobody works on a file that was moved"
        assert "open in another process" in caplog.text
        assert place.aside() == []
        other.communicate("\n", timeout=20)
    place.mend()
    assert care.inspect(str(place.path)).faults == []
    assert len(place.aside()) == 1


def test_a_store_that_is_open_here_under_another_name(place: Place) -> None:
    other = place.path.with_name("link.db")
    other.symlink_to(place.path)
    opened = Store(str(other))
    opened.rows("SELECT 1 FROM setting")
    zeroed(place)
    place.mend()
    assert place.aside() == []
    opened.close()
    place.mend()
    assert len(place.aside()) == 1


def test_a_store_that_another_process_owns_is_left_to_it(place: Place) -> None:
    import fcntl

    garbage_header(place)
    with open(place.lock, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        place.mend()
    assert place.aside() == []


def test_who_does_not_own_it_hears_what_is_wrong(place: Place) -> None:
    garbage_header(place)
    with pytest.raises(WbemError) as caught:
        Store(str(place.path))
    assert caught.value.code == s.WBEM_E_CRITICAL_ERROR
    assert "openwmi serve rebuilds it" in (caught.value.hint or "")
    assert place.aside() == []


@pytest.mark.parametrize("harm", SHORTENED)
def test_who_does_not_own_it_makes_no_new_store_of_it(place: Place, harm: Callable[[Place], None]) -> None:
    """SQLite takes such a file for a database that begins: with it, who may do what would be as on a new machine."""
    harm(place)
    log = Path(f"{place.path}-wal")
    log.write_bytes(b"what the store has not taken over yet")
    before = place.path.read_bytes()
    host = place.host()
    with pytest.raises(WbemError) as caught:
        host.namespaces.refresh()
    assert caught.value.code == s.WBEM_E_CRITICAL_ERROR
    assert "openwmi serve rebuilds it" in (caught.value.hint or "")
    assert place.path.read_bytes() == before
    assert harm is begun_anew or log.exists(), "SQLite deletes it"
    place.mend()
    assert place.descriptor("root") == CLOSED.dacl
    assert len(place.aside()) == 1


@pytest.mark.parametrize("size", [0, 1, 16, 99, 100, 101, 104, 108, 1024, PAGE - 1, PAGE, PAGE + 1])
def test_of_a_store_that_ends_early_nobody_makes_a_new_one(place: Place, size: int) -> None:
    os.truncate(place.path, size)
    before = place.path.read_bytes()
    with pytest.raises(WbemError) as caught:
        Store(str(place.path))
    assert caught.value.code == s.WBEM_E_CRITICAL_ERROR
    assert place.path.read_bytes() == before


OPENER = """
import sys
from openwmi.repository.store import Store
print("ready", flush=True)
sys.stdin.readline()
store = Store(sys.argv[1])
import os
here = os.stat(sys.argv[1]).st_ino
links = [f"/proc/self/fd/{one}" for one in os.listdir("/proc/self/fd")]
print(here in {os.stat(one).st_ino for one in links if os.path.exists(one)}, flush=True)
"""


def test_who_waits_for_the_lock_gets_the_new_file(place: Place) -> None:
    """The file is replaced after another process has opened it, and before that has its lock on it."""
    instances_gone(place)
    fresh = place.path.with_name("fresh.db")
    Store(str(fresh)).close()
    with beside(place, OPENER) as other, damage.held(str(place.path)) as descriptor:
        assert descriptor is not None
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == "ready\n"
        other.stdin.write("\n")
        other.stdin.flush()
        inode = place.path.stat().st_ino
        for _ in range(2000):  # until it has the old file open
            links = [
                os.path.join(f"/proc/{other.pid}/fd", one) for one in os.listdir(f"/proc/{other.pid}/fd")
            ]
            if inode in {os.stat(one).st_ino for one in links if os.path.exists(one)}:
                break
        damage.replace(str(place.path), str(fresh))
        os.close(os.dup(descriptor))  # which gives the lock back
        assert other.stdout.read() == "True\n"


# kill -9

VICTIM = """
import os, signal, sys
from openwmi.recovery import rebuilding
from openwmi.repository import damage

count, last = 0, int(sys.argv[3])

def dying(module, name):
    function = getattr(module, name)
    def call(*arguments, **named):
        global count
        count += 1
        if count == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **named)
    setattr(module, name, call)

for name in ("mkdir", "rename", "replace", "unlink", "fsync"):
    dying(os, name)
dying(rebuilding, "store")
rebuilding.mend(sys.argv[1], sys.argv[2])
print("done")
"""


@pytest.mark.parametrize("harm", [garbage_header, zeroed])
def test_a_kill_at_any_moment_of_the_rebuilding(
    tmp_path: Path, harm: Callable[[Place], None], deep: bool
) -> None:
    """At steps that change something on the disk: the old store, or the new one whole, never a third."""
    filled = Place(tmp_path / "filled")
    ended, steps = False, 0
    while not ended:
        steps += 1 if deep else 4
        assert steps < 100
        place = copy(filled, tmp_path / str(steps))
        harm(place)
        before = place.path.read_bytes()
        with beside(place, VICTIM, place.lock, str(steps)) as victim:
            out, _ = victim.communicate(timeout=60)
        ended = out == "done\n"
        if not ended:
            assert victim.returncode == -signal.SIGKILL
            now = place.path.read_bytes()
            if damage.is_ready(str(place.path)) or now == before:
                with pytest.raises(WbemError, match="half rebuilt|cannot be used"):
                    Store(str(place.path)).rows("SELECT * FROM instance")
        place.mend()
        assert care.inspect(str(place.path)).faults == []
        assert 1 in place.texts()
        assert place.aside()
        assert place.aside()[-1].read_bytes() == before
    assert steps > 8


# The program

CONNECTING = """
import sys
import openwmi
with openwmi.sync.connect(r"root\\default", repository=sys.argv[1], subscriptions=sys.argv[2] == "yes") as wmi:
    print([one.Text for one in wmi.query("SELECT * FROM Kept")])
"""


@pytest.mark.parametrize(("argument", "variable"), [("yes", "0"), ("no", "1")])
def test_a_program_that_owns_the_store_rebuilds_it(
    place: Place, argument: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    garbage_header(place)
    monkeypatch.setenv("OPENWMI_SUBSCRIPTIONS", variable)
    with beside(place, CONNECTING, argument) as program:
        out, _ = program.communicate(timeout=60)
    assert out == "['from the list']\n"
    assert len(place.aside()) == 1


def test_a_program_that_does_not_own_the_store_leaves_it(place: Place) -> None:
    garbage_header(place)
    with beside(place, CONNECTING, "no") as program:
        out, _ = program.communicate(timeout=60)
    assert (out, program.returncode) == ("", 1)
    assert place.aside() == []


def test_serve_rebuilds_and_says_so(place: Place) -> None:
    garbage_header(place)
    environment = {**os.environ, "OPENWMI_HOME": str(place.path.parent), "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-m", "openwmi"]

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, *arguments], env=environment, capture_output=True, text=True, timeout=60
        )

    refused = run("serve", "--listen", "none", "--readonly")
    assert refused.returncode == 1
    assert "WBEM_E_CRITICAL_ERROR" in refused.stderr
    assert place.aside() == []
    asked = run("query", "SELECT * FROM Kept", "-n", "root/default")
    assert asked.returncode == 1
    assert "openwmi serve rebuilds it" in asked.stderr
    with subprocess.Popen(
        [*command, "serve", "--listen", "none"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as serving:
        assert serving.stdout is not None
        assert serving.stdout.readline()
        serving.send_signal(signal.SIGTERM)
        _, said = serving.communicate(timeout=30)
    assert "found damaged" in said
    assert str(place.aside()[0]) in said
    checked = run("repository", "check")
    assert checked.returncode == 0
    assert "found damaged" in checked.stderr
    assert "found damaged" in run("repository", "path").stderr
    assert run("query", "SELECT Text FROM Kept", "-n", "root/default").stdout == "from the list\n"
