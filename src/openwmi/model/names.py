"""Names of classes, members and namespaces: what is well-formed, and the code for what is not (model.md A4)."""

from __future__ import annotations

from typing import Final

from openwmi.model.errors import error
from openwmi.model.status import (
    WBEM_E_INVALID_NAMESPACE,
    WBEM_E_INVALID_OBJECT,
    WBEM_E_INVALID_OPERATION,
    WBEM_E_INVALID_PARAMETER,
    WBEM_E_METHOD_NAME_TOO_WIDE,
    WBEM_E_PROPERTY_NAME_TOO_WIDE,
    WBEM_E_QUALIFIER_NAME_TOO_WIDE,
    WBEM_E_QUOTA_VIOLATION,
)

# What every machine calls itself, besides its own name.
_ITSELF: Final = frozenset((".", "localhost", "127.0.0.1", "::1"))

MAX_NAME: Final = 255
MAX_PATH: Final = 0x2000
MAX_NESTING: Final = 64
MAX_PROPERTIES: Final = 1024
MAX_KEYS: Final = 256

_TOO_WIDE: Final = {
    "property": WBEM_E_PROPERTY_NAME_TOO_WIDE,
    "method": WBEM_E_METHOD_NAME_TOO_WIDE,
    "qualifier": WBEM_E_QUALIFIER_NAME_TOO_WIDE,
}


def is_identifier(name: str) -> bool:
    """A letter or underscore, then letters, digits and underscores, of any script (as Python's identifiers are)."""
    return name.isidentifier()


def check_class_name(name: str, *, system: bool = True) -> None:
    """Raise what a put of a class with this name raises (A-061, A-062). `system`: names with two underscores pass."""
    if len(name) > MAX_NAME:
        raise error(WBEM_E_QUOTA_VIOLATION, f"a class name has at most {MAX_NAME} characters", parameter=name)
    if name.startswith("_") and not (system and name.startswith("__") and len(name) > 2):
        message = f"class {name}: names that begin with an underscore are reserved"
        raise error(WBEM_E_INVALID_OPERATION, message, parameter=name)
    if name.endswith("_"):
        raise error(
            WBEM_E_INVALID_OBJECT, f"class {name}: a name cannot end with an underscore", parameter=name
        )
    if not name or not is_identifier(name):
        message = f"{name!r} is not a class name: a letter comes first, then letters, digits and underscores"
        raise error(WBEM_E_INVALID_PARAMETER, message, parameter=name)


def check_member_name(name: str, kind: str) -> None:
    """Raise what is wrong with the name of a `kind`: property, method or qualifier (A-063)."""
    if len(name) > MAX_NAME:
        raise error(_TOO_WIDE[kind], f"a {kind} name has at most {MAX_NAME} characters", parameter=name)
    if not name or name[0] == "_" or name[-1] == "_" or not is_identifier(name):
        message = (
            f"{name!r} is not a {kind} name: a letter comes first, then letters, digits and underscores, "
            "and no underscore at the end"
        )
        raise error(WBEM_E_INVALID_PARAMETER, message, parameter=name)


def namespace_path(text: str) -> str:
    """A namespace with backslashes, as typed otherwise; INVALID_NAMESPACE when a part is ill-formed (A-065)."""
    parts = text.replace("/", "\\").split("\\")
    for part in parts:
        if not part or part[0] == "_" or len(part) > MAX_NAME or not is_identifier(part):
            raise error(WBEM_E_INVALID_NAMESPACE, f"{text!r:.100} is not a namespace", namespace=text)
    return "\\".join(parts)


def is_machine(name: str | None, server: str) -> bool:
    r"""Whether a name, as in the server part of a path or `\\NAME`, means the machine that is called `server`: its own
    name, one that every machine has for itself, or none (B48)."""
    plain = (name or ".").strip("\\").lower()
    return plain in _ITSELF or plain == server.lower()
