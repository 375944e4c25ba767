"""A bounded XML reader: elements without namespaces, no entities, no document types with declarations.

XML from outside may hold a billion laughs or point at files; the few elements of CIM-XML need none of that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from openwmi.model.errors import error
from openwmi.model.status import WBEM_E_INVALID_SYNTAX, WBEM_E_QUOTA_VIOLATION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openwmi.model.errors import WbemError

MAX_CHARACTERS: Final = 16 * 1024 * 1024
MAX_DEPTH: Final = 512
MAX_ELEMENTS: Final = 500_000


class Element:
    """A tag in upper case, its attributes, its child elements, its own text."""

    __slots__ = ("attributes", "children", "line", "parts", "tag")

    def __init__(self, tag: str, attributes: dict[str, str], line: int) -> None:
        self.tag = tag
        self.attributes = attributes
        self.children: list[Element] = []
        self.parts: list[str] = []
        self.line = line

    @property
    def text(self) -> str:
        return "".join(self.parts)

    def named(self, *tags: str) -> Iterator[Element]:
        """The children with one of these tags, in order."""
        return (child for child in self.children if child.tag in tags)

    def first(self, *tags: str) -> Element | None:
        return next(self.named(*tags), None)

    def __getitem__(self, name: str) -> str:
        """An attribute that must be there."""
        try:
            return self.attributes[name]
        except KeyError:
            raise self.wrong(f"<{self.tag}> lacks {name}") from None

    def wrong(self, message: str) -> WbemError:
        return error(WBEM_E_INVALID_SYNTAX, f"line {self.line}: {message}")


def read(text: str) -> Element:
    """The root element. INVALID_SYNTAX for what is not well-formed or declares entities, QUOTA_VIOLATION for too
    much of anything."""
    from xml.parsers import expat

    if len(text) > MAX_CHARACTERS:
        raise error(WBEM_E_QUOTA_VIOLATION, f"the XML has more than {MAX_CHARACTERS:,} characters")
    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    stack: list[Element] = []
    roots: list[Element] = []
    count = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if len(stack) >= MAX_DEPTH or count > MAX_ELEMENTS:
            raise error(WBEM_E_QUOTA_VIOLATION, "the XML has too many elements, or they nest too deep")
        element = Element(
            tag.upper(), {k.upper(): v for k, v in attributes.items()}, parser.CurrentLineNumber
        )
        (stack[-1].children if stack else roots).append(element)
        stack.append(element)

    def end(_: str) -> None:
        stack.pop()

    def characters(data: str) -> None:
        stack[-1].parts.append(data)

    def refused(*_: object) -> int:
        raise error(WBEM_E_INVALID_SYNTAX, "the XML declares entities; they are not read")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = characters
    parser.EntityDeclHandler = refused
    parser.UnparsedEntityDeclHandler = refused
    parser.ExternalEntityRefHandler = refused
    try:
        parser.Parse(text.encode("utf-8", "replace"), True)
    except expat.ExpatError as reason:
        raise error(WBEM_E_INVALID_SYNTAX, f"the XML is not well-formed: {reason}") from None
    return roots[0]
