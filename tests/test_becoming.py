"""Becoming a user for good: really done by root, in processes of their own that then look at what they are."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.req("calls:A18"),
    pytest.mark.skipif(
        os.geteuid() != 0, reason="becoming another user needs root: run the tests as root, as CI does"
    ),
]

# As a process that the service starts: it has groups, and what it has started can gain nothing yet.
BEFORE = """
import json, os, sys
from openwmi.becoming import become
os.setgroups([4, 24, 27])
uid, gid, groups = json.loads(sys.argv[1])
"""
# Capabilities are not lost with the number of root (capabilities(7)): a service may be started so.
KEEPING = """
import ctypes
assert ctypes.CDLL(None).prctl(28, 4, 0, 0, 0) == 0  # PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP
"""
TELL = """
def tried(way):
    try:
        way()
    except OSError as reason:
        return reason.errno
    return None
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(json.dumps({
    "uids": os.getresuid(), "gids": os.getresgid(), "groups": sorted(os.getgroups()),
    "capabilities": [int(status[one], 16) for one in ("CapInh", "CapPrm", "CapEff", "CapAmb")],
    "gains": status["NoNewPrivs"].strip(),
    "back": [
        tried(lambda: os.setresuid(-1, 0, -1)), tried(lambda: os.setuid(0)), tried(lambda: os.setgid(0)),
        tried(lambda: os.setresgid(-1, 0, -1)), tried(lambda: os.setgroups([0])),
        tried(lambda: os.kill(os.getppid(), 0)), tried(lambda: open("/etc/shadow")),
    ],
}))
"""


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def became(uid: int, gid: int, groups: list[int]) -> dict[str, Any]:
    done = run(f"{BEFORE}\nbecome(uid, gid, groups)\n{TELL}", json.dumps([uid, gid, groups]))
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return said


@pytest.mark.parametrize("groups", [[], [1, 2]])
def test_nothing_of_root_is_left_and_there_is_no_way_back(groups: list[int]) -> None:
    nobody = pwd.getpwnam("nobody")
    found = became(nobody.pw_uid, nobody.pw_gid, groups)
    assert found["uids"] == [nobody.pw_uid] * 3
    assert found["gids"] == [nobody.pw_gid] * 3
    assert found["groups"] == groups, "and none of the service's"
    assert found["capabilities"] == [0] * 4
    assert found["gains"] == "1"
    assert None not in found["back"]


def test_who_becomes_root_is_root_with_its_groups_alone() -> None:
    found = became(0, 0, [0])
    assert (found["uids"], found["gids"], found["groups"]) == ([0] * 3, [0] * 3, [0])
    assert found["gains"] == "1"


def test_a_way_back_is_found_and_refused() -> None:
    done = run(f"{BEFORE}{KEEPING}\nbecome(uid, gid, groups)", json.dumps([65534, 65534, []]))
    assert "could not become user 65534 for good" in done.stderr
    assert done.returncode == 1


def test_one_that_is_not_root_can_only_be_itself() -> None:
    other = "import ctypes; os.setgid(65534); os.setuid(65534)\n"  # whose files may be out of reach then
    done = run(f"{BEFORE}{other}become(uid, gid, groups); print('still')", json.dumps([65534, 65534, []]))
    assert done.stdout == "still\n"
    done = run(f"{BEFORE}{other}become(uid, gid, groups)", json.dumps([65533, 65534, []]))
    assert "could not become user 65533" in done.stderr


# Who uses it

HELPER = """
from openwmi.consumers.acting import User
from openwmi.consumers.helper import append_as
from openwmi.model.errors import WbemError
import json, sys
path, uid = json.loads(sys.argv[1])
try:
    append_as(User("somebody", uid, uid, (), "/"), path, ["line"], limit=0, wide=False)
except WbemError as failure:
    print(failure.symbol, failure.message)
"""
SCRIPT = """
import json, os, subprocess, sys
from openwmi.consumers.helper import ROOT
from openwmi.consumers.script import BOOTSTRAP
uid, script = json.loads(sys.argv[1])
given = {"script": script, "file": None, "user": ["somebody", uid, uid, [], "/"], "event": None}
done = subprocess.run([sys.executable, "-I", "-S", "-c", BOOTSTRAP, ROOT], input=json.dumps(given), text=True)
sys.exit(done.returncode)
"""
HOSTED = """
import json, sys
from openwmi.service.registered.hosted import _act_as, _become
account, = json.loads(sys.argv[1])
(_act_as if account.startswith("unix:") else _become)(account)
"""


def test_the_helper_of_log_files_refuses_to_be_half_of_each(tmp_path: Path) -> None:
    file = tmp_path / "log"
    done = run(KEEPING + HELPER, json.dumps([str(file), 65534]))
    assert done.stdout.startswith("WBEM_E_ACCESS_DENIED the service cannot act as"), done.stderr
    assert not file.exists()


def test_a_script_is_its_user_for_good() -> None:
    done = run(SCRIPT, json.dumps([65534, "import json, os, sys\n" + TELL]))
    found = json.loads(done.stdout)
    assert (found["uids"], found["gids"], found["groups"]) == ([65534] * 3, [65534] * 3, [])
    assert found["gains"] == "1"
    assert None not in found["back"]


def test_a_script_does_not_run_where_there_is_a_way_back() -> None:
    done = run(KEEPING + SCRIPT, json.dumps([65534, "print('ran')"]))
    assert "PermissionError" in done.stderr
    assert (done.stdout, done.returncode) == ("", 1)


def test_a_script_sees_nothing_of_the_program_that_runs_it() -> None:
    script = "import sys; print(sys.argv, [one for one in sys.path if 'openwmi' in one or 'site' in one])"
    assert run(SCRIPT, json.dumps([65534, script])).stdout == "['-c'] []\n"


@pytest.mark.parametrize("account", ["NetworkService", "LocalService", "unix:nobody:65534:65534:"])
def test_a_host_process_ends_where_there_is_a_way_back(account: str) -> None:
    from openwmi.service.registered.hosted import NOT_THE_USER

    assert run(HOSTED, json.dumps([account])).returncode == 0
    assert run(KEEPING + HOSTED, json.dumps([account])).returncode == NOT_THE_USER
