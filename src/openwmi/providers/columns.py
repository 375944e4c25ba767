"""Rows from tables: what every family but processes is made of. A table says how each property is read.

A table maps the declared name of a property to a function of the thing that is read. What is not in the table is NULL.
Only the functions of the wanted columns run, so only the files that they need are opened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from openwmi.model.errors import error
from openwmi.model.status import WBEM_E_PROVIDER_NOT_CAPABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from openwmi.contract.provider import Request, Row

Thing = TypeVar("Thing")


def _null(thing: object) -> None:
    return None


def reader(
    table: Mapping[str, Callable[[Thing], object]], columns: tuple[str, ...]
) -> Callable[[Thing], Row]:
    """A function that reads the wanted columns of one thing."""
    functions = [table.get(name, _null) for name in columns]
    return lambda thing: tuple([function(thing) for function in functions])


def wanted(request: Request, name: str) -> str | None:
    """The text that a condition fixes a property to, or None: then all instances are wanted."""
    for condition in request.conditions:
        if condition.name == name and condition.op == "=" and isinstance(condition.value, str):
            return condition.value
    return None


def same(left: str, right: str) -> bool:
    """Equality as WMI sees it in keys and queries: letter case does not count (A-007)."""
    return left == right or left.upper() == right.upper() or left.lower() == right.lower()


def not_capable(request: Request, method: str) -> Exception:
    """The refusal of a method that Windows has and this host has not (G-60)."""
    return error(
        WBEM_E_PROVIDER_NOT_CAPABLE,
        f"{request.class_.name}.{method} is not available on this operating system",
    )


class Readable:
    """Base of the families whose instances can be read and nothing else."""

    def method(
        self, request: Request, method: str, keys: Mapping[str, object] | None, params: Mapping[str, object]
    ) -> Mapping[str, object]:
        raise not_capable(request, method)
