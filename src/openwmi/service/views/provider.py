"""The View provider at work: rows of a view from the instances of its sources (model.md F-40, F-41).

Sources are asked as the caller, with the rights it has there, for the properties that are wanted and with the tests
that the store or their providers can use; the service filters again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from openwmi import wql
from openwmi.contract import flags as f
from openwmi.contract import operations as ops
from openwmi.contract.provider import Condition
from openwmi.model.cimtypes import ARRAY, CimType
from openwmi.model.errors import WbemError, error
from openwmi.model.paths import parse_path, relpath_of
from openwmi.model.status import (
    WBEM_E_INVALID_METHOD,
    WBEM_E_NOT_FOUND,
    WBEM_E_PROVIDER_NOT_CAPABLE,
    WBEM_E_READ_ONLY,
)
from openwmi.model.values import coerce
from openwmi.service.logon import logged_on
from openwmi.service.oneshot import OneShot
from openwmi.service.views.definition import End, View, is_view, read_view

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from openwmi.contract.caller import Caller
    from openwmi.contract.provider import Request, Row
    from openwmi.model.classes import Class
    from openwmi.model.instances import Instance
    from openwmi.service.namespaces import Namespace

    # One instance of a source: the number of the source, the namespace it is from, the instance.
    Found = tuple[int, Namespace, Instance]

_PUSHED: Final = (str, int)


class ViewProvider:
    """Serves the view classes of one namespace."""

    def __init__(self, space: Namespace) -> None:
        self._space = space
        self._views: dict[Class, View] = {}

    # The contract

    def instances(self, request: Request) -> Iterator[Row]:
        """The rows of a view."""
        view = self._view(request.class_)
        if view.kind == "join":
            return _Joined(self, view, request).rows()
        return self._united(view, request)

    def instance(self, request: Request, keys: Mapping[str, object]) -> Row | None:
        """The row with these keys."""
        conditions = tuple(Condition(name, "=", value) for name, value in keys.items())
        columns = tuple(dict.fromkeys((*request.columns, *keys)))
        search = request.reading(columns)
        search.conditions = conditions
        for row in self.instances(search):
            if all(_folded(row[columns.index(name)]) == _folded(value) for name, value in keys.items()):
                return row[: len(request.columns)]
        return None

    def put(self, request: Request, instance: Instance, flags: int) -> None:
        """Change the source of an instance of a union view: what is changed there, and nothing is made (F-41)."""
        view = self._view(request.class_)
        if view.kind != "union" or flags & f.WBEM_FLAG_CREATE_ONLY:
            raise error(
                WBEM_E_PROVIDER_NOT_CAPABLE,
                f"{view.class_.name}: instances of union views can be changed, and none can be made",
                parameter=view.class_.name,
            )
        keys = {name: instance.raw_(name) for name in view.class_.keys}
        number, space, source = self._source_of(view, keys, request.caller)
        changes = self._changes(view, instance, number, space, source)
        if changes:
            wmi = asked(space, request.caller)
            wmi.write(ops.PutInstance(source.with_(changes)), f.WBEM_FLAG_UPDATE_ONLY)

    def method(
        self, request: Request, method: str, keys: Mapping[str, object] | None, params: Mapping[str, object]
    ) -> Mapping[str, object]:
        """Run the method of the source that MethodSource names."""
        view = self._view(request.class_)
        declared = view.class_.method(method)
        names = declared.qualifiers.value("methodsource") if declared is not None else None
        if view.kind != "union" or not isinstance(names, tuple) or len(names) != len(view.sources):
            raise error(
                WBEM_E_INVALID_METHOD, f"{view.class_.name}.{method} has no MethodSource", parameter=method
            )
        if keys is None:
            number, space = 0, view.sources[0].spaces[0]
            path = view.sources[0].class_name
        else:
            number, space, source = self._source_of(view, keys, request.caller)
            path = source.relpath_ or ""
        out = asked(space, request.caller).call(path, names[number], dict(params) or None)
        return {} if out is None else {name: out.raw_(name) for name in out.names_}

    # Sources

    def _view(self, class_: Class) -> View:
        found = self._views.get(class_)
        if found is None:
            if len(self._views) > 256:
                self._views.clear()
            found = self._views[class_] = read_view(self._space, class_)
        return found

    def source_rows(
        self,
        view: View,
        number: int,
        caller: Caller,
        *,
        names: Iterable[str] | None,
        conditions: Sequence[tuple[str, object]] = (),
    ) -> Iterator[Found]:
        """The instances of a source: with the properties `names`, None for all it selects, where (name, value) are
        equal."""
        source = view.sources[number]
        text = _narrowed(source.query, names, conditions)
        for space in source.spaces:
            for batch in asked(space, caller).query(text):
                for one in batch:
                    yield number, space, one  # type: ignore[misc]

    def _source_of(self, view: View, keys: Mapping[str, object], caller: Caller) -> Found:
        """The one source instance behind an instance of a union view."""
        for number in range(len(view.sources)):
            conditions = pushed(view, number, tuple(Condition(*one) for one in _equal(keys)))
            whole = view._replace(sources=tuple(one._replace(query=_all(one.query)) for one in view.sources))
            for found in self.source_rows(whole, number, caller, names=None, conditions=conditions):
                values = {name: self.value(view, name, found, caller) for name in keys}
                if all(_folded(values[name]) == _folded(keys[name]) for name in keys):
                    return found
        raise error(WBEM_E_NOT_FOUND, f"there is no such instance of {view.class_.name}")

    def _changes(
        self, view: View, instance: Instance, number: int, space: Namespace, source: Instance
    ) -> dict[str, Any]:
        changes: dict[str, Any] = {}
        for position, one in enumerate(view.class_.properties.values()):
            name = view.names[one.name][number]
            if one.is_key or not name or one.name in view.hidden or instance.defaults_ >> position & 1:
                continue
            value = instance.values_[position]
            if value == self._plain(view, one.name, (number, space, source)):
                continue
            if name.startswith("__"):
                raise error(WBEM_E_READ_ONLY, f"{view.class_.name}.{one.name} is {name}", parameter=one.name)
            changes[name] = value
        return changes

    # Rows

    def _united(self, view: View, request: Request) -> Iterator[Row]:
        """Unions and associations: a row for each instance of each source."""
        for number in range(len(view.sources)):
            names = [view.names[column][number] for column in request.columns]
            conditions = pushed(view, number, request.conditions)
            for found in self.source_rows(
                view, number, request.caller, names=filter(None, names), conditions=conditions
            ):
                try:
                    yield tuple(
                        [self.value(view, column, found, request.caller) for column in request.columns]
                    )
                except _Nowhere:
                    continue  # what it refers to is not in the view that it should be in

    def value(self, view: View, column: str, found: Found, caller: Caller) -> Any:
        """A property of a view's instance."""
        declared = view.class_.properties[column.lower()]
        value = self._plain(view, column, found)
        if isinstance(value, str) and declared.type == CimType.REFERENCE:
            value = _absolute(value, found[1])
            target = self._space.schema.find_class(declared.reference) if declared.reference else None
            if (
                view.kind == "association"
                and column not in view.direct
                and target is not None
                and is_view(target)
            ):
                value = self._pointed(target, value, caller)
        return coerce(value, declared.type, name=column)

    def _plain(self, view: View, column: str, found: Found) -> Any:
        number, _, instance = found
        if column in view.hidden:
            return view.class_.properties[column.lower()].default
        name = view.names[column][number]
        if not name:
            return None
        return instance[name] if name.startswith("__") else instance.raw_(name)

    def _pointed(self, target: Class, text: str, caller: Caller) -> str:
        """The path of a view's instance whose source a path leads to."""
        view = self._view(target)
        path = parse_path(text)
        for number, source in enumerate(view.sources):
            for space in source.spaces:
                class_ = space.schema.find_class(path.class_name or "")
                if class_ is None or (path.namespace or "").lower() != space.path.lower():
                    continue
                if not class_.inherits_from(source.class_name):
                    continue
                for found in self._at(view, number, class_, text, caller):
                    keys = [self.value(view, name, found, caller) for name in target.keys]
                    types = [target.properties[name.lower()].type for name in target.keys]
                    relative = relpath_of(target.name, target.keys, types, keys)
                    return f"\\\\{self._space.server}\\{self._space.path}:{relative}"
        raise _Nowhere

    def _at(self, view: View, number: int, class_: Class, text: str, caller: Caller) -> Iterator[Found]:
        """The instance of a source that has this path, if the source's query finds it."""
        path = parse_path(text)
        keys = tuple([(name or class_.keys[0], value) for name, value in path.keys])
        wanted = _key_text(path._replace(keys=keys).relative())
        simple = [(name, value) for name, value in keys if isinstance(value, _PUSHED)]
        names = ["__RELPATH", *(view.names[name][number] for name in view.class_.keys)]
        for found in self.source_rows(view, number, caller, names=names, conditions=simple):
            if _key_text(found[2]["__RELPATH"]) == wanted:
                yield found


class _Nowhere(Exception):
    """A reference leads to nothing that the view has."""


def asked(space: Namespace, caller: Caller) -> OneShot:
    """A namespace, asked by this caller with the rights it has there."""
    if caller.remote:
        caller = logged_on(caller, space, "ExecQuery")
    return OneShot(space, caller)


def _equal(keys: Mapping[str, object]) -> list[tuple[str, str, object]]:
    return [(name, "=", value) for name, value in keys.items()]


def pushed(view: View, number: int, conditions: Sequence[Condition]) -> list[tuple[str, object]]:
    """Tests of the view that a source can make."""
    found: list[tuple[str, object]] = []
    for name, op, value in conditions:
        declared = view.class_.property(name)
        if op != "=" or declared is None or not isinstance(value, _PUSHED) or declared.name in view.hidden:
            continue
        source = view.names[declared.name][number]
        if (
            source
            and not source.startswith("__")
            and not declared.type & ARRAY
            and declared.type != CimType.REFERENCE
        ):
            found.append((source, value))
    return found


def _all(query: wql.Select) -> wql.Select:
    found = wql.parse(wql.text_of(query))
    assert isinstance(found, wql.Select)
    found.columns = None
    return found


def _narrowed(
    query: wql.Select, names: Iterable[str] | None, conditions: Sequence[tuple[str, object]]
) -> str:
    """The query of a source for some of its columns, with more tests."""
    from openwmi.wql.printer import condition_text

    tests = [f"({condition_text(query.where)})"] if query.where is not None else []
    tests += [f"{name} = {_literal(value)}" for name, value in conditions]
    where = f" WHERE {' AND '.join(tests)}" if tests else ""
    if names is None:
        head = wql.text_of(query).partition(" FROM ")[0]
    else:
        head = f"SELECT {', '.join(dict.fromkeys(names)) or '__CLASS'}"
    return f"{head} FROM {query.class_name.text}{where}"


def _literal(value: object) -> str:
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return str(value)


def _absolute(text: str, space: Namespace) -> str:
    """A reference with the place it is from."""
    try:
        path = parse_path(text)
    except WbemError:
        return text
    if path.namespace is not None or path.class_name is None:
        return text
    return str(path._replace(server=space.server, namespace=space.path))


def _key_text(relative: str | None) -> str:
    """The part of a relative path that names the keys: the class before it may be one above."""
    text = relative or ""
    return text[min((at for at in (text.find("."), text.find("=")) if at >= 0), default=0) :].upper()


def _folded(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


class _Joined:
    """The rows of a join view: source by source, each looked up by what it must equal in those before it."""

    def __init__(self, provider: ViewProvider, view: View, request: Request) -> None:
        self._provider = provider
        self._view = view
        self._request = request
        self._step: Any = None
        columns = request.columns
        if view.post_filter is not None:
            query = wql.parse(view.post_filter)
            assert isinstance(query, wql.Select)
            plan = wql.plan(query, provider._space.schema, flags=f.WBEM_FLAG_DIRECT_READ)
            self._step = plan.steps[0] if plan.steps else None
            columns = self._step.columns if self._step is not None else ()
        self._columns: tuple[str, ...] = columns

    def rows(self) -> Iterator[Row]:
        if self._view.post_filter is None:
            return self._combined()
        if self._step is None:
            return iter(())
        names = self._step.layout.names
        places = [names.index(column) for column in self._request.columns]
        return (tuple([row[place] for place in places]) for row in self._step.run(self._combined()))

    def _combined(self) -> Iterator[Row]:
        view, caller = self._view, self._request.caller
        sources = [self._source(number) for number in range(len(view.sources))]
        for combination in self._extended((), sources):
            if self._request.cancelled:
                return
            yield tuple([self._value(column, combination, caller) for column in self._columns])

    def _value(self, column: str, combination: tuple[Found, ...], caller: Caller) -> Any:
        """A value from the first source that has one for the column."""
        for found in combination:
            if self._view.names[column][found[0]]:
                return self._provider.value(self._view, column, found, caller)
        return None

    def _source(self, number: int) -> Callable[[tuple[Found, ...]], Iterable[Found]]:
        """What gives the instances of a source that fit those of the sources before it."""
        view = self._view
        needed = [view.names[column][number] for column in self._columns]
        needed += [end.name for join in view.joins for end in (join.left, join.right) if end.source == number]
        conditions = pushed(view, number, self._request.conditions)
        found = list(
            self._provider.source_rows(
                view, number, self._request.caller, names=filter(None, needed), conditions=conditions
            )
        )
        pairs = [pair for join in view.joins if (pair := _towards(join, number)) is not None]
        equal = [(own, other) for own, other, same in pairs if same]
        unequal = [(own, other) for own, other, same in pairs if not same]
        index: dict[tuple[object, ...], list[Found]] = {}
        for one in found:
            index.setdefault(tuple(_joined(one, own) for own, _ in equal), []).append(one)

        def fitting(before: tuple[Found, ...]) -> Iterable[Found]:
            key = tuple(_joined(before[other.source], other) for _, other in equal)
            if None in key:
                return ()
            return (
                one
                for one in index.get(key, ())
                if all(_differ(_joined(one, own), _joined(before[o.source], o)) for own, o in unequal)
            )

        return fitting

    def _extended(
        self,
        before: tuple[Found, ...],
        sources: Sequence[Callable[[tuple[Found, ...]], Iterable[Found]]],
    ) -> Iterator[tuple[Found, ...]]:
        if len(before) == len(sources):
            yield before
            return
        for one in sources[len(before)](before):
            yield from self._extended((*before, one), sources)


def _towards(join: Any, number: int) -> tuple[End, End, bool] | None:
    """A condition as (end of this source, end of an earlier one, whether they are equal)."""
    ends = {join.left.source: join.left, join.right.source: join.right}
    if number not in ends or max(ends) != number:
        return None
    return ends[number], ends[min(ends)], join.equal


def _joined(found: Found, end: End) -> object:
    value = found[2][end.name] if end.name.startswith("__") else found[2].raw_(end.name)
    return _folded(value)


def _differ(left: object, right: object) -> bool:
    return left is not None and right is not None and left != right
