"""The ten system properties of every object: names, types, and which a projection fills (model.md A8)."""

from __future__ import annotations

from typing import Final

from openwmi.model.cimtypes import ARRAY, CimType

# In the order that tools show them.
SYSTEM_TYPES: Final[dict[str, int]] = {
    "__GENUS": CimType.SINT32,
    "__CLASS": CimType.STRING,
    "__SUPERCLASS": CimType.STRING,
    "__DYNASTY": CimType.STRING,
    "__RELPATH": CimType.STRING,
    "__PROPERTY_COUNT": CimType.SINT32,
    "__DERIVATION": CimType.STRING | ARRAY,
    "__SERVER": CimType.STRING,
    "__NAMESPACE": CimType.STRING,
    "__PATH": CimType.STRING,
}
SYSTEM_NAMES: Final = tuple(SYSTEM_TYPES)

GENUS_CLASS: Final = 1
GENUS_INSTANCE: Final = 2

# What every projection still says about itself, and what ENSURE_LOCATABLE adds.
ALWAYS_SHOWN: Final = frozenset(("__GENUS", "__CLASS", "__PROPERTY_COUNT"))
LOCATION: Final = frozenset(("__RELPATH", "__PATH", "__SERVER", "__NAMESPACE"))


def full_path(server: str | None, namespace: str | None, relpath: str | None) -> str | None:
    r"""`\\SERVER\namespace:relpath` (A-172); None when a part of it is not known."""
    if relpath is None or namespace is None:
        return None
    return f"\\\\{server or '.'}\\{namespace}:{relpath}"
