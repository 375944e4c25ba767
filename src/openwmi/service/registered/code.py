"""From the text of a registration to running Python code, and which code may be run at all.

A registration is data: whoever may write to a namespace can write one, a remote administrator too. It must not be a way
to run code in the service. As on Windows, where a CLSID has to be registered with COM first, the code has to be
announced on the machine by other means: by an installed distribution's entry point, by the environment variable, or
by the program that runs the service. Nothing else is imported.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from openwmi.model.errors import error
from openwmi.model.status import WBEM_E_INITIALIZATION_FAILURE, WBEM_E_PROVIDER_LOAD_FAILURE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from openwmi.contract.provider import Initialization

# Packages and modules, separated by commas, whose classes registrations may name.
VARIABLE: Final = "OPENWMI_PROVIDER_MODULES"
# Distributions announce classes under this group, as `name = "package.module:Class"`.
ENTRY_POINTS: Final = "openwmi.providers"


def check_announced(module: str, class_name: str, announced: Iterable[str]) -> None:
    """Refuse code that nobody on this machine has announced: PROVIDER_LOAD_FAILURE."""
    listed = [*announced, *(one.strip() for one in os.environ.get(VARIABLE, "").split(","))]
    if any(one and f"{module}.".startswith(f"{one}.") for one in listed):
        return
    from importlib.metadata import entry_points

    wanted = f"{module}:{class_name}"
    if any(one.value.replace(" ", "") == wanted for one in entry_points(group=ENTRY_POINTS)):
        return
    raise error(
        WBEM_E_PROVIDER_LOAD_FAILURE,
        f"module {module} is not announced as a provider on this machine: its distribution needs an entry point in"
        f" {ENTRY_POINTS}, or {VARIABLE} has to name it",
        parameter=wanted,
    )


def load(module: str, class_name: str) -> type:
    """The class; PROVIDER_LOAD_FAILURE when importing fails or there is no such class."""
    wanted = f"{module}:{class_name}"
    try:
        __import__(module)
        found = getattr(sys.modules[module], class_name)
    except Exception as failure:  # a module may raise anything
        what = f"{type(failure).__name__}: {failure}"
        raise error(
            WBEM_E_PROVIDER_LOAD_FAILURE, f"{wanted} cannot be loaded: {what:.500}", parameter=wanted
        ) from failure
    if not isinstance(found, type):
        raise error(WBEM_E_PROVIDER_LOAD_FAILURE, f"{wanted} is not a class", parameter=wanted)
    return found


def initialized(class_: type, initialization: Initialization) -> Any:
    """A new object of a provider class, told where it is; whatever it raises is INITIALIZATION_FAILURE (F-02, F-06)."""
    with _initializing(initialization):
        made = class_()
    return told(made, initialization)


def told(provider: Any, initialization: Initialization) -> Any:
    """A provider object, told where it is; whatever it raises is INITIALIZATION_FAILURE."""
    with _initializing(initialization):
        if (initialize := getattr(provider, "initialize", None)) is not None:
            initialize(initialization)
    return provider


@contextmanager
def _initializing(initialization: Initialization) -> Iterator[None]:
    try:
        yield
    except Exception as failure:
        what = f"{type(failure).__name__}: {failure}"
        raise error(
            WBEM_E_INITIALIZATION_FAILURE,
            f"provider {initialization.name} could not be initialized: {what:.500}",
            parameter=initialization.name,
        ) from failure
