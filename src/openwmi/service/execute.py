"""From an operation to the segments that produce its objects. Plain generators: no loop, no thread, no clock.

The service drives them through a feed; a one-shot command drives them directly.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from openwmi import wql
from openwmi.contract import flags as f
from openwmi.contract import operations as ops
from openwmi.contract.provider import Condition
from openwmi.model.errors import WbemError, error
from openwmi.model.instances import Instance
from openwmi.model.status import (
    WBEM_E_INVALID_CLASS,
    WBEM_E_INVALID_PARAMETER,
    WBEM_E_INVALID_QUERY_TYPE,
    WBEM_E_NOT_SUPPORTED,
    WBEM_E_PROVIDER_NOT_CAPABLE,
)
from openwmi.service.class_writes import delete_class, put_class
from openwmi.service.faults import provider_fault
from openwmi.service.feed import PLANNER, Segment, objects
from openwmi.service.instance_writes import delete_instance, put_instance
from openwmi.service.limits import NAMESPACE, THIS
from openwmi.service.localisation import translated
from openwmi.service.locate import instance_segment, looked_up, seen
from openwmi.service.methods import method_segment
from openwmi.service.supplied import filled, stored_instances, threads_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from openwmi.service.execution import Execution
    from openwmi.service.namespaces import Namespace
    from openwmi.wql.plan import Plan, Step

_NAME: Final = re.compile(r"[A-Za-z_\u0080-\U0010ffff][\w\u0080-\U0010ffff]*\Z")


def segments(execution: Execution, operation: ops.AnyOperation) -> Iterator[Segment]:
    """The segments of an operation. Errors that belong to the final status are raised while iterating (B18)."""
    return _SEGMENTS[type(operation)](execution, operation)


def checked_language(language: str) -> None:
    """Only WQL, in any case; anything else is INVALID_QUERY_TYPE (B77, D-01)."""
    if language.upper() != "WQL":
        raise error(
            WBEM_E_INVALID_QUERY_TYPE, f"the query language is WQL, not {language}", parameter=language
        )


def planned(space: Namespace, text: str, flags: int) -> Plan:
    """The plan of a data query; INVALID_QUERY or INVALID_CLASS as wql says."""
    select = wql.parse(text)
    if not isinstance(select, wql.Select):
        raise error(WBEM_E_NOT_SUPPORTED, "only data queries have a plan", parameter=text)
    return wql.plan(select, space.schema, flags=flags)


def _get(execution: Execution, operation: ops.GetObject) -> Iterator[Segment]:
    yield from instance_segment(execution, operation.path)


def _classes(execution: Execution, operation: ops.CreateClassEnum) -> Iterator[Segment]:
    schema = execution.space.schema
    shallow = bool(execution.flags & f.WBEM_FLAG_SHALLOW)
    if not operation.superclass:
        found = schema.children(None) if shallow else schema.classes()
    else:
        above = schema.class_named(operation.superclass)
        found = schema.children(above.name) if shallow else schema.subclasses(above.name)
    yield objects(translated(execution, found))


def _instances(execution: Execution, operation: ops.CreateInstanceEnum) -> Iterator[Segment]:
    name = operation.class_name
    if not _NAME.match(name):
        raise error(WBEM_E_INVALID_CLASS, f"not a class name: {name!r}", parameter=name)
    class_ = execution.space.schema.class_named(name)
    flags = execution.flags & f.WBEM_FLAG_DIRECT_READ
    if execution.flags & f.WBEM_FLAG_SHALLOW:  # exactly this class: the bit a query has for it
        flags |= f.WBEM_FLAG_DIRECT_READ
    yield from _steps(execution, planned(execution.space, f"SELECT * FROM {class_.name}", flags), "instances")


def _query(execution: Execution, operation: ops.ExecQuery) -> Iterator[Segment]:
    checked_language(operation.language)
    space = execution.space
    query = wql.parse(operation.query)
    if isinstance(query, wql.SchemaSelect):
        wanted = wql.schema_filter(query, space.schema)
        yield objects(translated(execution, (class_ for class_ in space.schema.classes() if wanted(class_))))
        return
    if not isinstance(query, wql.Select):
        from openwmi.service.associations import association_segments

        yield from association_segments(execution, query)
        return
    plan = wql.plan(query, space.schema, flags=execution.flags)
    if execution.flags & f.WBEM_FLAG_PROTOTYPE:
        yield objects((plan.prototype(),))
        return
    yield from _steps(execution, plan, "query")


def _steps(execution: Execution, plan: Plan, role: str) -> Iterator[Segment]:
    """The classes of a plan. Several static ones are read from one snapshot: what deletes or changes instances of more
    than one of them is seen whole or not at all."""
    if sum(not step.class_.is_dynamic for step in plan.steps) > 1:
        execution.snapshot = execution.space.namespaces.repository.snapshot()
    try:
        for step in plan.steps:
            yield _step(execution, step, role=role)
    finally:
        if execution.snapshot is not None:
            execution.snapshot.close()


def _step(execution: Execution, step: Step, *, role: str) -> Segment:
    """One class of a plan, read from its provider or from the store. role: how a provider is asked for more than one
    instance, "instances" or "query"."""
    class_ = step.class_
    if not class_.is_dynamic:
        return _static_step(execution, step)
    hosted = execution.reader(class_, step.columns)
    request = execution.request(class_, step.columns, tuple(Condition(*c) for c in step.conditions))
    instance, instances = hosted.role("instance"), hosted.role(role)
    keys = step.keys
    open_: Callable[[], Any]
    if keys is not None and instance is not None:
        open_ = partial(looked_up, hosted, request, keys)
    elif instances is not None:
        open_ = partial(instances, request)
    else:
        raise error(
            WBEM_E_PROVIDER_NOT_CAPABLE,
            f"provider {hosted.name} cannot enumerate {class_.name}",
            parameter=class_.name,
        )
    return Segment(
        open_,
        threads=hosted.threads,
        layout=step.layout,
        run=step.run,
        fault=_Blame(hosted.name, class_.name),
        request=request,
        blocking=hosted.blocking,
        drops=step.residual is not None,
    )


class _Blame:
    """What is reported of a provider that fails with a class. Thousands of calls that wait have one each: a closure
    would be four times as large."""

    __slots__ = ("class_name", "provider")

    def __init__(self, provider: str, class_name: str) -> None:
        self.provider = provider
        self.class_name = class_name

    def __call__(self, exception: BaseException) -> WbemError:
        return provider_fault(exception, self.provider, self.class_name)


def _static_step(execution: Execution, step: Step) -> Segment:
    """One static class of a plan. Whole instances travel as they are stored, projections as rows."""
    class_ = step.class_
    space = execution.space
    request = execution.request(class_, step.columns)
    threads = threads_for(space, class_)
    names = class_.layout.names
    positions = [class_.layout.index[name.lower()] for name in step.columns]
    whole = step.layout.names == names and step.layout.shown is None
    guarded = class_.name.lower() in (NAMESPACE, THIS)

    def found() -> Iterator[Instance]:
        if step.keys is None:
            return stored_instances(execution, class_, step.conditions, request)
        one = space.static_instance(class_, step.keys)
        return iter(()) if one is None else iter((filled(execution, class_, one, step.columns),))

    def instances() -> Iterator[Any]:
        for instance in found():
            if request.cancelled:
                return
            if guarded:
                instance = seen(execution, instance)
            values = instance.values_
            row = values if step.columns == names else tuple([values[position] for position in positions])
            if whole:
                if next(iter(step.run((row,))), None) is not None:
                    yield instance
            else:
                yield row

    if whole:
        return Segment(instances, threads=threads, request=request, drops=False)
    return Segment(instances, threads=threads, layout=step.layout, run=step.run, request=request, drops=False)


def _method(execution: Execution, operation: ops.ExecMethod) -> Iterator[Segment]:
    yield from method_segment(execution, operation)


def _put_class(execution: Execution, operation: ops.PutClass) -> Iterator[Segment]:
    execution.require(f.WBEM_FULL_WRITE_REP, "write classes")
    yield _write(execution, lambda: put_class(execution.space, operation.object, execution.flags))


def _delete_class(execution: Execution, operation: ops.DeleteClass) -> Iterator[Segment]:
    execution.require(f.WBEM_FULL_WRITE_REP, "delete classes")
    yield _write(execution, lambda: delete_class(execution.space, operation.name))


def _put_instance(execution: Execution, operation: ops.PutInstance) -> Iterator[Segment]:
    yield _write(execution, lambda: put_instance(execution, operation.object))


def _delete_instance(execution: Execution, operation: ops.DeleteInstance) -> Iterator[Segment]:
    yield _write(execution, lambda: delete_instance(execution, operation.path))


def _write(execution: Execution, write: Callable[[], str | None]) -> Segment:
    """A segment without objects that writes; the path of what was stored goes into the final status (B28, B29)."""

    def written() -> tuple[()]:
        execution.text = write()
        execution.space.namespaces.refresh()
        return ()

    return Segment(written, threads=PLANNER)


def refused_at_once(operation: ops.AnyOperation) -> None:
    """What the call itself refuses beyond NULLs, flags and lengths (spec/README.md: an event query that does not parse,
    a language that is not text)."""
    if isinstance(operation, ops.ExecNotificationQuery):
        checked_language(operation.language)
        wql.parse_event(operation.query)
    if isinstance(operation, ops.ExecMethod):
        given = operation.params
        if given is not None and not hasattr(given, "keys") and not isinstance(given, Instance):
            raise error(
                WBEM_E_INVALID_PARAMETER, "pInParams must be an instance or a mapping", parameter="pInParams"
            )


_SEGMENTS: Final[dict[type, Callable[[Execution, Any], Iterator[Segment]]]] = {
    ops.GetObject: _get,
    ops.CreateClassEnum: _classes,
    ops.CreateInstanceEnum: _instances,
    ops.ExecQuery: _query,
    ops.ExecMethod: _method,
    ops.PutClass: _put_class,
    ops.DeleteClass: _delete_class,
    ops.PutInstance: _put_instance,
    ops.DeleteInstance: _delete_instance,
}
