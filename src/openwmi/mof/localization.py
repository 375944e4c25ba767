"""A master MOF text as two: the neutral one and the translatable one of a locale (`#pragma amendment`, C-23, B-10).

The neutral text loses every qualifier of flavor Amended. The other creates the namespace ms_xxx below each namespace
and declares there, for each class with such text, a class of the same name marked Amendment and Locale that holds the
keys and the Amended qualifiers and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from openwmi.model import status as s
from openwmi.model.cimtypes import CimType
from openwmi.model.classes import ClassDeclaration
from openwmi.model.qualifiers import AMENDED, Qualifier, QualifierSet
from openwmi.mof.parser import parse
from openwmi.mof.printer import print_class, quoted
from openwmi.mof.resolution import DEFAULT_NAMESPACE, Resolution
from openwmi.mof.signatures import rebuilt
from openwmi.mof.source import Source
from openwmi.mof.syntax import ClassNode, InstanceNode, Pragma

if TYPE_CHECKING:
    from collections.abc import Callable

    from openwmi.model.classes import Method, Property
    from openwmi.mof.parser import Include

    Filter = Callable[[QualifierSet], QualifierSet]

_MACHINE: Final = "\\\\.\\"
_KEPT: Final = frozenset(("id", "in", "out"))  # without these a parameter has no place


class Split(NamedTuple):
    """The two texts, and the locale as the names of namespaces have it ("ms_409")."""

    neutral: str
    localized: str
    locale: str


def split(
    text: str,
    *,
    file: str = "<text>",
    include: Include | None = None,
    locale: str | None = None,
    namespace: str = DEFAULT_NAMESPACE,
) -> Split:
    """The neutral and the translatable text of a master; comments are lost, included files become part of both.

    locale: "MS_409", where the text itself does not say it by `#pragma amendment`. Raises MofError.
    """
    directives = parse(text, file=file, include=include)
    resolution = Resolution(directives, lambda _, __: None, namespace=namespace, lenient=True)
    neutral: list[str] = []
    localized: list[str] = []
    classes: list[tuple[str, ClassDeclaration]] = []
    for node in directives:
        step = resolution.step(node)
        if step is not None and isinstance(step.item, ClassDeclaration):
            neutral.append(print_class(_neutral(step.item)))
            classes.append((step.namespace, step.item))
        elif isinstance(node, Pragma) and node.name != "amendment":
            neutral.append(_pragma(node))
            if node.name in ("autorecover", "classflags"):
                localized.append(_pragma(node))
        elif isinstance(node, InstanceNode | ClassNode):
            neutral.append(node.source.excerpt(node.at, node.end) + ";")
    name = (resolution.amendment or locale or "").lower()
    if not name.startswith("ms_"):
        message = "the text has no #pragma amendment, and no locale such as MS_409 is given"
        raise Source(text, file).error(s.WBEMMOF_E_INVALID_AMENDMENT_SYNTAX, message, 0)
    localized += _localized(classes, name)
    return Split("\n".join(neutral) + "\n", "\n".join(localized) + "\n", name)


def _localized(classes: list[tuple[str, ClassDeclaration]], locale: str) -> list[str]:
    """The lines of the translatable text that follow its pragmas."""
    marks = (
        Qualifier("AMENDMENT", True, int(CimType.BOOLEAN), 0),
        Qualifier("LOCALE", int(locale[3:], 16), int(CimType.SINT32), 0),
    )
    lines: list[str] = []
    current = ""
    for space, declared in classes:
        translated = _translated(declared, marks)
        if translated is None:
            continue
        if space.lower() != current:
            current = space.lower()
            lines += (_namespace(space), f'instance of __namespace {{ name = "{locale}"; }};')
            lines.append(_namespace(f"{space}\\{locale}"))
        lines.append(print_class(translated))
    return lines


def _namespace(path: str) -> str:
    return f"#pragma namespace({quoted(_MACHINE + path)})"


def _pragma(node: Pragma) -> str:
    """The pragma as it was written, arguments included."""
    if not node.arguments:
        return f"#pragma {node.name}"
    words = ("fail", "nofail")
    shown = [
        str(one) if not isinstance(one, str) or one.lower() in words else quoted(one)
        for one in node.arguments
    ]
    return f"#pragma {node.name}({', '.join(shown)})"


# -- classes -----------------------------------------------------------------------------------------------------


def _unamended(qualifiers: QualifierSet) -> QualifierSet:
    return QualifierSet(one for one in qualifiers if not one.flavor & AMENDED)


def _amended(qualifiers: QualifierSet) -> QualifierSet:
    return QualifierSet(one for one in qualifiers if one.flavor & AMENDED or one.name.lower() in _KEPT)


def _neutral(declared: ClassDeclaration) -> ClassDeclaration:
    """The class without its translatable text."""
    return ClassDeclaration(
        declared.name,
        declared.superclass,
        _unamended(declared.qualifiers),
        [one.replace(qualifiers=_unamended(one.qualifiers)) for one in declared.properties],
        [rebuilt(one, _unamended) for one in declared.methods],
    )


def _translated(declared: ClassDeclaration, marks: tuple[Qualifier, ...]) -> ClassDeclaration | None:
    """The class of the ms_xxx namespace; None when there is nothing to translate."""
    properties = []
    for one in declared.properties:
        kept = _amended(one.qualifiers)
        key = one.qualifiers.get("key")
        if key is not None:
            kept = QualifierSet((key, *kept))
        if len(kept):
            properties.append(one.replace(qualifiers=kept, default=None, has_default=False))
    methods = [rebuilt(one, _amended) for one in declared.methods if _has_text(one)]
    text = QualifierSet(one for one in declared.qualifiers if one.flavor & AMENDED)
    if not len(text) and not methods and not any(_is_amended(one) for one in properties):
        return None
    return ClassDeclaration(declared.name, declared.superclass, text.with_(*marks), properties, methods)


def _is_amended(one: Property | Method) -> bool:
    return any(qualifier.flavor & AMENDED for qualifier in one.qualifiers)


def _has_text(method: Method) -> bool:
    sides = [side for side in (method.inputs, method.outputs) if side is not None]
    return _is_amended(method) or any(_is_amended(one) for side in sides for one in side.properties.values())
