"""A small schema for tests: every CIM type, inheritance with an abstract base, embedded objects, references, events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from openwmi.model.cimtypes import ARRAY, CimType
from openwmi.model.classes import Class, ClassDeclaration, Property, derive
from openwmi.model.qualifiers import EMPTY, Qualifier, QualifierSet

NAMESPACE = "root\\cimv2"
SERVER = "HOST"

BY_WORD = {
    "sint8": CimType.SINT8,
    "uint8": CimType.UINT8,
    "sint16": CimType.SINT16,
    "uint16": CimType.UINT16,
    "sint32": CimType.SINT32,
    "uint32": CimType.UINT32,
    "sint64": CimType.SINT64,
    "uint64": CimType.UINT64,
    "real32": CimType.REAL32,
    "real64": CimType.REAL64,
    "string": CimType.STRING,
    "boolean": CimType.BOOLEAN,
    "datetime": CimType.DATETIME,
    "ref": CimType.REFERENCE,
    "char16": CimType.CHAR16,
    "object": CimType.OBJECT,
}


def qualifiers(words: str) -> QualifierSet:
    """`"dynamic provider:P abstract"` as class qualifiers."""
    made = []
    for word in words.split():
        name, _, value = word.partition(":")
        made.append(Qualifier(name, value or True, CimType.STRING if value else CimType.BOOLEAN, 0))
    return QualifierSet(made)


def properties(text: str) -> Iterator[Property]:
    """`"key string Handle; uint32 ProcessId; string[] Names; object:Inner Part"`."""
    for part in filter(None, (part.strip() for part in text.split(";"))):
        *flags, kind, name = part.split()
        word, _, reference = kind.partition(":")
        code = BY_WORD[word.removesuffix("[]")] | (ARRAY if word.endswith("[]") else 0)
        marks = qualifiers("key") if "key" in flags else EMPTY
        yield Property(name, int(code), reference or None, None, False, marks)


class Catalog:
    """Classes by name; implements what a plan needs."""

    def __init__(self) -> None:
        self.classes: dict[str, Class] = {}

    def declare(self, name: str, text: str = "", superclass: str | None = None, marks: str = "") -> Class:
        declaration = ClassDeclaration(name, superclass, qualifiers(marks), tuple(properties(text)), ())
        parent = self.classes[superclass.lower()] if superclass else None
        made = derive(declaration, parent, namespace=NAMESPACE, server=SERVER)
        self.classes[name.lower()] = made
        return made

    def find_class(self, name: str) -> Class | None:
        return self.classes.get(name.lower())

    def subclasses(self, name: str) -> Iterator[Class]:
        for class_ in self.classes.values():
            if class_.name.lower() != name.lower() and class_.inherits_from(name):
                yield class_

    def names(self) -> Iterable[str]:
        return list(self.classes)


def catalog() -> Catalog:
    """The schema of the fixture files."""
    made = Catalog()
    declare = made.declare
    declare("Inner", "uint32 Number; string Text; object Deeper")
    declare("InnerChild", "string More", "Inner")
    declare(
        "T",
        "key string Id; sint8 I8; uint8 U8; sint16 I16; uint16 U16; sint32 I32; uint32 U32; sint64 I64; uint64 U64;"
        "real32 R32; real64 R64; string S; boolean B; datetime D; ref Ref; ref:T Strong; char16 C; object E;"
        "object:Inner E2; string[] A",
        marks="dynamic provider:Things",
    )
    declare("Device", "key string DeviceID; uint32 Speed; string Status", marks="abstract")
    declare("Modem", "string Number", "Device", "dynamic provider:Modems")
    declare("FastModem", "uint64 Bits", "Modem", "dynamic provider:Modems")
    declare("Keyboard", "uint16 Keys", "Device", "dynamic provider:Keyboards")
    declare("Broken", "", "Device", "dynamic")
    declare("Stored", "string Note", "Device")
    declare("Pair", "key string Domain; key uint32 Number; string Rest", marks="dynamic provider:Pairs")
    declare("Wide64", "key uint64 Number; string Rest", marks="dynamic provider:Wides")
    declare(
        "Link", "key ref Left; key ref:T Right; uint32 Weight", marks="association dynamic provider:Links"
    )
    declare("Single", "string Value", marks="singleton dynamic provider:Singles")
    declare(
        "Wide",
        "key uint32 K; " + "; ".join(f"uint32 P{number}" for number in range(30)),
        marks="dynamic provider:W",
    )
    for name, above, text in (
        ("__SystemClass", None, ""),
        ("__Event", "__SystemClass", "uint64 TIME_CREATED; uint8[] SECURITY_DESCRIPTOR"),
        ("__ExtrinsicEvent", "__Event", ""),
        ("__InstanceOperationEvent", "__Event", "object TargetInstance"),
        ("__InstanceCreationEvent", "__InstanceOperationEvent", ""),
        ("__InstanceModificationEvent", "__InstanceOperationEvent", "object PreviousInstance"),
        ("__TimerEvent", "__Event", "string TimerId; uint32 NumFirings"),
        ("Extrinsic", "__ExtrinsicEvent", "string Sender; object Payload"),
    ):
        made.classes[name.lower()] = _system(made, name, above, text)
    return made


def _system(made: Catalog, name: str, above: str | None, text: str) -> Class:
    """System classes have names that a declaration may not have, so they are put together here."""
    parent: Any = made.classes[above.lower()] if above else None
    own = {one.name.lower(): one for one in properties(text)}
    inherited = parent.properties if parent else {}
    derivation = (parent.name, *parent.derivation) if parent else ()
    return Class(name, above, derivation, properties={**inherited, **own}, namespace=NAMESPACE, server=SERVER)
