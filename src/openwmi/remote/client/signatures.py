"""In-parameters of methods: a mapping becomes an instance of the input class, which the server is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from openwmi.contract.operations import ExecMethod, GetObject
from openwmi.model.classes import Class
from openwmi.model.errors import WbemError, error
from openwmi.model.instances import Instance
from openwmi.model.paths import parse_path
from openwmi.model.status import (
    WBEM_E_INVALID_METHOD,
    WBEM_E_INVALID_METHOD_PARAMETERS,
    WBEM_E_INVALID_OBJECT_PATH,
    WBEM_E_INVALID_PARAMETER,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_MOST_CLASSES = 64


class Signatures:
    """Classes whose methods were called through one connection. look_up: an operation -> the object it gives."""

    def __init__(self, look_up: Callable[[GetObject], Awaitable[object]]) -> None:
        self._look_up = look_up
        self._classes: dict[str, Class] = {}

    async def filled(self, operation: ExecMethod) -> ExecMethod:
        """The operation as it can travel: with an instance, or NULL, for parameters (calls.md B94)."""
        given = operation.params
        if given is not None and not isinstance(given, Mapping | Instance):
            raise error(
                WBEM_E_INVALID_METHOD_PARAMETERS,
                f"{operation.method}: in-parameters are an instance of its input class, not the class itself",
                parameter="pInParams",
            )
        if not isinstance(given, Mapping):
            return operation
        if not given:
            return await self._without(operation)
        signature = await self._inputs(operation)
        if signature is None:
            raise error(
                WBEM_E_INVALID_METHOD_PARAMETERS,
                f"{operation.method} takes no parameters",
                parameter=operation.method,
            )
        for name in given:
            if signature.property(name) is None:
                raise error(
                    WBEM_E_INVALID_METHOD_PARAMETERS,
                    f"{operation.method} has no parameter {name}",
                    parameter=name,
                )
        try:
            return ExecMethod(operation.path, operation.method, signature.spawn(dict(given)))
        except WbemError as reason:
            raise error(WBEM_E_INVALID_METHOD_PARAMETERS, f"{operation.method}: {reason.message}") from reason

    async def _without(self, operation: ExecMethod) -> ExecMethod:
        """No parameter named: NULL, unless the method has some that may all be left out."""
        signature = await self._inputs(operation)
        params = None if signature is None else signature.spawn()
        return ExecMethod(operation.path, operation.method, params)

    async def _inputs(self, operation: ExecMethod) -> Class | None:
        """The input class of a method, None when it has no inputs."""
        class_ = await self._class(operation)
        method = class_.method(operation.method)
        if method is None:
            raise error(
                WBEM_E_INVALID_METHOD,
                f"class {class_.name} has no method {operation.method}",
                parameter=operation.method,
            )
        return method.inputs if method.inputs is not None and method.inputs.properties else None

    async def _class(self, operation: ExecMethod) -> Class:
        name = parse_path(operation.path).class_name
        if not name:
            raise error(WBEM_E_INVALID_OBJECT_PATH, f"{operation.path!r} names no class", path=operation.path)
        found = self._classes.get(name.lower())
        if found is None:
            looked = await self._look_up(GetObject(name))
            if not isinstance(looked, Class):
                raise error(WBEM_E_INVALID_PARAMETER, f"{name} is no class", parameter=name)
            if len(self._classes) >= _MOST_CLASSES:
                self._classes.clear()
            found = self._classes[name.lower()] = looked
        return found
