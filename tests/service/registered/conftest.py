"""A host of its own, and registrations as MOF."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from tests.service.conftest import Running
from tests.service.registered import samples

from openwmi import host, mof

SAMPLES = "tests.service.registered.samples"
INSTANCES = "__InstanceProviderRegistration"
ALL = "SupportsGet = TRUE; SupportsEnumeration = TRUE; SupportsPut = TRUE; SupportsDelete = TRUE;"
_numbers = itertools.count(1)


class Registered(Running):
    """A running host, and what a test registers with it."""

    def compile(self, text: str, namespace: str = "root\\default") -> None:
        self.host.portal.submit(mof.compile, text, self.connect(namespace)).result(10)

    def register(
        self,
        code: str = "Things",
        registrations: str = f"instance of {INSTANCES} {{ provider = $P; {ALL} }};",
        *,
        more: str = "",
        clsid: str | None = None,
        namespace: str = "root\\default",
    ) -> str:
        """A class served by a provider of `samples`, registered under the class's name; that name.

        more: members of the __Win32Provider instance.
        """
        name = f"Registered{next(_numbers)}"
        clsid = f"python:{SAMPLES}:{code}" if clsid is None else clsid
        self.compile(
            f"""
            instance of __Win32Provider as $P {{ Name = "{name}"; CLSID = "{clsid}"; {more} }};
            {registrations}
            [dynamic, provider("{name}")] class {name} {{
                [key] uint32 Number; string Name; string Owner; uint32 Pid; uint32 Values[];
                [implemented, static] uint32 Say([in] string Text, [out] string Reply);
            }};
            """,
            namespace,
        )
        return name

    def set(self, name: str, namespace: str = "root\\default", **values: Any) -> None:
        """Change the __Win32Provider instance of that name."""
        from openwmi.contract import operations as ops

        services = self.connect(namespace)
        (old,) = self.collect(ops.GetObject(f'__Win32Provider="{name}"'), services=services).objects
        assert self.status(ops.PutInstance(old.with_(values)), services=services) == 0


@pytest.fixture(scope="module")
def registered() -> Iterator[Registered]:
    host.announce(SAMPLES)
    samples.GATE.clear()
    here = Registered()
    here.cimv2 = here.connect("root\\default")  # the namespace of these tests
    yield here
    samples.GATE.set()
    here.host.shut_down()


@pytest.fixture
def log() -> Iterator[list[tuple[Any, ...]]]:
    """What providers of this process have noted down."""
    samples.LOG.clear()
    yield samples.LOG
    samples.LOG.clear()
