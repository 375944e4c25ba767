"""CIM_DataFile: what a file shows, how it is found, and how far a question without a name goes."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from tests.providers.questions import GUEST, OWNER, Ask, check_types, request

from openwmi.contract.provider import Condition
from openwmi.model import status as s
from openwmi.model.errors import WbemError
from openwmi.providers.datafile import DataFiles, exact, mount_of
from openwmi.providers.linux.clock import datetime_text
from openwmi.providers.linux.host import Host
from openwmi.providers.linux.statx import Extra, extra

LookUp = Callable[..., dict[str, object] | None]
Tree = Callable[[Mapping[str, str | bytes]], Path]
MOUNTS = """
22 1 8:1 / / rw - ext4 /dev/sda1 rw
23 22 8:17 / /data rw - xfs /dev/sdb1 rw
24 22 0:21 / /proc rw - proc proc rw
"""


@pytest.mark.req("G-45", "G-02", "G-04")
def test_every_property_of_a_file(look_up: LookUp, tmp_path: Path) -> None:
    path = tmp_path / ".report.v2.txt"
    path.write_text("12345")
    path.chmod(0o640)
    os.utime(path, ns=(1_700_000_000_123_456_789, 1_700_000_001_987_654_321))
    found = look_up("CIM_DataFile", Name=str(path))
    assert found is not None
    check_types("CIM_DataFile", [found])
    born = found.pop("CreationDate")
    mount = max(
        (one for one in Host().mounts if str(path).startswith(one.point)), key=lambda one: len(one.point)
    )
    null = {name for name, value in found.items() if value is None} - {
        "Compressed",
        "Encrypted",
        "InstallDate",
    }
    assert null == {
        *("AccessMask", "Archive", "CompressionMethod", "EightDotThreeFileName", "EncryptionMethod"),
        *("InUseCount", "Manufacturer", "System", "Version"),
    }
    assert found.pop("InstallDate") == born
    assert {
        name: value for name, value in found.items() if name not in (*null, "Compressed", "Encrypted")
    } == {
        "CSCreationClassName": "Win32_ComputerSystem",
        "CSName": Host().name,
        "Caption": str(path),
        "CreationClassName": "CIM_DataFile",
        "Description": str(path),
        "Drive": mount.point,
        "Extension": "txt",
        "FSCreationClassName": "Win32_FileSystem",
        "FSName": mount.kind,
        "FileName": ".report.v2",
        "FileSize": 5,
        "FileType": "File",
        "Hidden": True,
        "LastAccessed": datetime_text(1_700_000_000, 123_456),
        "LastModified": datetime_text(1_700_000_001, 987_654),
        "Name": str(path),
        "Path": f"{tmp_path}/",
        "Readable": True,
        "Status": "OK",
        "Writeable": True,
    }


@pytest.mark.req("G-45")
def test_when_a_file_was_made_is_what_the_file_system_says(tmp_path: Path) -> None:
    import subprocess

    path = tmp_path / "file"
    path.touch()
    told = subprocess.run(["stat", "-c", "%W", path], check=True, capture_output=True, text=True).stdout
    born = extra(os.fsencode(path)).born
    assert (0 if born is None else born // 1_000_000_000) == int(told)
    assert extra(b"/no such file") == Extra()


@pytest.mark.req("G-45")
@pytest.mark.parametrize(
    ("name", "stem", "extension", "hidden"),
    [
        ("a", "a", "", False),
        ("a.b", "a", "b", False),
        (".a", ".a", "", True),
        ("a.", "a", "", False),
        ("a.b.c", "a.b", "c", False),
    ],
)
def test_names(ask: Ask, tree: Tree, name: str, stem: str, extension: str, hidden: bool) -> None:
    root = tree({f"/d/{name}": ""})
    (found,) = ask("CIM_DataFile", "FileName", "Extension", "Hidden", root=root, Path="/d/")
    assert found == {"FileName": stem, "Extension": extension, "Hidden": hidden}


@pytest.mark.req("G-45")
def test_what_is_a_file(ask: Ask, tree: Tree) -> None:
    root = tree(
        {"/d/plain": "x", "/d/link": "->plain", "/d/dead": "->nowhere", "/d/aside": "->sub", "/d/sub/x": ""}
    )
    os.mkfifo(root / "d/pipe")
    with socket.socket(socket.AF_UNIX) as one:
        os.chdir(root)  # the address of a socket is short
        one.bind("d/socket")
    found = {
        row["Name"]: row["FileType"] for row in ask("CIM_DataFile", "Name", "FileType", root=root, Path="/d/")
    }
    assert found == {
        "/d/plain": "File",
        "/d/link": "File",
        "/d/dead": "Symbolic Link",
        "/d/pipe": "Pipe",
        "/d/socket": "Socket",
    }


@pytest.mark.req("G-45", "A-165")
def test_a_look_up_prefers_the_exact_name(look_up: LookUp, tree: Tree) -> None:
    root = tree({"/Etc/Readme": "1", "/Etc/README": "22", "/etc/other": "333"})

    def size(name: str) -> object:
        found = look_up("CIM_DataFile", "FileSize", root=root, Name=name)
        return None if found is None else found["FileSize"]

    assert (size("/Etc/Readme"), size("/Etc/README"), size("/etc/OTHER")) == (1, 2, 3)
    assert size("/ETC/other") == 3 or size("/ETC/other") is None
    assert size("/Etc/readme") == 2  # the first of the two, in the order of bytes
    assert (
        size("/Etc") is size("/Etc/none") is size("Etc/Readme") is size("") is size("/Etc/Readme\0") is None
    )
    assert size("/Etc/../Etc/Readme") == 1


@pytest.mark.req("G-45")
def test_a_name_that_is_no_text_is_shown_and_found_by_its_directory(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    with open(os.fsencode(tmp_path) + b"/d/a\xff", "wb"):
        pass
    (found,) = ask("CIM_DataFile", "Name", root=tmp_path, Path="/d/")
    assert found == {"Name": "/d/a\\xff"}


@pytest.mark.req("G-45", "G-20")
def test_the_drive_is_what_is_mounted_there(ask: Ask, tree: Tree) -> None:
    root = tree(
        {"/proc/self/mountinfo": MOUNTS, "/etc/a": "", "/data/b": "", "/database/c": "", "/data/d/e": ""}
    )
    host = Host(str(root))
    for path, point in ((b"/etc/a", "/"), (b"/data/b", "/data"), (b"/database/c", "/"), (b"/data", "/data")):
        mount = mount_of(host, path)
        assert mount is not None
        assert mount.point == point
    found = {row["Name"] for row in ask("CIM_DataFile", "Name", root=root, Drive="/data")}
    assert found == {"/data/b", "/data/d/e"}
    found = {row["Name"] for row in ask("CIM_DataFile", "Name", root=root, Drive="/")}
    assert found == {"/etc/a", "/database/c"}
    assert len(ask("CIM_DataFile", "Name", root=root)) == 4  # what is in /proc is none


@pytest.mark.req("G-45")
def test_a_question_for_everything_is_bounded(tree: Tree) -> None:
    root = tree({"/proc/self/mountinfo": MOUNTS, **{f"/many/{number:03}": "" for number in range(30)}})
    rows = DataFiles(str(root), limit=25).instances(request("CIM_DataFile", "Name"))
    assert len(list(islice(rows, 25))) == 25
    with pytest.raises(WbemError, match="more than 25 files") as refused:
        next(rows)
    assert refused.value.code == s.WBEM_E_TOO_MUCH_DATA
    question = request("CIM_DataFile", "Name", conditions=(Condition("Path", "=", "/many/"),))
    assert len(list(DataFiles(str(root), limit=25).instances(question))) == 30


@pytest.mark.req("G-66")
def test_callers_of_other_machines_see_none(ask: Ask, look_up: LookUp, tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    assert ask("CIM_DataFile", caller=OWNER, Path=f"{tmp_path}/")
    assert ask("CIM_DataFile", caller=GUEST, Path=f"{tmp_path}/") == []
    assert look_up("CIM_DataFile", caller=GUEST, Name=f"{tmp_path}/a") is None


def test_a_directory_that_is_not_there_has_no_files(ask: Ask, tmp_path: Path) -> None:
    assert ask("CIM_DataFile", Path=f"{tmp_path}/none/") == []
    assert ask("CIM_DataFile", Name=f"{tmp_path}/none/x") == []
    host: Any = Host(str(tmp_path))
    assert exact(host, "/none/x") is None


# Directories


@pytest.mark.req("G-45", "G-02")
def test_directories_are_instances_of_a_class_of_their_own(ask: Ask, look_up: LookUp, tree: Tree) -> None:
    mounts = {"/proc/self/mountinfo": MOUNTS}
    root = tree({**mounts, "/a/b/x": "", "/a/file": "", "/a/.c.d/y": "", "/link": "->a", "/data/e/z": ""})
    found = [row["Name"] for row in ask("Win32_Directory", "Name", root=root, Path="/a/")]
    assert found == ["/a/.c.d", "/a/b"]
    every = {row["Name"] for row in ask("Win32_Directory", "Name", root=root)}
    assert every == {"/", "/a", "/a/b", "/a/.c.d", "/link", "/data", "/data/e"}
    one = look_up("Win32_Directory", root=root, Name="/A/.C.D")
    assert one is not None
    check_types("Win32_Directory", [one])
    assert (one["Name"], one["Path"], one["FileName"], one["Extension"]) == ("/a/.c.d", "/a/", ".c", "d")
    assert (one["FileType"], one["FileSize"], one["Hidden"], one["Drive"]) == ("File Folder", None, True, "/")
    assert one["CreationClassName"] == "Win32_Directory"
    for name in ("/a/file", "/none", "a"):
        assert look_up("Win32_Directory", root=root, Name=name) is None
    linked = look_up("Win32_Directory", root=root, Name="/link")
    assert linked is not None
    top = look_up("Win32_Directory", root=root, Name="/")
    assert top is not None
    assert (top["Name"], top["Path"], top["FileName"]) == ("/", "/", "")
    assert ask("Win32_Directory", root=root, caller=GUEST, Path="/a/") == []
