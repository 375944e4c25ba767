"""A class while a program edits it, without any COM (model.md A10).

Classes of the model are immutable. A draft starts from one, changes it part by part, and gives the changed one as its
content. Every change of a member is checked by deriving a class that has this member alone, so that
the rules of inheritance stay in one place; what concerns the class as a whole is judged when it is put.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from openwmi.model.cimtypes import ARRAY, NAMES, CimType
from openwmi.model.classes import Class, ClassDeclaration, Method, Property, derive
from openwmi.model.errors import WbemError, error
from openwmi.model.names import MAX_PROPERTIES
from openwmi.model.qualifiers import EMPTY, QualifierSet
from openwmi.model.status import (
    WBEM_E_INVALID_FLAVOR,
    WBEM_E_INVALID_QUALIFIER,
    WBEM_E_INVALID_QUALIFIER_TYPE,
    WBEM_E_NOT_FOUND,
    WBEM_E_OVERRIDE_NOT_ALLOWED,
    WBEM_E_PROPAGATED_METHOD,
    WBEM_E_PROPAGATED_PROPERTY,
    WBEM_E_TOO_MANY_PROPERTIES,
    WBEM_S_NO_ERROR,
    WBEM_S_RESET_TO_DEFAULT,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    # Gives the class of a name, or None: for what a superclass passes on once an override is gone.
    Find: TypeAlias = Callable[[str], Class | None]

_DRAFT = "Draft"
_BASE = "Base"
_QUALIFIER_ERRORS = (
    WBEM_E_INVALID_QUALIFIER,
    WBEM_E_INVALID_QUALIFIER_TYPE,
    WBEM_E_INVALID_FLAVOR,
    WBEM_E_OVERRIDE_NOT_ALLOWED,
)


def _missing(kind: str, name: str) -> WbemError:
    return error(WBEM_E_NOT_FOUND, f"there is no {kind} {name}", parameter=name)


class ClassDraft:
    """A class being edited. registered: whether it came from a service, so that it can be spawned from (A-207)."""

    __slots__ = ("_content", "_find", "methods", "name", "properties", "qualifiers", "registered", "source")

    def __init__(self, class_: Class, find: Find, *, registered: bool = True) -> None:
        self.source = class_  # place and ancestors
        self.name = class_.name
        self.qualifiers = class_.qualifiers
        self.properties = dict(class_.properties)
        self.methods = dict(class_.methods)
        self.registered = registered
        self._find = find
        self._content: Class | None = class_

    @property
    def content(self) -> Class:
        """The class as it is now."""
        if self._content is None:
            place = self.source
            self._content = Class(
                self.name,
                place.superclass,
                place.derivation,
                None,
                self.qualifiers,
                dict(self.properties),
                dict(self.methods),
                None,
                place.namespace,
                place.server,
            )
        return self._content

    def changed(self) -> None:
        self._content = None

    def clone(self) -> ClassDraft:
        return ClassDraft(self.content, self._find, registered=self.registered)

    def rename(self, name: str) -> None:
        """Name a class that is being made; what it introduced has its origin there."""
        old = self.name
        self.name = name
        for members in (self.properties, self.methods):
            for key, one in members.items():
                if one.local and one.origin == old:
                    members[key] = one.replace(origin=name)  # type: ignore[assignment]
        self.changed()

    # Reading

    def member(self, name: str) -> tuple[object, int, bool] | None:
        """A property: its default, its type, and whether the class declares or overrides it."""
        one = self.properties.get(name.lower())
        return None if one is None else (one.default, one.type, one.local)

    @property
    def names(self) -> list[str]:
        return [one.name for one in self.properties.values()]

    def declared(self, name: str) -> Property | None:
        """What the class says of a property."""
        return self.properties.get(name.lower())

    def property_qualifiers(self, name: str) -> QualifierSet:
        return self.properties[name.lower()].qualifiers

    def is_key(self, name: str) -> bool:
        return self.properties[name.lower()].is_key

    def above(self) -> Class | None:
        """The superclass, where it is to be had."""
        return self._find(self.source.superclass) if self.source.superclass else None

    # Properties

    def put_property(self, one: Property, restored: QualifierSet = EMPTY) -> None:
        """Add a property, or change one: `one` says what the class itself declares of it."""
        key = one.name.lower()
        present = self.properties.get(key)
        if present is None and len(self.properties) >= MAX_PROPERTIES:
            raise error(WBEM_E_TOO_MANY_PROPERTIES, f"a class has at most {MAX_PROPERTIES} properties")
        base = None
        if present is not None and not self._own(present):
            qualifiers = present.qualifiers.propagated().with_(*restored)
            inherited = present.replace(qualifiers=qualifiers, local=False)
            base = Class(_BASE, qualifiers=_abstract(self.source), properties={key: inherited})
        made = _derived(base, properties=(one,)).properties[key]
        self.properties[key] = made if base is not None else made.replace(origin=self.name)
        self.changed()

    def delete_property(self, name: str) -> int:
        """WBEM_S_RESET_TO_DEFAULT for an override, after which the inherited property shows again (A-203)."""
        key = name.lower()
        one = self.properties.get(key)
        if one is None:
            raise _missing("property", name)
        if not one.local:
            raise error(WBEM_E_PROPAGATED_PROPERTY, f"property {one.name} is inherited", parameter=one.name)
        return self._deleted(self.properties, key, one)  # type: ignore[arg-type]

    # Methods

    def put_method(self, name: str, inputs: Class | None, outputs: Class | None) -> None:
        """Add or change a method; the rules of its parameters are A-210's."""
        key = name.lower()
        present = self.methods.get(key)
        qualifiers = EMPTY if present is None else present.qualifiers.local()
        self._put_method(Method(name, qualifiers, inputs, outputs), present)

    def _put_method(self, one: Method, present: Method | None, restored: QualifierSet = EMPTY) -> None:
        key = one.name.lower()
        base = None
        if present is not None and not self._own(present):
            qualifiers = present.qualifiers.propagated().with_(*restored)
            inherited = present.replace(qualifiers=qualifiers, local=False)
            base = Class(_BASE, methods={key: inherited})
        made = _derived(base, methods=(one,)).methods[key]
        self.methods[key] = made if base is not None else made.replace(origin=self.name)
        self.changed()

    def delete_method(self, name: str) -> int:
        key = name.lower()
        one = self.methods.get(key)
        if one is None:
            raise _missing("method", name)
        if not one.local:
            raise error(WBEM_E_PROPAGATED_METHOD, f"method {one.name} is inherited", parameter=one.name)
        return self._deleted(self.methods, key, one)  # type: ignore[arg-type]

    def _own(self, one: Property | Method) -> bool:
        """Whether the class introduced a member itself."""
        return one.local and one.origin.lower() == self.name.lower()

    def _deleted(self, members: dict[str, Property | Method], key: str, one: Property | Method) -> int:
        if self._own(one):
            del members[key]
            self.changed()
            return WBEM_S_NO_ERROR
        above = self.above()
        passed = _derived(above) if above is not None else None
        inherited: Property | Method | None = None
        if passed is not None:
            inherited = (passed.properties if isinstance(one, Property) else passed.methods).get(key)
        if inherited is None:
            inherited = one.replace(qualifiers=one.qualifiers.propagated(), local=False)
        members[key] = inherited
        self.changed()
        return WBEM_S_RESET_TO_DEFAULT

    # Qualifiers

    def inherited_qualifiers(self) -> QualifierSet:
        above = self.above()
        return EMPTY if above is None else above.qualifiers.passed_on()

    def inherited_property_qualifiers(self, name: str) -> QualifierSet:
        above = self.above()
        one = None if above is None else above.property(name)
        return EMPTY if one is None else one.qualifiers.passed_on()

    def inherited_method_qualifiers(self, name: str) -> QualifierSet:
        above = self.above()
        one = None if above is None else above.method(name)
        return EMPTY if one is None else one.qualifiers.passed_on()

    def put_qualifiers(self, local: QualifierSet, restored: QualifierSet) -> None:
        """Replace the local qualifiers of the class; `restored` are inherited ones that were hidden until now."""
        inherited = self.qualifiers.propagated().with_(*restored)
        merged = local.inherited_from(inherited)
        try:
            _derived(None, qualifiers=local)
        except WbemError as reason:
            if reason.code in _QUALIFIER_ERRORS:
                raise
        self.qualifiers = merged
        self.changed()

    def put_property_qualifiers(self, name: str, local: QualifierSet, restored: QualifierSet) -> None:
        one = self.properties[name.lower()]
        reference = one.reference
        written = local.get("cimtype")
        if written is not None and written.value != _cimtype(one):
            reference = _referenced(one, written.value)
        has_default = one.local and one.has_default
        changed = one.replace(
            qualifiers=local.without("cimtype"), has_default=has_default, reference=reference
        )
        self.put_property(changed, restored)

    def put_method_qualifiers(self, name: str, local: QualifierSet, restored: QualifierSet) -> None:
        one = self.methods[name.lower()]
        self._put_method(one.replace(qualifiers=local), one, restored)


def _cimtype(one: Property) -> object:
    return one.qualifiers.value("cimtype")


def _referenced(one: Property, text: object) -> str | None:
    """The class that a CIMTYPE like `ref:Win32_X` or `object:Win32_X` makes a property refer to (A-009)."""
    word, _, name = str(text).partition(":")
    if (
        one.type & ~ARRAY not in (CimType.REFERENCE, CimType.OBJECT)
        or word.lower() != NAMES[one.type & ~ARRAY]
    ):
        message = f"the CIMTYPE of {one.name} is {_cimtype(one)}, not {text}"
        raise error(WBEM_E_INVALID_QUALIFIER, message, parameter=one.name)
    return name or None


def _abstract(class_: Class) -> QualifierSet:
    """What decides whether a subclass may add keys: an abstract superclass may have none of its own (A-086)."""
    return (
        EMPTY if class_.keys else QualifierSet([q for q in class_.qualifiers if q.name.lower() == "abstract"])
    )


def _derived(
    base: Class | None,
    *,
    qualifiers: QualifierSet = EMPTY,
    properties: tuple[Property, ...] = (),
    methods: tuple[Method, ...] = (),
) -> Class:
    """A class with one member below a base, for the checks and the merging of inheritance."""
    superclass = None if base is None else base.name
    return derive(ClassDeclaration(_DRAFT, superclass, qualifiers, properties, methods), base)
