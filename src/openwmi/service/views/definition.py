"""What the qualifiers of a view class say: its sources, how they are put together, and where each value comes from."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from openwmi import wql
from openwmi.model.errors import WbemError, error
from openwmi.model.names import is_machine
from openwmi.model.paths import parse_path
from openwmi.model.status import WBEM_E_CIRCULAR_REFERENCE, WBEM_E_INVALID_CLASS, WBEM_E_NOT_SUPPORTED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openwmi.model.classes import Class
    from openwmi.service.namespaces import Namespace

Kind = Literal["join", "union", "association"]
Place = tuple[str, str]  # namespace and name of a view class, in lower case
PROVIDER: Final = "MS_VIEW_INSTANCE_PROVIDER"
MAX_SOURCES: Final = 64
# Views that may stand on each other, the first included.
MAX_DEPTH: Final = 32
_KINDS: Final[tuple[tuple[str, Kind], ...]] = (
    ("joinon", "join"),
    ("union", "union"),
    ("association", "association"),
)
_JOIN: Final = re.compile(r"\s*(\w+)\.(\w+)\s*(=|<>|!=)\s*(\w+)\.(\w+)\s*\Z")
_AND: Final = re.compile(r"\s+and\s+", re.IGNORECASE)


class Source(NamedTuple):
    """One of ViewSources: a query, and the namespaces in which it is asked."""

    query: wql.Select
    spaces: tuple[Namespace, ...]

    @property
    def class_name(self) -> str:
        return self.query.class_name.text


class End(NamedTuple):
    """A property of a source, by the source's number."""

    source: int
    name: str


class Join(NamedTuple):
    """One condition of JoinOn."""

    left: End
    equal: bool
    right: End


class View(NamedTuple):
    """A view class.

    names: of each property, by its declared name, the source's property for each source, "" for none. hidden: those
    with HiddenDefault; direct: references that stay as they are. post_filter: the query of PostJoinFilter.
    """

    class_: Class
    kind: Kind
    sources: tuple[Source, ...]
    names: dict[str, tuple[str, ...]]
    hidden: frozenset[str]
    direct: frozenset[str]
    joins: tuple[Join, ...]
    post_filter: str | None


def is_view(class_: Class | None) -> bool:
    """Whether the View provider serves a class."""
    return class_ is not None and class_.is_dynamic and (class_.provider or "").upper() == PROVIDER


def read_view(space: Namespace, class_: Class) -> View:
    """The definition of a view class; INVALID_CLASS when its qualifiers make none or it stands on too many,
    CIRCULAR_REFERENCE when it is among its own sources."""
    view = _read(space, class_)
    _check_below(view, frozenset(((space.path.lower(), class_.name.lower()),)), {})
    return view


def _bad(class_: Class, why: str) -> WbemError:
    return error(WBEM_E_INVALID_CLASS, f"view class {class_.name}: {why}", parameter=class_.name)


def _texts(class_: Class, name: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, tuple) or not all(isinstance(one, str) for one in value):
        raise _bad(class_, f"{name} must be an array of texts")
    return value


def _read(space: Namespace, class_: Class) -> View:
    qualifiers = class_.qualifiers
    kinds = [kind for name, kind in _KINDS if qualifiers.value(name)]
    if len(kinds) != 1:
        raise _bad(class_, "it needs exactly one of JoinOn, Union and Association")
    sources = _sources(space, class_)
    names, hidden, direct = {}, set(), set()
    for one in class_.properties.values():
        given = one.qualifiers.value("propertysources")
        found = _texts(class_, f"PropertySources of {one.name}", given if given is not None else ())
        if len(found) != len(sources):
            raise _bad(
                class_,
                f"PropertySources of {one.name} must have {len(sources)} elements, one for each source",
            )
        names[one.name] = found
        if one.qualifiers.truth("hiddendefault"):
            hidden.add(one.name)
        if one.qualifiers.truth("direct"):
            direct.add(one.name)
    kind = kinds[0]
    for key in class_.keys:
        if kind != "join" and not all(names[key]):
            raise _bad(class_, f"key {key} needs a property of every source")
    joins = _joins(class_, sources, qualifiers.value("joinon")) if kind == "join" else ()
    post_filter = qualifiers.value("postjoinfilter") if kind == "join" else None
    if post_filter is not None and not isinstance(wql.parse(post_filter), wql.Select):
        raise _bad(class_, "PostJoinFilter must be a SELECT query")
    return View(class_, kind, sources, names, frozenset(hidden), frozenset(direct), joins, post_filter)


def _sources(space: Namespace, class_: Class) -> tuple[Source, ...]:
    queries = _texts(class_, "ViewSources", class_.qualifiers.value("viewsources"))
    places = _texts(class_, "ViewSpaces", class_.qualifiers.value("viewspaces"))
    if not queries or len(queries) != len(places) or len(queries) > MAX_SOURCES:
        raise _bad(class_, f"it needs as many ViewSpaces as ViewSources, at most {MAX_SOURCES}")
    found = []
    for text, place in zip(queries, places, strict=True):
        query = wql.parse(text)
        if not isinstance(query, wql.Select):
            raise _bad(class_, f"{text!r:.100} is not a SELECT query")
        found.append(Source(query, tuple(_space(space, class_, one) for one in place.split("::"))))
    return tuple(found)


def _space(space: Namespace, class_: Class, text: str) -> Namespace:
    path = parse_path(text.strip())
    if not is_machine(path.server, space.server):
        raise error(
            WBEM_E_NOT_SUPPORTED,
            f"view class {class_.name}: sources on other machines ({path.server}) are not there yet",
            parameter=class_.name,
        )
    return space.namespaces.named(path.namespace or str(path))


def _joins(class_: Class, sources: tuple[Source, ...], text: object) -> tuple[Join, ...]:
    by_class = {source.class_name.lower(): number for number, source in enumerate(sources)}
    if len(by_class) != len(sources):
        raise _bad(class_, "a join has one source for each class")
    found = []
    for condition in _AND.split(str(text)):
        parts = _JOIN.match(condition)
        ends = [] if parts is None else [(parts[1], parts[2]), (parts[4], parts[5])]
        if parts is None or any(name.lower() not in by_class for name, _ in ends):
            raise _bad(class_, f"JoinOn {condition!r:.100} does not compare properties of two sources")
        left, right = (End(by_class[name.lower()], one) for name, one in ends)
        if left.source == right.source:
            raise _bad(class_, f"JoinOn {condition!r:.100} compares a source with itself")
        found.append(Join(left, parts[3] == "=", right))
    return tuple(found)


def _check_below(view: View, above: frozenset[Place], heights: dict[Place, int]) -> int:
    """How many views stand on each other, this one included: INVALID_CLASS for too many, CIRCULAR_REFERENCE where a
    source is one of the views above. heights: of those that are known; each is looked at once, however many lead to it.
    """
    most = 0
    for one, class_ in _views_below(view):
        key = (one.path.lower(), class_.name.lower())
        if key in above:
            raise error(
                WBEM_E_CIRCULAR_REFERENCE,
                f"view class {class_.name} of {one.path} is among its own sources",
                parameter=class_.name,
            )
        if len(above) + heights.get(key, 1) > MAX_DEPTH:
            raise _bad(class_, f"more than {MAX_DEPTH} views stand on each other")
        if key not in heights:
            heights[key] = _check_below(_read(one, class_), above | {key}, heights)
        most = max(most, heights[key])
    return most + 1


def _views_below(view: View) -> Iterator[tuple[Namespace, Class]]:
    """The views among the sources of a view, with the subclasses of sources."""
    for source in view.sources:
        for one in source.spaces:
            class_ = one.schema.find_class(source.class_name)
            below = [] if class_ is None else [class_, *one.schema.subclasses(class_.name)]
            yield from ((one, each) for each in below if is_view(each))
