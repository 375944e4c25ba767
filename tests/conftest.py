"""What every test shares: hypothesis profiles, the deep switch, a store of its own, the session's record."""

from __future__ import annotations

import gc
import json
import os
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent
DEEP = os.environ.get("OPENWMI_DEEP") == "1"
SLOW_SECONDS = 0.25
NO_REALM = "[libdefaults]\n dns_lookup_kdc = false\n dns_lookup_realm = false\n"

# `slice` is the same on every run and small; `deep` is random and as large as a night allows.
settings.register_profile(
    "slice",
    max_examples=25,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "deep", max_examples=2_000, print_blob=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("deep" if DEEP else "slice"))


@pytest.fixture(scope="session")
def deep() -> bool:
    """True under `./test --deep`."""
    return DEEP


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real-world data beside the project; the test is skipped where it is not there."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the shared data folder is not here")
    return folder


@pytest.fixture(scope="session", autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test reads or writes the store of the person who runs it, or the Kerberos tickets, or asks that person's realm
    for one; child processes inherit this."""
    home = tmp_path_factory.mktemp("home")
    os.environ["OPENWMI_HOME"] = str(home)
    kerberos = tmp_path_factory.mktemp("kerberos")
    (kerberos / "krb5.conf").write_text(NO_REALM)
    os.environ["KRB5_CONFIG"] = str(kerberos / "krb5.conf")
    os.environ["KRB5CCNAME"] = f"FILE:{kerberos / 'tickets'}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests marked `deep` wait for `./test --deep`."""
    if DEEP:
        return
    wait = pytest.mark.skip(reason="runs with ./test --deep")
    for item in items:
        if item.get_closest_marker("deep"):
            item.add_marker(wait)


def pytest_collection_finish() -> None:
    """What has been imported and collected by now stays to the end: no collection of garbage looks at it again."""
    gc.collect()
    gc.freeze()


def pytest_configure(config: pytest.Config) -> None:
    """Start the session's record."""
    config.pluginmanager.register(Record(), "openwmi-record")


class Record:
    """Which requirements the tests of this session name, how those tests ended, and how long tests took.

    With OPENWMI_RECORD=FILE the record is written there as JSON: {"collected": {id: [test, ...]},
    "passed": [test, ...], "failed": [...], "skipped": [...], "deep": [...]}. `tools/requirements.py` reads it.
    A test is a function: the variants of a parametrised one are one test, and one failing variant fails it.
    """

    def __init__(self) -> None:
        self.collected: defaultdict[str, set[str]] = defaultdict(set)
        self.deep: set[str] = set()
        self.passed: set[str] = set()
        self.failed: set[str] = set()
        self.skipped: set[str] = set()
        self.slow_marked: set[str] = set()
        self.too_slow: dict[str, float] = {}

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        for item in session.items:
            test = function_of(item.nodeid)
            for marker in item.iter_markers("req"):
                for requirement in marker.args:
                    self.collected[requirement].add(test)
            if item.get_closest_marker("deep"):
                self.deep.add(test)
            if item.get_closest_marker("slow") or item.get_closest_marker("deep"):
                self.slow_marked.add(test)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        test = function_of(report.nodeid)
        if report.failed:
            self.failed.add(test)
        elif report.skipped:
            self.skipped.add(test)
        elif report.when == "call" and report.passed and not hasattr(report, "wasxfail"):
            self.passed.add(test)
        if report.when == "call" and report.duration > SLOW_SECONDS and test not in self.slow_marked:
            self.too_slow[test] = max(report.duration, self.too_slow.get(test, 0.0))

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if not self.too_slow:
            return
        terminalreporter.section(f"over {SLOW_SECONDS} s and not marked slow")
        for test, seconds in sorted(self.too_slow.items(), key=lambda pair: -pair[1])[:25]:
            terminalreporter.line(f"{seconds:7.2f} s  {test}")

    def pytest_sessionfinish(self) -> None:
        target = os.environ.get("OPENWMI_RECORD")
        if not target:
            return
        record = {
            "collected": {name: sorted(tests) for name, tests in sorted(self.collected.items())},
            "passed": sorted(self.passed - self.failed),
            "failed": sorted(self.failed),
            "skipped": sorted(self.skipped - self.passed),
            "deep": sorted(self.deep),
        }
        Path(target).write_text(json.dumps(record, indent=1), encoding="utf-8")


def function_of(nodeid: str) -> str:
    """The test function of a node ID: without the parameters in brackets."""
    return nodeid.split("[", 1)[0]
