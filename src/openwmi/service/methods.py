"""Carrying out ExecMethod: declaration, parameters, the object it acts on (calls.md B.15, model.md A14)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from openwmi.model.errors import WbemError, error
from openwmi.model.instances import Instance
from openwmi.model.status import (
    WBEM_E_INVALID_METHOD,
    WBEM_E_INVALID_METHOD_PARAMETERS,
    WBEM_E_INVALID_OBJECT_PATH,
    WBEM_E_INVALID_PARAMETER,
    WBEM_E_METHOD_DISABLED,
    WBEM_E_METHOD_NOT_IMPLEMENTED,
    WBEM_E_NOT_FOUND,
    WBEM_E_PROVIDER_NOT_CAPABLE,
    WBEM_E_PROVIDER_NOT_FOUND,
)
from openwmi.model.values import coerce
from openwmi.service.faults import provider_fault
from openwmi.service.feed import PLANNER, Segment
from openwmi.service.limits import SECURITY
from openwmi.service.locate import checked_path, class_of, find_instance, target_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openwmi.contract.operations import ExecMethod
    from openwmi.model.classes import Class, Method
    from openwmi.service.execution import Execution
    from openwmi.service.hosting import HostedProvider


def method_segment(execution: Execution, operation: ExecMethod) -> Iterator[Segment]:
    """Look the object up, then run the method; the out-parameters are the one object delivered (B31)."""
    space = execution.space
    path = checked_path(space, operation.path)
    class_ = class_of(space, path, operation.path)
    method = declared_method(class_, operation.method)
    keys: dict[str, object] | None = None
    if path.is_instance:
        target = target_of(space, path, operation.path)
        keys = target.keys
        found: list[Instance] = []
        if not class_.qualifiers.truth("Bypass_GetObject"):  # make sure that the object is there
            yield from find_instance(execution, target, found, class_names_only=True)
            if not found:
                raise error(WBEM_E_NOT_FOUND, f"there is no {operation.path}", path=operation.path)
        actual = found[0].class_ if found else None
        if actual is not None:
            class_ = actual
            method = declared_method(class_, operation.method)
    elif not method.qualifiers.truth("Static") and not class_.is_singleton:
        raise error(
            WBEM_E_INVALID_OBJECT_PATH,
            f"{class_.name}.{method.name} acts on an instance: the path must name its keys",
            path=operation.path,
        )
    mine = class_.name.lower() == SECURITY  # the service's own: nothing declares them as implemented
    _check_enabled(class_, method, implemented=mine)
    params = parameters(method, operation.params, f"{class_.name}.{method.name}")
    yield _own(execution, method, params) if mine else _run(execution, class_, method, keys, params)


def declared_method(class_: Class, name: str) -> Method:
    """The method of that name in any case; INVALID_METHOD when the class has none (B94)."""
    method = class_.method(name)
    if method is None:
        raise error(WBEM_E_INVALID_METHOD, f"class {class_.name} has no method {name}", parameter=name)
    return method


def _own(execution: Execution, method: Method, params: dict[str, object]) -> Segment:
    """A method of __SystemSecurity (calls.md I.5)."""
    from openwmi.service.systemsecurity import answer

    def answered() -> tuple[Instance, ...]:
        return _outputs(answer(execution, method.name, params), method)

    return Segment(answered, threads=PLANNER)


def _check_enabled(class_: Class, method: Method, *, implemented: bool) -> None:
    if method.qualifiers.truth("Disabled") or class_.qualifiers.truth("Disabled"):
        raise error(WBEM_E_METHOD_DISABLED, f"{class_.name}.{method.name} is disabled", parameter=method.name)
    if not implemented and not method.qualifiers.truth("Implemented"):
        raise error(
            WBEM_E_METHOD_NOT_IMPLEMENTED,
            f"{class_.name} declares {method.name}, but nobody implements it here",
            parameter=method.name,
        )


def parameters(method: Method, given: Any, name: str) -> dict[str, object]:
    """The raw in-parameters by declared name; what was left out has its default or NULL (A-304).

    NULL where the method has inputs: INVALID_PARAMETER; an unknown or mistyped one: INVALID_METHOD_PARAMETERS
    (spec/README.md, B94).
    """
    if given is not None and not isinstance(given, (Mapping, Instance)):
        raise error(
            WBEM_E_INVALID_METHOD_PARAMETERS,
            f"{name}: in-parameters are an instance of its input class, not the class itself",
            parameter="pInParams",
        )
    signature = method.inputs
    if signature is None or not signature.properties:
        if given is not None and list(_items(given)):
            raise error(WBEM_E_INVALID_METHOD_PARAMETERS, f"{name} takes no parameters", parameter=name)
        return {}
    if given is None:
        raise error(WBEM_E_INVALID_PARAMETER, f"{name}: pInParams is NULL", parameter="pInParams")
    values = {declared.name: declared.default for declared in signature.properties.values()}
    for key, value in _items(given):
        declared = signature.property(key)
        if declared is None:
            raise error(WBEM_E_INVALID_METHOD_PARAMETERS, f"{name} has no parameter {key}", parameter=key)
        try:
            values[declared.name] = coerce(value, declared.type, name=key, reference=declared.reference)
        except WbemError as reason:
            raise error(
                WBEM_E_INVALID_METHOD_PARAMETERS, f"{name}: {reason.message}", parameter=key
            ) from None
    if isinstance(given, Instance):
        lacking = [name_ for name_ in values if name_.lower() not in given.layout_.index]
        if lacking:
            raise error(
                WBEM_E_INVALID_METHOD_PARAMETERS,
                f"{name}: the object lacks parameter {lacking[0]}",
                parameter=lacking[0],
            )
    return values


def _items(given: Any) -> Iterator[tuple[str, object]]:
    if isinstance(given, Mapping):
        return iter(given.items())
    return zip(given.layout_.names, given.values_, strict=True)


def _run(
    execution: Execution,
    class_: Class,
    method: Method,
    keys: dict[str, object] | None,
    params: dict[str, object],
) -> Segment:
    name = f"{class_.name}.{method.name}"
    hosted, refusal = _method_provider(execution, class_, method)
    if refusal is not None:  # nobody remote acts as the service
        return Segment(lambda: _outputs(refusal, method), threads=PLANNER)
    call = hosted.role("method")
    if call is None:
        raise error(WBEM_E_PROVIDER_NOT_CAPABLE, f"provider {hosted.name} runs no methods", parameter=name)
    request = execution.request(class_, ())

    def answered() -> Any:
        answer = call(request, method.name, keys, params)
        return _awaited(answer, method) if hasattr(answer, "__await__") else _outputs(answer, method)

    return Segment(
        answered,
        threads=hosted.threads,
        fault=lambda exception: provider_fault(exception, hosted.name, name),
        blocking=hosted.blocking,
    )


def _method_provider(
    execution: Execution, class_: Class, method: Method
) -> tuple[HostedProvider, Mapping[str, object] | None]:
    """Who runs the method for this caller, or the answer that refuses it."""
    if class_.provider is None:
        raise error(
            WBEM_E_PROVIDER_NOT_FOUND, f"class {class_.name} names no method provider", parameter=class_.name
        )
    return execution.runner(class_, method.name)


async def _awaited(answer: Any, method: Method) -> Any:
    return _outputs(await answer, method)


def _outputs(answer: Any, method: Method) -> tuple[Instance, ...]:
    """The out-parameters object; nothing for a method without outputs and return value (B31)."""
    signature = method.outputs
    if signature is None or not signature.properties:
        return ()
    return (signature.spawn(dict(answer or {})),)
