"""The JSON text of the store's columns.

JSON and not a Python format: a damaged or hostile file can then give a wrong value at worst, never run code.
"""

from __future__ import annotations

import json
from typing import Any

from openwmi.model.errors import error
from openwmi.model.status import WBEM_E_CRITICAL_ERROR

# json.loads() costs twice as much: it looks for blanks that are not there.
_decode: Any = json.JSONDecoder().scan_once  # type: ignore[attr-defined]


def dumped(value: Any) -> str:
    """JSON text without blanks; non-ASCII text stays as it is, lone surrogates included."""
    return json.dumps(value, separators=(",", ":"))


def loaded(text: str) -> Any:
    """What :func:`dumped` wrote; CRITICAL_ERROR when the store is damaged."""
    try:
        value, end = _decode(text, 0)
        if end == len(text):
            return value
    except (StopIteration, ValueError, RecursionError, TypeError):
        pass
    raise error(WBEM_E_CRITICAL_ERROR, "the repository holds an object that cannot be read")
