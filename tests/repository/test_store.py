"""The store: transactions, threads and processes, kill -9, damage, backup (C-46; DESIGN.md section 5)."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from openwmi.model import status as s
from openwmi.model.classes import Class, derive
from openwmi.model.errors import WbemError
from openwmi.mof import class_declarations
from openwmi.repository.repository import KEPT_CHANGES, Change, Repository
from openwmi.repository.shared import SharedRepository
from openwmi.repository.store import KEPT_CONNECTIONS, SNAPSHOT_SECONDS

NAMESPACE = "root\\test"
MOF = "class Item { [key] sint32 Id; sint32 Group; string Text; };"


@pytest.fixture
def file(tmp_path: Path) -> str:
    return str(tmp_path / "store" / "repository.db")


@pytest.fixture(scope="module")
def item() -> Class:
    return derive(next(iter(class_declarations(MOF))), None)


def put(repository: Repository, class_: Class, number: int, group: int = 0, text: str = "") -> None:
    repository.put_instance(
        NAMESPACE,
        class_.spawn({"Id": number, "Group": group, "Text": text}),
        root="item",
        ident=f".ID={number}",
        indexed={"Group": group},
    )


def ids(repository: Repository, class_: Class, **conditions: int) -> list[int]:
    found = repository.instances(NAMESPACE, class_, lambda _: None, tuple(conditions.items()))
    return [one.Id for one in found]


@pytest.mark.req("C-46")
def test_what_is_put_is_there_after_reopening(file: str, item: Class) -> None:
    first = Repository(file)
    first.put_class(NAMESPACE, item.declaration)
    put(first, item, 1, text="x\ud800\n\"'")
    first.store.close()
    second = Repository(file)
    assert second.superclasses(NAMESPACE) == {"item": None}
    assert second.declaration(NAMESPACE, "ITEM") == item.declaration
    assert ids(second, item) == [1]
    found = second.instance(NAMESPACE, item, lambda _: None, root="item", ident=".ID=1")
    assert found is not None
    assert found.Text == "x\ud800\n\"'"


@pytest.mark.req("C-44")
def test_a_store_has_its_name_once_it_is_whole(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a file without tables is a damaged one, whoever looks at it while another process makes it."""
    linked = os.link

    def link(fresh: str, path: str) -> None:
        assert not os.path.exists(path)
        with closing(sqlite3.connect(fresh)) as connection:
            assert connection.execute("SELECT count(*) FROM setting").fetchone() == (2,)
        linked(fresh, path)

    monkeypatch.setattr(os, "link", link)
    Repository(file).store.close()
    assert os.listdir(os.path.dirname(file)) == [os.path.basename(file)]


@pytest.mark.req("C-44")
def test_of_two_that_make_a_store_the_first_one_wins(
    file: str, item: Class, monkeypatch: pytest.MonkeyPatch
) -> None:
    linked = os.link

    def link(fresh: str, path: str) -> None:
        monkeypatch.undo()
        other = Repository(path)
        put(other, item, 7)
        linked(fresh, path)

    monkeypatch.setattr(os, "link", link)
    assert ids(Repository(file), item) == [7]


def test_a_file_system_without_links(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def link(fresh: str, path: str) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    Repository(file).store.close()
    assert Repository(file).store.setting("format") == "1"


def test_a_store_that_was_deleted_comes_back_for_no_thread(file: str) -> None:
    """Not as an empty file, at least."""
    store = Repository(file).store
    for one in os.listdir(os.path.dirname(file)):
        os.unlink(os.path.join(os.path.dirname(file), one))
    caught: list[WbemError] = []

    def look() -> None:
        try:
            store.setting("format")
        except WbemError as failure:
            caught.append(failure)

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert caught[0].code == s.WBEM_E_CRITICAL_ERROR
    assert not os.path.exists(file)


@pytest.mark.parametrize("name", ["a?b.db", "50%25.db", "#1.db", "ä b&c.db"])
def test_any_name_will_do(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    Repository(str(path)).store.close()
    assert Repository(str(path)).store.setting("format") == "1"
    assert [one.name for one in tmp_path.iterdir() if "-" not in one.name] == [name]


def test_only_its_owner_may_read_it(file: str) -> None:
    Repository(file)
    assert os.stat(file).st_mode & 0o077 == 0
    assert os.stat(os.path.dirname(file)).st_mode & 0o077 == 0


def test_a_transaction_is_whole_or_nothing(file: str, item: Class) -> None:
    repository = Repository(file)

    def interrupted() -> None:
        with repository.store.writing():
            put(repository, item, 1)
            with repository.store.writing():
                put(repository, item, 2)
            raise InterruptedError

    with pytest.raises(InterruptedError):
        interrupted()
    assert ids(repository, item) == []
    put(repository, item, 3)
    assert ids(repository, item) == [3]


def test_the_index_finds_and_forgets(file: str, item: Class) -> None:
    repository = Repository(file)
    for number in range(600):
        put(repository, item, number, number % 3)
    assert ids(repository, item, Group=1) == list(range(1, 600, 3))
    put(repository, item, 1, 2)
    assert 1 not in ids(repository, item, Group=1)
    assert repository.delete_instance(NAMESPACE, "Item", root="item", ident=".ID=4")
    assert not repository.delete_instance(NAMESPACE, "Item", root="item", ident=".ID=4")
    assert 4 not in ids(repository, item, Group=1)
    repository.delete_class(NAMESPACE, "Item")
    assert repository.store.rows("SELECT count(*) FROM value") == [(0,)]


@pytest.mark.req("B-01")
def test_a_namespace_goes_with_everything_below(file: str, item: Class) -> None:
    repository = Repository(file)
    for path in ("root\\a", "root\\a\\b", "root\\ab"):
        repository.add_namespace(path)
        repository.put_class(path, item.declaration)
    repository.delete_namespace("ROOT\\A")
    assert repository.namespaces() == ["root\\ab"]
    assert repository.store.rows("SELECT count(*) FROM class") == [(1,)]


def test_threads_read_while_one_writes(file: str, item: Class) -> None:
    repository = Repository(file)
    done = threading.Event()
    torn: list[int] = []

    def read() -> None:
        while not done.is_set():
            count = len(repository.store.rows("SELECT id FROM instance"))
            if count % 10:
                torn.append(count)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for start in range(0, 100, 10):
        with repository.store.writing():
            for number in range(start, start + 10):
                put(repository, item, number)
    done.set()
    for reader in readers:
        reader.join()
    assert torn == []


WRITER = """
import sys
from openwmi.model.classes import derive
from openwmi.mof import class_declarations
from openwmi.repository.repository import Repository
repository = Repository(sys.argv[1])
item = derive(next(iter(class_declarations({mof!r}))), None)
first, count = int(sys.argv[2]), int(sys.argv[3])
for number in range(first, first + count):
    with repository.store.writing():
        for half in (0, 1):
            one = item.spawn({{"Id": 2 * number + half, "Group": 0, "Text": "t" * 500}})
            repository.put_instance({namespace!r}, one, root="item", ident=f".ID={{2 * number + half}}", indexed={{}})
    print(number, flush=True)
"""


def writer(file: str, first: int, count: int) -> subprocess.Popen[str]:
    program = WRITER.format(mof=MOF, namespace=NAMESPACE)
    return subprocess.Popen(
        [sys.executable, "-c", program, file, str(first), str(count)], stdout=subprocess.PIPE, text=True
    )


@pytest.mark.slow
@pytest.mark.req("C-46")
def test_a_writer_that_is_killed_leaves_only_whole_transactions(file: str, item: Class, deep: bool) -> None:
    Repository(file).store.close()
    for round_ in range(500 if deep else 3):
        process = writer(file, round_ * 10_000, 10_000)
        assert process.stdout is not None
        said = [int(process.stdout.readline()) for _ in range(1 + round_ % 7)]
        process.send_signal(signal.SIGKILL)
        said += [int(line) for line in process.stdout.read().split("\n") if line]
        process.wait()
        process.stdout.close()
        repository = Repository(file)
        assert repository.store.check() == []
        there = set(ids(repository, item))
        assert {2 * number for number in said} <= there, "what was said to be stored is stored"
        assert all(number ^ 1 in there for number in there), "no half of a transaction"
        repository.store.close()


@pytest.mark.slow
def test_processes_write_to_one_store(file: str, item: Class) -> None:
    Repository(file).store.close()
    writers = [writer(file, first, 20) for first in (0, 1000, 2000)]
    for process in writers:
        process.communicate(timeout=60)
        assert process.returncode == 0
    assert len(ids(Repository(file), item)) == 120


def test_a_process_hears_what_others_commit(file: str, item: Class) -> None:
    here = SharedRepository(file)
    heard: list[Change] = []
    here.listen(heard.append)
    assert here.existing is None
    other = Repository(file)
    other.put_class(NAMESPACE, item.declaration)
    here.refresh()
    assert [change.kind for change in heard] == ["gap"], "what was there when it was opened"
    heard.clear()
    put(other, item, 1)
    put(other, item, 1, text="new")
    other.delete_instance(NAMESPACE, "Item", root="item", ident=".ID=1")
    here.refresh()
    here.refresh()
    assert [change.kind for change in heard] == ["instance+", "instance~", "instance-"]
    assert heard[0].before is None
    assert heard[1].before is not None
    assert '"new"' in (heard[2].before or "")


def test_the_log_is_bounded_and_a_gap_is_told(file: str, item: Class) -> None:
    here = SharedRepository(file)
    here.opened()
    here.refresh()
    heard: list[str] = []
    here.listen(lambda change: heard.append(change.kind))
    other = Repository(file)
    with other.store.writing() as connection:
        for _ in range(KEPT_CHANGES + 2000):
            connection.execute("INSERT INTO change (namespace, kind, class) VALUES ('n', 'class~', 'c')")
        connection.execute("DELETE FROM change WHERE sequence <= 2000")
    here.refresh()
    assert heard[0] == "gap"
    assert len(heard) == KEPT_CHANGES + 1


def test_a_damaged_file_is_refused_with_a_clear_code(file: str) -> None:
    Repository(file).store.close()
    Path(file).write_bytes(b"not a database at all, but long enough to look at" * 100)
    with pytest.raises(WbemError) as caught:
        Repository(file)
    assert caught.value.code == s.WBEM_E_CRITICAL_ERROR


def test_another_format_is_refused(file: str) -> None:
    repository = Repository(file)
    repository.store.set("format", "999")
    repository.store.close()
    with pytest.raises(WbemError) as caught:
        Repository(file)
    assert caught.value.code == s.WBEM_E_DATABASE_VER_MISMATCH


def test_an_object_that_cannot_be_read_is_an_error(file: str, item: Class) -> None:
    repository = Repository(file)
    put(repository, item, 1)
    with repository.store.writing() as connection:
        connection.execute("UPDATE instance SET body = '{'")
    with pytest.raises(WbemError) as caught:
        ids(repository, item)
    assert caught.value.code == s.WBEM_E_CRITICAL_ERROR


def test_backup_while_in_use(file: str, item: Class, tmp_path: Path) -> None:
    repository = Repository(file)
    put(repository, item, 1)
    target = str(tmp_path / "copy.db")
    repository.store.backup(target)
    put(repository, item, 2)
    assert ids(Repository(target), item) == [1]
    assert os.stat(target).st_mode & 0o077 == 0


def test_check_finds_damage(file: str, item: Class) -> None:
    repository = Repository(file)
    assert repository.store.check() == []
    put(repository, item, 1, 5)
    repository.store.close()
    raw = sqlite3.connect(file)
    raw.execute("DELETE FROM instance")
    raw.commit()
    raw.close()
    assert Repository(file).store.check() != []


def test_a_store_in_memory(item: Class) -> None:
    repository = Repository(":memory:")
    put(repository, item, 1)
    seen: list[list[int]] = []
    thread = threading.Thread(target=lambda: seen.append(ids(repository, item)))
    thread.start()
    thread.join()
    assert seen == [[1]]
    assert ids(Repository(":memory:"), item) == []


def test_the_connection_of_a_thread_ends_with_it(file: str, item: Class) -> None:
    repository = Repository(file)
    put(repository, item, 1)
    for _ in range(20):
        thread = threading.Thread(target=lambda: ids(repository, item))
        thread.start()
        thread.join()
    opened = [
        one for one in Path("/proc/self/fd").iterdir() if os.path.realpath(one) == os.path.realpath(file)
    ]
    assert len(opened) <= 4


def test_closing_waits_for_nobody_and_fails_nobody_in_an_ugly_way(file: str, item: Class) -> None:
    """A thread that reads while the store is closed gets an error, or what it asked for; never a crash."""
    repository = Repository(file)
    with repository.store.writing():
        for number in range(2000):
            put(repository, item, number)
    started = threading.Barrier(5)
    codes: list[int] = []

    def read() -> None:
        started.wait()
        try:
            while True:
                ids(repository, item)
        except WbemError as reason:
            codes.append(reason.code)

    readers = [threading.Thread(target=read) for _ in range(4)]
    for one in readers:
        one.start()
    started.wait()
    repository.store.close()
    for one in readers:
        one.join(10)
    assert codes == [s.WBEM_E_CRITICAL_ERROR] * 4


@pytest.mark.slow
def test_a_program_that_ends_leaves_one_file_behind(tmp_path: Path) -> None:
    program = """
from openwmi import mof, sync
with sync.connect(r"root/default") as wmi:
    mof.compile("class Left { [key] uint32 Id; }; instance of Left { Id = 1; };", wmi)
    print(len(wmi.query("SELECT * FROM Left").fetch_all()))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "OPENWMI_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("1\n", "")
    assert [one.name for one in tmp_path.iterdir() if one.name.startswith("repository.db")] == [
        "repository.db"
    ]


def test_an_enumeration_is_of_one_moment(file: str, item: Class) -> None:
    """Portions are read while another thread changes all and deletes all, each in one transaction."""
    repository = Repository(file)
    with repository.store.writing():
        for number in range(1000):
            put(repository, item, number, text="old")
    reading = repository.instances(NAMESPACE, item, lambda _: None)
    seen = [next(reading).Text]
    changer = threading.Thread(target=lambda: change_all(repository, item))
    changer.start()
    changer.join()
    seen += [one.Text for one in reading]
    assert seen == ["old"] * 1000
    reading = repository.instances(NAMESPACE, item, lambda _: None)
    seen = [next(reading).Text]
    deleter = threading.Thread(target=lambda: repository.delete_class(NAMESPACE, "Item"))
    deleter.start()
    deleter.join()
    seen += [one.Text for one in reading]
    assert seen == ["new"] * 1000
    assert ids(repository, item) == []


def change_all(repository: Repository, class_: Class) -> None:
    with repository.store.writing():
        for number in range(1000):
            put(repository, class_, number, text="new")


def test_a_snapshot_that_lasts_too_long_gives_way(
    file: str, item: Class, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr("openwmi.repository.store.monotonic", lambda: now[0])
    repository = Repository(file)
    with repository.store.writing():
        for number in range(1000):
            put(repository, item, number, text="old")
    reading = repository.instances(NAMESPACE, item, lambda _: None)
    seen = [next(reading).Text]
    change_all(repository, item)
    now[0] += SNAPSHOT_SECONDS
    seen += [one.Text for one in reading]
    assert seen[:256] == ["old"] * 256
    assert seen[256:] == ["new"] * 744
    repository.store.connection.execute("PRAGMA busy_timeout = 0")
    ((busy, _, _),) = repository.store.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    assert not busy, "nothing holds the log"


def test_snapshots_do_not_pile_up_connections(file: str, item: Class) -> None:
    repository = Repository(file)
    put(repository, item, 1)
    for _ in range(100):
        assert ids(repository, item) == [1]
    unread = [repository.instances(NAMESPACE, item, lambda _: None) for _ in range(20)]
    for one in unread:
        next(one)
    del unread, one
    assert len(repository.store._kept) <= KEPT_CONNECTIONS
    repository.store.close()
    opened = [
        one for one in Path("/proc/self/fd").iterdir() if os.path.realpath(one) == os.path.realpath(file)
    ]
    assert opened == []


def test_a_store_in_memory_is_read_whole(item: Class) -> None:
    repository = Repository(":memory:")
    with repository.store.writing():
        for number in range(1000):
            put(repository, item, number, text="old")
    reading = repository.instances(NAMESPACE, item, lambda _: None)
    seen = [next(reading).Text]
    change_all(repository, item)
    assert seen + [one.Text for one in reading] == ["old"] * 1000
