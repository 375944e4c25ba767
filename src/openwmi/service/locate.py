"""From an object path to the object: a class, or an instance looked up by its keys (calls.md B.6, model.md A9)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from openwmi.model.classes import Class, ClassDeclaration, derive
from openwmi.model.errors import WbemError, error
from openwmi.model.instances import Instance
from openwmi.model.names import is_machine
from openwmi.model.paths import ObjectPath, parse_path
from openwmi.model.qualifiers import EMPTY
from openwmi.model.status import (
    WBEM_E_INVALID_NAMESPACE,
    WBEM_E_INVALID_OBJECT_PATH,
    WBEM_E_NOT_FOUND,
    WBEM_E_PROVIDER_NOT_CAPABLE,
)
from openwmi.model.values import coerce
from openwmi.service.faults import provider_fault
from openwmi.service.feed import Segment, objects
from openwmi.service.limits import NAMESPACE, THIS
from openwmi.service.localisation import translated
from openwmi.service.supplied import filled, threads_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from openwmi.contract.context import Context
    from openwmi.contract.provider import Request
    from openwmi.service.execution import Execution
    from openwmi.service.hosting import HostedProvider
    from openwmi.service.namespaces import Namespace


class Target(NamedTuple):
    """What an instance path names: its class and the raw values of its keys, by declared name ({} for a singleton)."""

    class_: Class
    keys: dict[str, object]
    text: str


def empty_class(space: Namespace) -> Class:
    """The class object to build a new top-level class on (B46, A-180)."""
    return derive(ClassDeclaration("", None, EMPTY, (), ()), None, namespace=space.path, server=space.server)


def checked_path(space: Namespace, text: str) -> ObjectPath:
    """A path, parsed, that lies in this namespace of this server (B48)."""
    return path_here(space, parse_path(text), text)


def path_here(space: Namespace, path: ObjectPath, text: str) -> ObjectPath:
    """A path that names a class or an instance of this namespace of this server (B48)."""
    if not is_machine(path.server, space.server):
        raise error(WBEM_E_INVALID_OBJECT_PATH, f"{text}: the object is on another server", path=text)
    if path.namespace is not None and path.namespace.lower() != space.path.lower():
        raise error(
            WBEM_E_INVALID_NAMESPACE, f"{text}: only objects of {space.path} are served here", path=text
        )
    if path.class_name is None:
        raise error(WBEM_E_INVALID_OBJECT_PATH, f"{text} names no class", path=text)
    return path


def class_of(space: Namespace, path: ObjectPath, text: str) -> Class:
    """The class a path names; NOT_FOUND when there is none (A-181)."""
    name = path.class_name or ""
    found = space.schema.find_class(name)
    if found is None:
        raise error(WBEM_E_NOT_FOUND, f"there is no class {name} in {space.path}", path=text, parameter=name)
    return found


def target_of(space: Namespace, path: ObjectPath, text: str) -> Target:
    """The class and keys of an instance path; INVALID_OBJECT_PATH when they do not fit the class (A-164)."""
    class_ = class_of(space, path, text)
    if path.singleton:
        if not class_.is_singleton:
            raise error(WBEM_E_INVALID_OBJECT_PATH, f"{text}: {class_.name} is not a singleton", path=text)
        return Target(class_, {}, text)
    declared = {name.lower(): name for name in class_.keys}
    keys: dict[str, object] = {}
    for name, value in path.keys:
        if name is None and len(declared) == 1:
            name = class_.keys[0]
        known = declared.get(name.lower()) if name is not None else None
        if known is None or known in keys:
            what = "needs its keys by name" if name is None else f"has no key {name}, or has it twice"
            raise error(WBEM_E_INVALID_OBJECT_PATH, f"{text}: {class_.name} {what}", path=text)
        keys[known] = _key_value(class_, known, value, text)
    if len(keys) != len(declared):
        missing = ", ".join(sorted(set(declared.values()) - set(keys)))
        raise error(
            WBEM_E_INVALID_OBJECT_PATH, f"{text}: {class_.name} needs a value for {missing}", path=text
        )
    return Target(class_, keys, text)


def _key_value(class_: Class, name: str, value: object, text: str) -> object:
    """A key as a raw value of its property's type. Quoted numbers and numbers for text keys are taken (A-168)."""
    declared = class_.property(name)
    assert declared is not None
    try:
        if isinstance(value, str) and declared.type in _INTEGERS:
            value = int(value, 0)
        elif isinstance(value, (int, bool)) and declared.type in _TEXTS:
            value = str(value)
        return coerce(value, declared.type, name=name)
    except (WbemError, ValueError):
        raise error(
            WBEM_E_INVALID_OBJECT_PATH, f"{text}: {value!r} does not fit key {name}", path=text
        ) from None


_INTEGERS: Final = frozenset((2, 3, 16, 17, 18, 19, 20, 21, 103))
_TEXTS: Final = frozenset((8, 101, 102))


def instance_segment(execution: Execution, text: str | None) -> Iterator[Segment]:
    """The one object of GetObject."""
    space = execution.space
    if not text:
        yield objects((empty_class(space),))
        return
    path = checked_path(space, text)
    if not path.is_instance:
        yield objects(translated(execution, (class_of(space, path, text),)))
        return
    target = target_of(space, path, text)
    found: list[Instance] = []
    yield from find_instance(execution, target, found, deliver=True)
    if not found:
        raise error(WBEM_E_NOT_FOUND, f"there is no {text}", path=text)


def find_instance(
    execution: Execution,
    target: Target,
    found: list[Instance],
    *,
    deliver: bool = False,
    class_names_only: bool = False,
) -> Iterator[Segment]:
    """Look an instance up by its keys, in its class and then in the classes below (one key space, A-093).

    What is found is put into `found`, and delivered as well if asked. class_names_only: the keys are enough. An error
    of one class's provider counts only when no other class has the instance.
    """
    space = execution.space
    failure: WbemError | None = None
    for class_ in concrete(space, target.class_):
        columns = class_.keys if class_names_only else wanted_columns(class_, execution.context)
        try:
            segment = lookup_segment(execution, class_, target, columns, found)
        except WbemError as reason:
            failure = failure or reason
            continue
        if not deliver:
            segment.run = _swallowing(segment.run)
        yield segment
        if found:
            return
    if failure is not None:
        raise failure


def _swallowing(
    run: Callable[[Iterable[Any]], Iterator[Any]] | None,
) -> Callable[[Iterable[Any]], Iterator[Any]]:
    """The same reading without its results: what counts is what was put aside on the way."""

    def read(rows: Iterable[Any]) -> Iterator[Any]:
        for _ in rows if run is None else run(rows):
            pass
        return iter(())

    return read


def concrete(space: Namespace, class_: Class) -> Iterator[Class]:
    """The classes whose instances a path of `class_` can name: itself, then its descendants (one key space, A-093)."""
    if not class_.is_abstract:
        yield class_
    for below in space.schema.subclasses(class_.name):
        if not below.is_abstract:
            yield below


def wanted_columns(class_: Class, context: Context | None) -> tuple[str, ...]:
    """The columns of a get: all, or what the context of a partial get names beside the keys (B50, A-292)."""
    names = class_.layout.names
    if context is None or not context.lookup("__GET_EXTENSIONS"):
        return names
    wanted = {name.lower() for name in class_.keys}
    listed = context.lookup("__GET_EXT_PROPERTIES")
    if not context.lookup("__GET_EXT_KEYS_ONLY"):
        if not isinstance(listed, (list, tuple)):
            return names
        wanted |= {str(name).lower() for name in listed}
    return tuple(name for name in names if name.lower() in wanted)


def lookup_segment(
    execution: Execution, class_: Class, target: Target, columns: tuple[str, ...], box: list[Instance]
) -> Segment:
    """A segment that looks one instance up by its keys and yields it, or nothing; `box` receives it too."""
    space = execution.space
    layout = class_.layout
    spread = _spread(layout.names, columns)

    def made(rows: Any) -> Iterator[Instance]:
        for row in rows:
            box.append(Instance(layout, spread(row)))
            yield box[-1]

    if not class_.is_dynamic:
        return Segment(
            lambda: _stored(execution, class_, target.keys, columns, box), threads=threads_for(space, class_)
        )
    hosted = execution.reader(class_, columns)
    request = execution.request(class_, columns)
    return Segment(
        lambda: looked_up(hosted, request, target.keys),
        threads=hosted.threads,
        run=made,
        fault=lambda exception: provider_fault(exception, hosted.name, target.text),
        request=request,
        blocking=hosted.blocking,
    )


def _stored(
    execution: Execution,
    class_: Class,
    keys: dict[str, object],
    columns: tuple[str, ...],
    box: list[Instance],
) -> list[Instance]:
    found = execution.space.static_instance(class_, keys)
    if found is not None:
        box.append(seen(execution, filled(execution, class_, found, columns)))
    return list(box)


def seen(execution: Execution, instance: Instance) -> Instance:
    """A stored instance as this caller sees it: those that say how a namespace is protected differ (I26, B-06)."""
    if instance.layout_.class_name.lower() not in (NAMESPACE, THIS):
        return instance
    from openwmi.service.protection import view

    return view(execution, instance)


def _spread(names: tuple[str, ...], columns: tuple[str, ...]) -> Any:
    """From a row of some columns to one of all, with NULL where nothing was asked."""
    if names == columns:
        return tuple
    place = {name: position for position, name in enumerate(columns)}
    order = tuple(place.get(name) for name in names)
    return lambda row: tuple(None if position is None else row[position] for position in order)


def looked_up(hosted: HostedProvider, request: Request, keys: dict[str, object]) -> Any:
    """Rows of the instance with these keys: the provider's look-up, else its enumeration searched (A-181, F-20).

    Keys compare without regard to case (A-175, D-55), which a look-up may not know: one that misses text with letters
    is followed by a search.
    """
    instance, instances = hosted.role("instance"), hosted.role("search")
    if instance is not None:
        answer = instance(request, keys)
        if hasattr(answer, "__await__"):
            return _awaited(answer)
        if answer is not None:
            return (answer,)
        if instances is None or not any(_has_case(value) for value in keys.values()):
            return ()
    if instances is None:
        raise error(
            WBEM_E_PROVIDER_NOT_CAPABLE,
            f"provider {hosted.name} can neither look up nor enumerate {request.class_.name}",
            parameter=request.class_.name,
        )
    wanted = tuple(dict.fromkeys((*request.columns, *keys)))
    search = request.reading(wanted)
    matches = _matcher(wanted, keys)
    count = len(request.columns)
    answer = instances(search)
    if hasattr(answer, "__aiter__"):
        return _searched(answer, matches, count)
    return (row[:count] for row in answer if matches(row))


def _has_case(value: object) -> bool:
    return isinstance(value, str) and value.upper() != value.lower()


async def _awaited(answer: Any) -> Any:
    row = await answer
    return () if row is None else (row,)


async def _searched(rows: Any, matches: Any, count: int) -> Any:
    async for row in rows:
        if matches(row):
            yield row[:count]
            return


def _matcher(columns: tuple[str, ...], keys: dict[str, object]) -> Any:
    wanted = [(columns.index(name), _folded(value)) for name, value in keys.items()]
    return lambda row: all(_folded(row[position]) == value for position, value in wanted)


def _folded(value: object) -> object:
    return value.upper() if isinstance(value, str) else value
