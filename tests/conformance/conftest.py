"""The seam under test: each test is a coroutine that runs on the loop of the services it is given."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import pytest
from tests.conformance.support import Seam
from tests.conformance.wire import KerberosSeam, PolledSeam, PushedSeam, Serving, WireSeam, serving
from tests.kerberos_kit import Kdc, kdc

from openwmi import host

__all__ = ["kdc"]
FACTORIES: dict[str, type[Seam]] = {
    "embedded": Seam,
    "pushed": PushedSeam,
    "polled": PolledSeam,
    "kerberos": KerberosSeam,
}


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
def kerberos_server(machine: host.Host, kdc: Kdc) -> Iterator[Serving]:
    """One with a keytab."""
    with serving(machine, kdc) as made:
        yield made


@pytest.fixture(params=FACTORIES)
def seam(request: pytest.FixtureRequest, machine: host.Host) -> Seam:
    """The Services under test, reached in every way there is."""
    factory = FACTORIES[request.param]
    if issubclass(factory, WireSeam):
        kind = "kerberos_server" if factory is KerberosSeam else "server"
        return factory(machine, request.getfixturevalue(kind))
    return factory(machine)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run the tests that are coroutines on the loop of their seam."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    arguments = {name: pyfuncitem.funcargs[name] for name in names}
    pyfuncitem.funcargs["seam"].run(pyfuncitem.obj, arguments)
    return True
