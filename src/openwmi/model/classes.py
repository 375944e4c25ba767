"""Classes: what a declaration says, and what it becomes below its superclass (model.md A5, A14)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openwmi.model.errors import error
from openwmi.model.instances import Instance, nearest
from openwmi.model.layouts import Layout
from openwmi.model.members import ClassDeclaration, Method, Property
from openwmi.model.qualifiers import EMPTY, QualifierSet
from openwmi.model.status import WBEM_E_ILLEGAL_OPERATION, WBEM_E_INVALID_PROPERTY
from openwmi.model.system import GENUS_CLASS, SYSTEM_TYPES, full_path
from openwmi.model.values import coerce

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Class", "ClassDeclaration", "Method", "Property", "derive"]

_PARAMETER_CLASS = "Win32_MethodParameterClass"


_property = property  # Class has a method of that name


class Class:
    """A class with everything it inherits. Immutable; made by :func:`derive`, or by a decoder from its parts.

    derivation: names of its ancestors, parent first; dynasty: the topmost one, or its own name; properties and
    methods: by lower-case name, of the base class first, then as declared; keys: declared names of the key properties;
    key_root: the ancestor, or the class itself, from which on there are keys, or one instance only.
    """

    __slots__ = (
        "_declaration",
        "_layout",
        "_passed_on",
        "derivation",
        "dynasty",
        "key_root",
        "keys",
        "methods",
        "name",
        "namespace",
        "properties",
        "qualifiers",
        "server",
        "superclass",
    )

    def __init__(
        self,
        name: str,
        superclass: str | None = None,
        derivation: tuple[str, ...] = (),
        dynasty: str | None = None,
        qualifiers: QualifierSet = EMPTY,
        properties: dict[str, Property] | None = None,
        methods: dict[str, Method] | None = None,
        keys: tuple[str, ...] | None = None,
        namespace: str | None = None,
        server: str | None = None,
        declaration: ClassDeclaration | None = None,
    ) -> None:
        """`keys` and `declaration` follow from the other parts when they are left out."""
        self.name = name
        self.superclass = superclass
        self.derivation = derivation
        self.dynasty = dynasty if dynasty is not None else (derivation[-1] if derivation else name)
        self.qualifiers = qualifiers
        self.properties = properties if properties is not None else {}
        self.methods = methods if methods is not None else {}
        self.keys = (
            keys if keys is not None else tuple([one.name for one in self.properties.values() if one.is_key])
        )
        self.key_root = name  # openwmi.model.inheritance knows better
        self.namespace = namespace
        self.server = server
        self._declaration = declaration
        self._layout: Layout | None = None
        self._passed_on: Any = None  # what subclasses receive; kept by openwmi.model.inheritance

    # Parts --------------------------------------------------------------------------------------------------------

    def property(self, name: str) -> Property | None:
        return self.properties.get(name.lower())

    def method(self, name: str) -> Method | None:
        return self.methods.get(name.lower())

    def inherits_from(self, name: str) -> bool:
        """Whether `name` is this class or an ancestor (A-213)."""
        lower = name.lower()
        return self.name.lower() == lower or lower in [above.lower() for above in self.derivation]

    @_property
    def declaration(self) -> ClassDeclaration:
        """Only what the class says itself."""
        if self._declaration is None:
            self._declaration = ClassDeclaration(
                self.name,
                self.superclass,
                self.qualifiers.local(),
                [_own(one) for one in self.properties.values() if one.local],
                [
                    one.replace(qualifiers=one.qualifiers.local())
                    for one in self.methods.values()
                    if one.local
                ],
            )
        return self._declaration

    @_property
    def layout(self) -> Layout:
        """The layout of its instances."""
        if self._layout is None:
            self._layout = Layout(
                self.name,
                [one.name for one in self.properties.values()],
                [one.type for one in self.properties.values()],
                superclass=self.superclass,
                derivation=self.derivation,
                dynasty=self.dynasty,
                key_names=self.keys,
                namespace=self.namespace,
                server=self.server,
                class_=self,
                references=tuple([one.reference for one in self.properties.values()]),
                singleton=self.is_singleton,
            )
        return self._layout

    # What its qualifiers say --------------------------------------------------------------------------------------

    @_property
    def is_abstract(self) -> bool:
        return self.qualifiers.truth("abstract")

    @_property
    def is_singleton(self) -> bool:
        return self.qualifiers.truth("singleton")

    @_property
    def is_association(self) -> bool:
        return self.qualifiers.truth("association")

    @_property
    def is_dynamic(self) -> bool:
        return self.qualifiers.truth("dynamic")

    @_property
    def provider(self) -> str | None:
        """The name of the provider of its instances; None for a static class."""
        name = self.qualifiers.value("provider")
        return name if isinstance(name, str) else None

    @_property
    def is_system(self) -> bool:
        return self.name.startswith("__")

    # Place --------------------------------------------------------------------------------------------------------

    @_property
    def relpath(self) -> str | None:
        return self.name or None

    @_property
    def path(self) -> str | None:
        return full_path(self.server, self.namespace, self.relpath)

    def decorated(self, namespace: str | None, server: str | None) -> Class:
        """The same class in another place."""
        if namespace == self.namespace and server == self.server:
            return self
        twin = Class(
            self.name,
            self.superclass,
            self.derivation,
            self.dynasty,
            self.qualifiers,
            self.properties,
            self.methods,
            self.keys,
            namespace,
            server,
            self._declaration,
        )
        twin.key_root = self.key_root
        return twin

    def system_(self, name: str) -> Any:
        """A system property, raw (A-140). KeyError when there is none of that name."""
        upper = name.upper()
        if upper not in SYSTEM_TYPES:
            raise KeyError(f"there is no system property {name}")
        if upper == "__GENUS":
            return GENUS_CLASS
        if upper == "__PROPERTY_COUNT":
            return len(self.properties)
        if upper == "__CLASS":
            return self.name or None
        value = getattr(self, upper[2:].lower())
        return value if value != "" else None

    # Instances ----------------------------------------------------------------------------------------------------

    def spawn(self, values: Mapping[str, Any] | None = None) -> Instance:
        """A new instance: `values` coerced, the class defaults for the rest (A-143, A-207).

        ILLEGAL_OPERATION for an abstract class (A-263), except for those of method parameters: __PARAMETERS (A-148),
        and what Win32_Process.Create takes. INVALID_PROPERTY for a name that the class lacks.
        """
        if self.is_abstract and self.name != "__PARAMETERS" and not self.inherits_from(_PARAMETER_CLASS):
            message = f"class {self.name} is abstract and has no instances"
            raise error(WBEM_E_ILLEGAL_OPERATION, message, parameter=self.name)
        row = [one.default for one in self.properties.values()]
        layout = self.layout
        defaults = (1 << len(row)) - 1
        for name, value in (values or {}).items():
            position = layout.index.get(name.lower())
            if position is None:
                near = nearest(name, layout.names)
                message = (
                    f"class {self.name} has no property {name}{f'; did you mean {near}?' if near else ''}"
                )
                raise error(WBEM_E_INVALID_PROPERTY, message, parameter=name)
            row[position] = coerce(
                value,
                layout.types[position],
                name=layout.names[position],
                reference=layout.references[position],
            )
            defaults &= ~(1 << position)
        return Instance(layout, tuple(row), defaults)

    def new_(self, /, **values: Any) -> Instance:
        """`spawn` as one writes it in Python: `new_(Key="a")`."""
        return self.spawn(values)

    # Comparing ----------------------------------------------------------------------------------------------------

    def __eq__(self, other: object) -> bool:
        """Same names, ancestors, properties, methods and qualifiers; the place aside."""
        if self is other:
            return True
        if not isinstance(other, Class):
            return NotImplemented
        return (
            self.name.lower() == other.name.lower()
            and [one.lower() for one in self.derivation] == [one.lower() for one in other.derivation]
            and self.qualifiers == other.qualifiers
            and self.properties == other.properties
            and self.methods == other.methods
        )

    def __hash__(self) -> int:
        return hash((self.name.lower(), len(self.properties), len(self.methods)))

    def __repr__(self) -> str:
        return f"<Class {self.name}{f' : {self.superclass}' if self.superclass else ''}>"


def _own(one: Property) -> Property:
    return one.replace(qualifiers=one.qualifiers.local().without("cimtype"))


def derive(
    declaration: ClassDeclaration,
    parent: Class | None,
    *,
    namespace: str | None = None,
    server: str | None = None,
) -> Class:
    """The class that a declaration makes below `parent`; raises what model.md A5 to A7 say about a broken one."""
    from openwmi.model.inheritance import resolve

    return resolve(declaration, parent, namespace, server)
