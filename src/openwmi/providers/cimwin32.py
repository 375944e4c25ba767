"""The provider CIMWin32: hands each class to the module that reads its instances, loaded when first asked."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from openwmi.model.errors import error
from openwmi.model.status import WBEM_E_PROVIDER_NOT_CAPABLE
from openwmi.providers import CLASSES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from openwmi.contract.provider import Guard, Request, Row


class Family(Protocol):
    """What a module of this room offers as `family(root)`: a provider for its classes, reading the tree at `root`."""

    def instances(self, request: Request) -> Iterable[Row]: ...

    def instance(self, request: Request, keys: Mapping[str, object]) -> Row | None: ...

    def method(
        self,
        request: Request,
        method: str,
        keys: Mapping[str, object] | None,
        params: Mapping[str, object],
    ) -> Mapping[str, object]: ...


class CimWin32:
    """Serves every dynamic class of root\\cimv2 that this room knows. `root` is where the file tree begins."""

    name = "CIMWin32"
    blocking = True
    deputy = "openwmi.providers.cimwin32:CimWin32"

    def __init__(self, root: str = "") -> None:
        self._root = root
        self._families: dict[str, Family] = {}

    def guard(self, class_name: str) -> Guard | None:
        """What a family keeps for the caller's own user."""
        found: Guard | None = getattr(self._family(class_name), "guard", None)
        return found

    @staticmethod
    def prepare() -> None:
        """Load every family, and what they load when they work."""
        for name in sorted({entry.module for entry in CLASSES.values() if entry.module is not None}):
            import_module(f"openwmi.providers.{name}")
        for name in (
            "openwmi.providers.linux.control",
            "subprocess",
            "shlex",
            "signal",
            "pwd",
            "grp",
            "threading",
        ):
            import_module(name)
        try:
            import_module("jeepney.io.blocking")
        except ModuleNotFoundError:
            pass  # then the services of systemd say what they lack

    def instances(self, request: Request) -> Iterable[Row]:
        return self._family(request.class_.name).instances(request)

    def instance(self, request: Request, keys: Mapping[str, object]) -> Row | None:
        return self._family(request.class_.name).instance(request, keys)

    def method(
        self,
        request: Request,
        method: str,
        keys: Mapping[str, object] | None,
        params: Mapping[str, object],
    ) -> Mapping[str, object]:
        return self._family(request.class_.name).method(request, method, keys, params)

    def _family(self, class_name: str) -> Family:
        entry = CLASSES.get(class_name.lower())
        if entry is None or entry.module is None:
            raise error(WBEM_E_PROVIDER_NOT_CAPABLE, f"{self.name} has no instances of {class_name}")
        found = self._families.get(entry.module)
        if found is None:
            made: Family = import_module(f"openwmi.providers.{entry.module}").family(self._root)
            found = self._families.setdefault(entry.module, made)
        return found
