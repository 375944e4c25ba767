"""The two parameter classes of a method, made of its parameters (model.md A14, A-210, C-12, C-13)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from openwmi.model.cimtypes import CimType
from openwmi.model.classes import ClassDeclaration, Method, Property, derive
from openwmi.model.qualifiers import Qualifier, QualifierSet

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from openwmi.model.classes import Class

PARAMETERS: Final = "__PARAMETERS"
RETURN_VALUE: Final = "ReturnValue"

_SINT32: Final = int(CimType.SINT32)
_BOOLEAN: Final = int(CimType.BOOLEAN)
_ID_FLAVOR: Final = 0x11  # as Windows stores it: to instances, not overridable
_RETURNED: Final = QualifierSet((Qualifier("out", True, _BOOLEAN, 0),))
_ABSTRACT: Final = QualifierSet((Qualifier("abstract", True, _BOOLEAN, 0),))


def identity(number: int) -> Qualifier:
    """The ID qualifier of a parameter."""
    return Qualifier("ID", number, _SINT32, _ID_FLAVOR)


def without_id(parameters: Sequence[Property]) -> list[Property]:
    """The parameters, numbered from 0 where none of them has an ID."""
    if any("id" in one.qualifiers for one in parameters):
        return list(parameters)
    return [one.replace(qualifiers=one.qualifiers.with_(identity(n))) for n, one in enumerate(parameters)]


def method_of(
    name: str,
    qualifiers: QualifierSet,
    parameters: Sequence[Property],
    returned: int | None,
    reference: str | None,
    origin: str,
) -> Method:
    """A method of its parameters in order, each with In, Out or both among its qualifiers; returned: None for void.

    A parameter of both directions stands in both classes; each keeps the one qualifier of its direction, as Windows
    has it. The return value is the out property ReturnValue, without an ID.
    """
    inputs = [_directed(one, "out") for one in parameters if one.qualifiers.truth("in")]
    outputs = [_directed(one, "in") for one in parameters if one.qualifiers.truth("out")]
    if returned is not None:
        outputs.append(Property(RETURN_VALUE, returned, reference, None, False, _RETURNED, PARAMETERS, True))
    return Method(name, qualifiers, _signature(inputs), _signature(outputs), origin, True)


def rebuilt(method: Method, kept: Callable[[QualifierSet], QualifierSet]) -> Method:
    """The method with only those of its qualifiers, and of its parameters', that `kept` lets through."""

    def side(signature: Class | None) -> Class | None:
        if signature is None:
            return None
        return _signature(
            [one.replace(qualifiers=kept(one.qualifiers)) for one in signature.declaration.properties]
        )

    return method.replace(
        qualifiers=kept(method.qualifiers), inputs=side(method.inputs), outputs=side(method.outputs)
    )


def _directed(one: Property, other: str) -> Property:
    return one.replace(qualifiers=one.qualifiers.without(other)) if other in one.qualifiers else one


def _signature(properties: list[Property]) -> Class | None:
    """The __PARAMETERS class of one direction, None when it has no parameters (A-209)."""
    if not properties:
        return None
    return derive(ClassDeclaration(PARAMETERS, None, _ABSTRACT, tuple(properties), ()), None)
