"""The seam under test: each test is a coroutine that runs on the loop of the services it is given."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator

import pytest
from tests.conformance.support import Seam

from openwmi import host

FACTORIES: dict[str, Callable[[host.Host], Seam]] = {"embedded": Seam}


@pytest.fixture(scope="session")
def machine() -> Iterator[host.Host]:
    """A host of its own for the whole suite."""
    running = host.local(host.MEMORY)
    yield running
    running.shut_down()


@pytest.fixture(params=FACTORIES)
def services_factory(request: pytest.FixtureRequest) -> Callable[[host.Host], Seam]:
    """How the Services under test are reached. The remote client adds its own way here."""
    return FACTORIES[request.param]


@pytest.fixture
def seam(services_factory: Callable[[host.Host], Seam], machine: host.Host) -> Seam:
    return services_factory(machine)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run the tests that are coroutines on the loop of their seam."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    arguments = {name: pyfuncitem.funcargs[name] for name in names}
    pyfuncitem.funcargs["seam"].run(pyfuncitem.obj, arguments)
    return True
