"""Classes while a program edits them (model.md A10).

Each change of a member is judged at once, by the rules of inheritance. What concerns the class as a whole (its keys,
the ends of an association) is judged when it is derived from its declaration, as PutClass does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openwmi.model.cimtypes import ARRAY, NAMES, CimType, type_name
from openwmi.model.classes import Class, ClassDeclaration, Method, Property
from openwmi.model.errors import error
from openwmi.model.inheritance import (
    PassedOn,
    check_class_qualifiers,
    check_key,
    method_below,
    passed_on,
    property_below,
)
from openwmi.model.instancedrafts import (
    SYSTEM_ORIGIN,
    InstanceDraft,
    is_system,
    missing,
    read_only,
    system_entries,
    system_property,
)
from openwmi.model.instances import Instance
from openwmi.model.listing import LOCAL_ONLY, PROPAGATED_ONLY, Entry, enumeration, names
from openwmi.model.names import MAX_PROPERTIES
from openwmi.model.qualifierdrafts import QualifierDraft
from openwmi.model.qualifiers import EMPTY, PROPAGATED, SYSTEM, QualifierSet
from openwmi.model.status import (
    WBEM_E_INCOMPLETE_CLASS,
    WBEM_E_INVALID_PARAMETER,
    WBEM_E_INVALID_PROPERTY_TYPE,
    WBEM_E_INVALID_QUALIFIER,
    WBEM_E_PROPAGATED_METHOD,
    WBEM_E_PROPAGATED_PROPERTY,
    WBEM_E_TOO_MANY_PROPERTIES,
    WBEM_E_TYPE_MISMATCH,
    WBEM_S_NO_ERROR,
    WBEM_S_RESET_TO_DEFAULT,
)
from openwmi.model.system import SYSTEM_TYPES
from openwmi.model.values import coerce

if TYPE_CHECKING:
    from collections.abc import Iterator


class ClassDraft:
    """A class being edited.

    parent: the superclass, where it is at hand; without it, what an override hides is not known, and resetting one
    keeps its default. registered: whether the class came from a service; others cannot be spawned from (A-207).
    """

    __slots__ = ("_base", "_declared", "_methods", "_name", "_own", "_parent", "_start", "registered")

    def __init__(self, class_: Class, parent: Class | None = None, *, registered: bool = True) -> None:
        self._start = class_  # its place and ancestors
        self._parent = parent
        self._name = class_.name
        self._base = passed_on(parent) if parent is not None else _reconstructed(class_)
        declaration = class_.declaration
        self._own = declaration.qualifiers
        self._declared = {one.name.lower(): one for one in declaration.properties}
        self._methods = {one.name.lower(): one for one in declaration.methods}
        self.registered = registered

    def declaration(self) -> ClassDeclaration:
        """What the class says itself now: what PutClass stores."""
        return ClassDeclaration(
            self._name, self._start.superclass, self._own, self._declared.values(), self._methods.values()
        )

    def freeze(self) -> Class:
        """The class as it is now. What concerns it as a whole is not judged: `derive` its declaration for that."""
        start = self._start
        properties = dict(self._base.properties)
        for key, one in self._declared.items():
            properties[key] = property_below(self._name, one, self._base.properties.get(key))
        methods = dict(self._base.methods)
        for key, method in self._methods.items():
            methods[key] = method_below(self._name, method, self._base.methods.get(key))
        return Class(
            self._name,
            start.superclass,
            start.derivation,
            None,
            self._own.inherited_from(self._base.qualifiers),
            properties,
            methods,
            None,
            start.namespace,
            start.server,
            self.declaration(),
        )

    def clone(self) -> ClassDraft:
        """A draft of its own with the same content (A-214)."""
        return ClassDraft(self.freeze(), self._parent, registered=self.registered)

    # Properties ---------------------------------------------------------------------------------------------------

    def get(self, name: str) -> Entry:
        """Default value, type and flavor of a property; NOT_FOUND (A-200)."""
        if is_system(name):
            upper = name.upper()
            return Entry(upper, self.freeze().system_(upper), SYSTEM_TYPES[upper], SYSTEM, system=True)
        return self._entry(self._property(name))

    def put(self, name: str, value: Any, code: int = 0, *, reference: str | None = None) -> None:
        """Add a property, give one another default, or override an inherited default (A-201, A-202).

        `code` is needed for a new property without a value; otherwise it is 0 or the declared type. `__CLASS` names a
        class that is being made; other system properties are READ_ONLY.
        """
        if is_system(name):
            self._rename(name, value)
            return
        key = name.lower()
        above, present = self._base.properties.get(key), self._declared.get(key)
        known = present or above
        if known is not None and code not in (0, known.type):
            message = f"{known.name} is {type_name(known.type)}, not {type_name(code)}"
            raise error(WBEM_E_TYPE_MISMATCH, message, parameter=name)
        if known is None and len(self._base.properties.keys() | self._declared.keys()) >= MAX_PROPERTIES:
            raise error(WBEM_E_TOO_MANY_PROPERTIES, f"a class has at most {MAX_PROPERTIES} properties")
        target = known.type if known is not None else _type_of(name, value, code)
        strong = known.reference if known is not None else reference
        raw = coerce(value, target, name=name, reference=strong)
        written = raw is not None or above is not None
        if present is not None:
            self._declare(present.replace(default=raw, has_default=written or present.has_default))
        else:
            self._declare(Property(name if above is None else above.name, target, strong, raw, written))

    def delete(self, name: str) -> int:
        """Remove a property of this class, or an override: then WBEM_S_RESET_TO_DEFAULT (A-203)."""
        if is_system(name):
            raise system_property(name)
        one = self._property(name)
        key = name.lower()
        if key not in self._declared:
            raise error(WBEM_E_PROPAGATED_PROPERTY, f"property {one.name} is inherited", parameter=name)
        del self._declared[key]
        return WBEM_S_RESET_TO_DEFAULT if key in self._base.properties else WBEM_S_NO_ERROR

    def names(self, flags: int = 0, qualifier: str | None = None, value: Any = None) -> list[str]:
        """GetNames (A-204)."""
        return names(self._entries(), flags, qualifier, value)

    def enumerate(self, flags: int = 0) -> list[Entry]:
        """What BeginEnumeration and Next go through (A-205)."""
        return enumeration(self._entries(), flags, of_class=True)

    def origin(self, name: str) -> str:
        """The class that introduced a property, not the last that overrode it (A-211)."""
        return SYSTEM_ORIGIN if is_system(name) else self._property(name).origin

    def inherits_from(self, name: str) -> bool:
        """Whether `name` is this class or an ancestor (A-213)."""
        return name.lower() in [one.lower() for one in (self._name, *self._start.derivation)]

    def _entries(self) -> Iterator[Entry]:
        frozen = self.freeze()
        yield from system_entries(frozen.system_)
        for one in frozen.properties.values():
            yield self._entry(one)

    def _entry(self, one: Property) -> Entry:
        inherited = one.name.lower() in self._base.properties
        return Entry(
            one.name,
            one.default,
            one.type,
            0 if one.local else PROPAGATED,
            own=not inherited,
            overridden=inherited and one.local,
            qualifiers=one.qualifiers,
        )

    def _property(self, name: str) -> Property:
        key = name.lower()
        declared, above = self._declared.get(key), self._base.properties.get(key)
        if declared is not None:
            return property_below(self._name, declared, above)
        if above is None:
            raise missing("property", name)
        return above

    def _declare(self, one: Property) -> None:
        key = one.name.lower()
        check_key(self._name, property_below(self._name, one, self._base.properties.get(key)))
        self._declared[key] = one

    def _rename(self, name: str, value: Any) -> None:
        if name.upper() != "__CLASS" or self.registered:
            raise read_only(name)
        if not isinstance(value, str):
            raise error(WBEM_E_TYPE_MISMATCH, "the name of a class is a text", parameter=name)
        if not value:
            raise error(WBEM_E_INVALID_PARAMETER, "the name of a class is empty", parameter=name)
        self._name = value

    # Methods ------------------------------------------------------------------------------------------------------

    def method(self, name: str) -> Method:
        """A method, its signature in the place of the class (A-148, A-209); NOT_FOUND."""
        one = self._method(name)
        place = self._start.namespace, self._start.server
        inputs = one.inputs.decorated(*place) if one.inputs is not None else None
        outputs = one.outputs.decorated(*place) if one.outputs is not None else None
        return one.replace(inputs=inputs, outputs=outputs)

    def _method(self, name: str) -> Method:
        key = name.lower()
        declared, above = self._methods.get(key), self._base.methods.get(key)
        if declared is not None:
            return method_below(self._name, declared, above)
        if above is None:
            raise missing("method", name)
        return above

    def methods(self, flags: int = 0) -> list[Method]:
        """What BeginMethodEnumeration and NextMethod go through: LOCAL_ONLY, PROPAGATED_ONLY or 0 (A-212)."""
        if flags not in (0, LOCAL_ONLY, PROPAGATED_ONLY):
            raise error(
                WBEM_E_INVALID_PARAMETER, f"the flags 0x{flags:X} are not possible here", parameter="lFlags"
            )
        found = [self.method(key) for key in {**self._base.methods, **self._methods}]
        return [one for one in found if not flags or one.local == (flags == LOCAL_ONLY)]

    def put_method(self, name: str, inputs: Class | None, outputs: Class | None) -> None:
        """Add a method, or change one that the class introduced itself; the parameters are judged by A-210.

        PROPAGATED_METHOD when an inherited method would get another signature.
        """
        key = name.lower()
        present, above = self._methods.get(key), self._base.methods.get(key)
        one = Method(name, EMPTY if present is None else present.qualifiers, inputs, outputs)
        method_below(self._name, one, above)
        self._methods[key] = one

    def delete_method(self, name: str) -> int:
        """Remove a method of this class, or an override: then WBEM_S_RESET_TO_DEFAULT."""
        one = self._method(name)
        key = name.lower()
        if key not in self._methods:
            raise error(WBEM_E_PROPAGATED_METHOD, f"method {one.name} is inherited", parameter=name)
        del self._methods[key]
        return WBEM_S_RESET_TO_DEFAULT if key in self._base.methods else WBEM_S_NO_ERROR

    def method_origin(self, name: str) -> str:
        """The class that introduced a method (A-211)."""
        return self._method(name).origin

    # Qualifiers ---------------------------------------------------------------------------------------------------

    def qualifiers(self) -> QualifierDraft:
        """The live qualifiers of the class (A-215)."""
        return QualifierDraft(lambda: self._own.inherited_from(self._base.qualifiers), self._store)

    def property_qualifiers(self, name: str) -> QualifierDraft:
        """The live qualifiers of a property; SYSTEM_PROPERTY, NOT_FOUND."""
        if is_system(name):
            raise system_property(name)
        self._property(name)
        return QualifierDraft(
            lambda: self._property(name).qualifiers, lambda local: self._store_property(name, local)
        )

    def method_qualifiers(self, name: str) -> QualifierDraft:
        """The live qualifiers of a method; NOT_FOUND."""
        self._method(name)
        return QualifierDraft(
            lambda: self._method(name).qualifiers, lambda local: self._store_method(name, local)
        )

    def _store(self, local: QualifierSet) -> None:
        check_class_qualifiers(self._name, local)
        local.inherited_from(self._base.qualifiers)
        self._own = local

    def _store_property(self, name: str, local: QualifierSet) -> None:
        one = self._property(name)
        declared = self._declared.get(name.lower())
        start = declared if declared is not None else Property(one.name, one.type, default=one.default)
        reference = _reference_of(one, local.value("cimtype")) if "cimtype" in local else start.reference
        self._declare(start.replace(qualifiers=local.without("cimtype"), reference=reference))

    def _store_method(self, name: str, local: QualifierSet) -> None:
        made = self._method(name).replace(qualifiers=local)
        method_below(self._name, made, self._base.methods.get(name.lower()))
        self._methods[name.lower()] = made

    # Spawning -----------------------------------------------------------------------------------------------------

    def spawn_instance(self) -> InstanceDraft:
        """A new instance with the defaults of the class; INCOMPLETE_CLASS for one that is not stored (A-207)."""
        return InstanceDraft(self._stored("spawn instances from").spawn())

    def spawn_derived(self) -> ClassDraft:
        """A subclass without a name yet; INCOMPLETE_CLASS for a class that is not stored (A-208)."""
        parent = self._stored("derive from")
        below = Class(
            "",
            parent.name,
            (parent.name, *parent.derivation),
            None,
            passed_on(parent).qualifiers,
            dict(passed_on(parent).properties),
            dict(passed_on(parent).methods),
            None,
            parent.namespace,
            parent.server,
        )
        return ClassDraft(below, parent, registered=False)

    def _stored(self, what: str) -> Class:
        if not self.registered or not self._name:
            message = f"the class {self._name} has to be stored before one can {what} it"
            raise error(WBEM_E_INCOMPLETE_CLASS, message)
        return self.freeze()


def _reconstructed(class_: Class) -> PassedOn:
    """What the superclass of a class must have passed on, from the class alone."""
    return PassedOn(
        class_.qualifiers.propagated(),
        {
            key: one.replace(qualifiers=one.qualifiers.propagated(), local=False, has_default=False)
            for key, one in class_.properties.items()
            if not one.local or one.origin.lower() != class_.name.lower()
        },
        {
            key: method.replace(qualifiers=method.qualifiers.propagated(), local=False)
            for key, method in class_.methods.items()
            if not method.local or method.origin.lower() != class_.name.lower()
        },
    )


def _type_of(name: str, value: Any, code: int) -> int:
    """The type of a new property: as given, else what the value is."""
    if code:
        if code & ~ARRAY not in NAMES:
            raise error(
                WBEM_E_INVALID_PROPERTY_TYPE, f"{name}: {type_name(code)} is not a CIM type", parameter=name
            )
        return code
    sample, array = (value[0], ARRAY) if isinstance(value, (list, tuple)) and value else (value, 0)
    for python, found in (
        (bool, CimType.BOOLEAN),
        (int, CimType.SINT32),
        (float, CimType.REAL64),
        (str, CimType.STRING),
    ):
        if isinstance(sample, python):
            return found | array
    if isinstance(sample, (Instance, Class)):
        return CimType.OBJECT | array
    raise error(WBEM_E_INVALID_PROPERTY_TYPE, f"{name}: a new property needs a type", parameter=name)


def _reference_of(one: Property, text: Any) -> str | None:
    """The class that a CIMTYPE like `ref:Win32_Disk` names; INVALID_QUALIFIER when it says another type (A-009)."""
    word, colon, class_name = text.partition(":") if isinstance(text, str) else ("", "", "")
    strong = one.type & ~ARRAY in (CimType.REFERENCE, CimType.OBJECT)
    if word.lower() != NAMES[one.type & ~ARRAY] or (colon and (not strong or not class_name)):
        message = f"property {one.name} is {type_name(one.type)}: CIMTYPE cannot be {text!r:.60}"
        raise error(WBEM_E_INVALID_QUALIFIER, message, parameter="CIMTYPE")
    return class_name or None
