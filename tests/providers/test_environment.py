"""Win32_Environment: /etc/environment for everybody, the service's own variables for its own user."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.providers.questions import GUEST, Ask

ETC = '# comment\nPATH="/usr/bin:/bin"\nexport LANG=C.UTF-8\n\nEMPTY=\nnot an assignment\n'


@pytest.mark.req("G-39")
def test_system_variables_come_from_etc_environment(ask: Ask, tree: Callable[..., Path]) -> None:
    rows = ask("Win32_Environment", root=tree({"/etc/environment": ETC}), caller=GUEST)
    assert {row["Name"]: row["VariableValue"] for row in rows} == {
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "EMPTY": "",
    }
    assert {(row["UserName"], row["SystemVariable"]) for row in rows} == {("<SYSTEM>", True)}
    assert rows[0]["Caption"] == "<SYSTEM>\\PATH"


@pytest.mark.req("G-39")
def test_the_owner_sees_the_variables_of_this_process(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENWMI_PROBE", "a=b")
    rows = ask("Win32_Environment", Name="OPENWMI_PROBE")
    user = f"{os.uname().nodename.partition('.')[0].upper()}\\{pwd.getpwuid(os.geteuid()).pw_name}"
    assert [(row["VariableValue"], row["UserName"], row["SystemVariable"]) for row in rows] == [
        ("a=b", user, False)
    ]
    mine = {row["Name"] for row in ask("Win32_Environment") if not row["SystemVariable"]}
    assert mine == set(os.environ)


def test_a_remote_caller_does_not_see_the_services_own_variables(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENWMI_SECRET", "x")
    assert "OPENWMI_SECRET" not in {row["Name"] for row in ask("Win32_Environment", caller=GUEST)}


def test_a_value_that_is_not_utf_8(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environb, b"OPENWMI_RAW", b"\xff")
    assert [row["VariableValue"] for row in ask("Win32_Environment", Name="openwmi_raw")] == ["\\xff"]


def test_names_that_differ_in_case_are_two_variables(
    look_up: Callable[..., dict[str, object] | None], tree: Callable[..., Path]
) -> None:
    root = tree({"/etc/environment": "http_proxy=a\nHTTP_PROXY=b\n"})
    for name, value in (("http_proxy", "a"), ("HTTP_PROXY", "b"), ("Http_Proxy", "a")):
        found = look_up("Win32_Environment", "VariableValue", Name=name, UserName="<system>", root=root)
        assert found == {"VariableValue": value}
