"""Win32_Environment on Linux: the variables of /etc/environment and those of this program's own user (G-39).

System variables are what /etc/environment gives to every session; their UserName is "<SYSTEM>". The other ones are the
environment of this process, shown under HOST\\user to callers of this machine only: an environment may hold secrets.

NULL always: InstallDate.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from openwmi.providers.columns import Readable, reader, same, wanted
from openwmi.providers.linux.control import user_name
from openwmi.providers.linux.files import assignments, text
from openwmi.providers.linux.host import Host

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from openwmi.contract.provider import Request, Row

_SYSTEM = "<SYSTEM>"


class Variable(NamedTuple):
    """A variable, its value, and the account it belongs to."""

    name: str
    value: str
    user: str


class Environment(Readable):
    """The variables of the host whose file tree begins at `root`."""

    def __init__(self, root: str = "") -> None:
        self._root = root

    def instances(self, request: Request) -> Iterator[Row]:
        name = wanted(request, "Name")
        found = (
            variable for variable in self._variables(request) if name is None or same(variable.name, name)
        )
        yield from map(reader(COLUMNS, request.columns), found)

    def instance(self, request: Request, keys: Mapping[str, object]) -> Row | None:
        """The variable of that name; one that differs in letter case only when there is no exact one (G-45)."""
        name, user = str(keys.get("Name")), str(keys.get("UserName"))
        found = [one for one in self._variables(request) if same(one.name, name) and same(one.user, user)]
        found.sort(key=lambda variable: variable.name != name)
        return reader(COLUMNS, request.columns)(found[0]) if found else None

    def _variables(self, request: Request) -> Iterator[Variable]:
        for name, value in assignments(f"{self._root}/etc/environment").items():
            yield Variable(name, value, _SYSTEM)
        if not request.caller.remote:
            user = f"{Host(self._root).name}\\{user_name(os.geteuid())}"
            for raw_name, raw_value in sorted(os.environb.items()):
                yield Variable(text(raw_name), text(raw_value), user)


def _caption(variable: Variable) -> str:
    return f"{variable.user}\\{variable.name}"


COLUMNS: dict[str, Callable[[Variable], object]] = {
    "Caption": _caption,
    "Description": _caption,
    "Name": lambda variable: variable.name,
    "Status": lambda variable: "OK",
    "SystemVariable": lambda variable: variable.user == _SYSTEM,
    "UserName": lambda variable: variable.user,
    "VariableValue": lambda variable: variable.value,
}
family = Environment
