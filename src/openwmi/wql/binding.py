"""Values into query text: `escape` writes one as a constant, `bind` fills the {name} parameters of a query.

A parameter stands where a constant does, never inside quotes; the value decides its form, so that no text can end a
string or add a condition. `ASSOCIATORS OF {name}` takes an object path.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from openwmi.model.datetimes import CimDateTime
from openwmi.model.errors import error
from openwmi.model.instances import Instance
from openwmi.model.paths import ObjectPath, parse_path
from openwmi.model.status import WBEM_E_INVALID_PARAMETER, WBEM_E_TYPE_MISMATCH
from openwmi.wql.printer import quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

_PARAMETER: Final = re.compile(
    r"""(?P<string>"(?:[^"\\]|\\.)*+"|'(?:[^'\\]|\\.)*+')"""
    r"|(?P<source>\bof[ \t\r\n]*+)?\{(?P<name>[A-Za-z_][A-Za-z0-9_]*+)\}",
    re.DOTALL | re.IGNORECASE,
)


def escape(value: Any) -> str:
    """`value` as a WQL constant.

    Takes None, bool, int, float, str, datetime (with or without zone), timedelta, CimDateTime, an object path and an
    instance (its path). Raises TYPE_MISMATCH for anything else: a list has no constant.
    """
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, str):
        return quoted(str(value))
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        return _real(value)
    return quoted(_text(value))


def bind(text: str, params: Mapping[str, Any]) -> str:
    """`text` with each {name} replaced by `params[name]` as a constant.

    Without `params` the text is returned as it is. Raises INVALID_PARAMETER for a name without a value and for a value
    that the text does not use, TYPE_MISMATCH as `escape` does, INVALID_OBJECT_PATH for a source that is no path.
    """
    if not params:
        return text
    used: set[str] = set()

    def fill(found: re.Match[str]) -> str:
        name = found["name"]
        if name is None or (found["source"] is not None and name not in params):
            return found[0]
        if name not in params:
            raise error(WBEM_E_INVALID_PARAMETER, f"the query has a parameter {{{name}}} and no value for it")
        used.add(name)
        if found["source"] is not None:
            return f"{found['source']}{{{_path(params[name])}}}"
        return escape(params[name])

    bound = _PARAMETER.sub(fill, text)
    unused = sorted(set(params) - used)
    if unused:
        raise error(WBEM_E_INVALID_PARAMETER, f"the query has no parameter {{{unused[0]}}}")
    return bound


def _real(value: float) -> str:
    if value != value or value in (float("inf"), float("-inf")):
        raise error(WBEM_E_TYPE_MISMATCH, f"{value} has no WQL constant")
    return repr(value)


def _text(value: Any) -> str:
    """Datetimes as DMTF text, objects as their path."""
    import datetime

    if isinstance(value, CimDateTime):
        return str(value)
    if isinstance(value, datetime.datetime):
        return str(CimDateTime.from_datetime(value))
    if isinstance(value, datetime.timedelta):
        return str(CimDateTime.from_timedelta(value))
    if isinstance(value, (ObjectPath, Instance)):
        return _path(value)
    raise error(WBEM_E_TYPE_MISMATCH, f"a {type(value).__name__} has no WQL constant")


def _path(value: Any) -> str:
    """The path of an object, or the text of one; refused unless it is a path, so that it cannot end the braces."""
    text = value.path_ or value.relpath_ if isinstance(value, Instance) else str(value)
    if not text:
        raise error(WBEM_E_INVALID_PARAMETER, "the object has no path: its keys are not all known")
    return str(parse_path(text))
