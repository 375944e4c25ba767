"""The seam under test: each test is a coroutine that runs on the loop of the services it is given."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import pytest
from tests.conformance.support import Seam
from tests.conformance.wire import WAYS, Serving, Way, WireSeam, serving
from tests.kerberos_kit import Kdc, kdc

from openwmi import host

__all__ = ["kdc"]


@pytest.fixture(scope="session")
def machine() -> Iterator[host.Host]:
    """A host of its own for the whole suite."""
    running = host.local(host.MEMORY)
    yield running
    running.shut_down()


@pytest.fixture(scope="session")
def server(machine: host.Host) -> Iterator[Serving]:
    """A DCOM server before that host."""
    with serving(machine) as made:
        yield made


@pytest.fixture(scope="session")
def kerberized(machine: host.Host, kdc: Kdc) -> Iterator[Serving]:
    """Another one, with keys of its own in a realm."""
    with serving(machine, kdc) as made:
        yield made


def _seam(request: pytest.FixtureRequest, way: Way | None) -> Seam:
    machine = request.getfixturevalue("machine")
    if way is None:
        return Seam(machine)
    return WireSeam(machine, request.getfixturevalue("server" if way.auth == "ntlm" else "kerberized"), way)


@pytest.fixture(params=[None, *WAYS], ids=lambda way: "embedded" if way is None else str(way))
def seam(request: pytest.FixtureRequest) -> Seam:
    """The Services under test, reached in every way there is."""
    return _seam(request, request.param)


@pytest.fixture(params=WAYS, ids=str)
def wire(request: pytest.FixtureRequest) -> Seam:
    """The same, over the wire alone."""
    return _seam(request, request.param)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run the tests that are coroutines on the loop of their seam."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    arguments = {name: pyfuncitem.funcargs[name] for name in names}
    (seam,) = (one for one in arguments.values() if isinstance(one, Seam))
    seam.run(pyfuncitem.obj, arguments)
    return True
