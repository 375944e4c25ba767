"""The exceptions under their public names: `openwmi.errors.NotFound`, one class for each WBEM_E_ code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openwmi.model import errors as _errors

if TYPE_CHECKING:
    from openwmi.model.errors import *  # noqa: F403


def __getattr__(name: str) -> Any:
    """The classes come into being when they are first named."""
    return getattr(_errors, name)


def __dir__() -> list[str]:
    return dir(_errors)
