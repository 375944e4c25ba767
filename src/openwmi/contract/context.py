"""IWbemContext as a value: named values that travel with a call to the provider (calls.md G.1; [MS-WMI] 2.2.13)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openwmi.model.errors import error
from openwmi.model.status import WBEM_E_INVALID_PARAMETER, WBEM_E_NOT_FOUND

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_VALUES = 1024
PROVIDER_ARCHITECTURE = "__ProviderArchitecture"


def _checked(name: object) -> str:
    if not isinstance(name, str) or not name:
        raise error(WBEM_E_INVALID_PARAMETER, "the name of a context value must be a non-empty text")
    return name


def check_architecture(context: Context | None) -> None:
    """INVALID_PARAMETER for a __ProviderArchitecture that is neither 32 nor 64 (A19). Which of the two makes no
    difference: providers here have no architecture of their own (A-293)."""
    if context is None or PROVIDER_ARCHITECTURE not in context:
        return
    wanted = context.lookup(PROVIDER_ARCHITECTURE)
    if wanted not in (32, 64) or isinstance(wanted, float):
        raise error(
            WBEM_E_INVALID_PARAMETER,
            f"{PROVIDER_ARCHITECTURE} is 32 or 64, not {wanted!r}",
            parameter=PROVIDER_ARCHITECTURE,
        )


class Context:
    """Named values; names are case-insensitive and keep the spelling of their first use (A-294, G1)."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, object] | None = None) -> None:
        self._values: dict[str, tuple[str, object]] = {}
        for name, value in (values or {}).items():
            self.set(name, value)

    def set(self, name: str, value: object) -> None:
        """Store a value, replacing one of the same name. INVALID_PARAMETER without a name or past the limit."""
        key = _checked(name).lower()
        if key not in self._values and len(self._values) >= MAX_VALUES:
            raise error(WBEM_E_INVALID_PARAMETER, f"a context holds at most {MAX_VALUES} values")
        self._values[key] = (self._values.get(key, (name, None))[0], value)

    def value(self, name: str) -> object:
        """The value of a name; NOT_FOUND when absent (G1)."""
        try:
            return self._values[_checked(name).lower()][1]
        except KeyError:
            raise error(WBEM_E_NOT_FOUND, f"the context has no value named {name}") from None

    def lookup(self, name: str, default: object = None) -> object:
        """The value of a name, or a default."""
        return self._values.get(name.lower(), ("", default))[1]

    def delete(self, name: str) -> None:
        """Remove a value; NOT_FOUND when absent (G1)."""
        if self._values.pop(_checked(name).lower(), None) is None:
            raise error(WBEM_E_NOT_FOUND, f"the context has no value named {name}")

    def clear(self) -> None:
        self._values.clear()

    def names(self) -> list[str]:
        return [name for name, _ in self._values.values()]

    def items(self) -> Iterator[tuple[str, object]]:
        return iter(list(self._values.values()))

    def copy(self) -> Context:
        """An independent copy: a call sees the values as they were when it was made (G4)."""
        twin = Context()
        twin._values = dict(self._values)
        return twin

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._values

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Context) and dict(self._pairs()) == dict(other._pairs())

    __hash__ = None  # type: ignore[assignment]

    def _pairs(self) -> Iterator[tuple[str, object]]:
        return ((key, value) for key, (_, value) in self._values.items())

    def __repr__(self) -> str:
        return f"Context({dict(self._values.values())!r})"
