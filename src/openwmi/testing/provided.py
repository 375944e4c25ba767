"""A dynamic class served from plain Python functions (DESIGN.md section 4, "Other fixed names")."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, TypeAlias

from openwmi import host
from openwmi.model.cimtypes import INTEGER_RANGES
from openwmi.model.classes import Class, ClassDeclaration, Method
from openwmi.model.errors import error
from openwmi.model.paths import relpath_of
from openwmi.model.qualifiers import Qualifier
from openwmi.model.status import WBEM_E_INVALID_CLASS, WBEM_E_NOT_FOUND
from openwmi.model.values import coerce, present

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Mapping

    from openwmi.contract.provider import Request, Row
    from openwmi.model.members import Property

_numbers = itertools.count(1)
_STRING, _BOOLEAN = 8, 11


def provide(
    ns: str,
    cls: str | Class | ClassDeclaration,
    instances: Callable[[], Iterable[Mapping[str, object]] | AsyncIterable[Mapping[str, object]]]
    | None = None,
    get: Callable[[dict[str, object]], Mapping[str, object] | None] | None = None,
    methods: Mapping[str, Callable[[str, dict[str, object]], Mapping[str, object]]] | None = None,
) -> None:
    """Serve a dynamic class of the embedded service until the process ends.

    ns: the namespace, made when it does not exist. cls: MOF text of the class, a Class, or the name of a class that
    the namespace has. instances(): yields dicts, may block or never end, may be an async generator. get(keys): a dict
    or None. methods: name -> f(path, params) -> dict of out-parameters. What is not given answers
    WBEM_E_PROVIDER_NOT_CAPABLE; without get, instances are enumerated and searched. Property names are taken in any
    case; a missing one is NULL.
    """
    declaration = _declaration(ns, cls)
    provider = ProvidedClass(f"{declaration.name}_provided_{next(_numbers)}", instances, get, methods)
    host.provide(ns, _made_dynamic(declaration, provider.name, methods or {}), provider)


def _declaration(ns: str, cls: str | Class | ClassDeclaration) -> ClassDeclaration:
    if isinstance(cls, Class):
        return cls.declaration
    if isinstance(cls, ClassDeclaration):
        return cls
    if "{" in cls:
        from openwmi.mof import class_declarations

        declared = list(class_declarations(cls, file="<provide>"))
        if len(declared) != 1:
            raise error(WBEM_E_INVALID_CLASS, f"the MOF text declares {len(declared)} classes instead of one")
        return declared[0]
    space = host.local().namespaces.find(ns)
    found = space.schema.find_class(cls) if space is not None else None
    if found is None:
        raise error(WBEM_E_NOT_FOUND, f"there is no class {cls} in {ns}: pass its MOF text", parameter=cls)
    return found.declaration


def _made_dynamic(
    declaration: ClassDeclaration, provider: str, methods: Mapping[str, object]
) -> ClassDeclaration:
    """The declaration with the qualifiers that lead to this provider, its methods marked as implemented."""
    served = {name.lower() for name in methods}
    unknown = served - {method.name.lower() for method in declaration.methods}
    if unknown:
        raise error(
            WBEM_E_NOT_FOUND, f"class {declaration.name} declares no method {', '.join(sorted(unknown))}"
        )
    implemented = Qualifier("Implemented", True, _BOOLEAN, 0)
    return ClassDeclaration(
        declaration.name,
        declaration.superclass,
        declaration.qualifiers.with_(
            Qualifier("dynamic", True, _BOOLEAN, 1), Qualifier("provider", provider, _STRING, 1)
        ),
        declaration.properties,
        tuple(
            _with_qualifier(method, implemented) if method.name.lower() in served else method
            for method in declaration.methods
        ),
    )


def _with_qualifier(method: Method, qualifier: Qualifier) -> Method:
    return Method(
        method.name,
        method.qualifiers.with_(qualifier),
        method.inputs,
        method.outputs,
        method.origin,
        method.local,
    )


class ProvidedClass:
    """The provider behind one provided class; it has only the roles it was given."""

    def __init__(
        self,
        name: str,
        instances: Callable[[], Any] | None,
        get: Callable[[dict[str, object]], Any] | None,
        methods: Mapping[str, Callable[[str, dict[str, object]], Any]] | None,
    ) -> None:
        self.name = name
        if instances is not None:
            self.instances = lambda request: _rows(instances(), request)
        if get is not None:
            self.instance = lambda request, keys: _row_of(get(_presented(request.class_, keys)), request)
        if methods is not None:
            table = {method.lower(): function for method, function in methods.items()}
            self.method = lambda request, method, keys, params: _called(
                table[method.lower()], request, method, keys, params
            )


def _rows(answer: Any, request: Request) -> Any:
    row_of = _Columns(request).row
    return _async_rows(answer, row_of) if hasattr(answer, "__aiter__") else map(row_of, answer)


async def _async_rows(
    answer: AsyncIterable[Mapping[str, object]], row_of: Callable[[Mapping[str, object]], Row]
) -> AsyncIterator[Row]:
    async for values in answer:
        yield row_of(values)


def _row_of(values: Any, request: Request) -> Any:
    if hasattr(values, "__await__"):
        return _awaited_row(values, request)
    return None if values is None else _Columns(request).row(values)


async def _awaited_row(answer: Any, request: Request) -> Row | None:
    values = await answer
    return None if values is None else _Columns(request).row(values)


# Where a value goes; the type of values that are raw ones already and, of numbers, their range; its property.
_Place: TypeAlias = "tuple[int, type | None, int, int, Property]"


class _Columns:
    """The wanted columns of a request, and where in a row the values of dicts go. Dicts of one source have the same
    names in the same order, mostly: those are looked up once."""

    __slots__ = ("_class", "_columns", "_names", "_places")

    def __init__(self, request: Request) -> None:
        self._class = request.class_
        self._columns = request.columns
        self._names: tuple[str, ...] = ()
        self._places: list[_Place | None] = []

    def row(self, values: Mapping[str, Any]) -> Row:
        """A dict as a row, every value coerced to its property's type; what the class does not have, or nobody wants,
        is left out (F-23)."""
        names = tuple(values)
        if names != self._names:
            self._names, self._places = names, [self._place(name) for name in names]
        row: list[Any] = [None] * len(self._columns)
        for place, value in zip(self._places, values.values(), strict=True):
            if place is not None:
                at, raw, low, high, declared = place
                kind = type(value)
                if kind is raw and (kind is str or low <= value <= high):
                    row[at] = value  # as nearly all are
                else:
                    row[at] = coerce(value, declared.type, name=declared.name, reference=declared.reference)
        return tuple(row)

    def _place(self, name: str) -> _Place | None:
        declared = self._class.property(name)
        if declared is None or declared.name not in self._columns:
            return None
        low, high = INTEGER_RANGES.get(declared.type, (0, 0))
        raw = str if declared.type == _STRING else int if high else None
        return self._columns.index(declared.name), raw, low, high, declared


def _presented(class_: Class, keys: Mapping[str, object]) -> dict[str, object]:
    shown = {}
    for name, value in keys.items():
        declared = class_.property(name)
        shown[name] = value if declared is None else present(value, declared.type)
    return shown


def _called(
    function: Callable[[str, dict[str, object]], Any],
    request: Request,
    method: str,
    keys: Mapping[str, object] | None,
    params: Mapping[str, object],
) -> Any:
    class_ = request.class_
    path = class_.name
    if keys is not None:
        types = tuple(
            declared.type for name in class_.keys if (declared := class_.property(name)) is not None
        )
        path = relpath_of(class_.name, class_.keys, types, tuple(keys[name] for name in class_.keys)) or path
        if class_.is_singleton:
            path = f"{class_.name}=@"
    declared_method = class_.method(method)
    signature = declared_method.inputs if declared_method is not None else None
    shown = dict(params) if signature is None else _presented(signature, params)
    return function(path, shown)
