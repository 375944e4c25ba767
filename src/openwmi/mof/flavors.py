"""Flavors of qualifiers: the words of MOF, and what a qualifier has when none is written (A-100 to A-102).

The defaults are A-102's choice. Windows itself stores only Key, Singleton and Association (0x13), ID (0x11) and
Dynamic (to instances) with a flavor of their own; every other qualifier without a flavor stays local there.
"""

from __future__ import annotations

from typing import Final

from openwmi.model.qualifiers import AMENDED, NOT_OVERRIDABLE, TO_INSTANCE, TO_SUBCLASS

WORDS: Final = frozenset(
    (
        "enableoverride",
        "disableoverride",
        "tosubclass",
        "toinstance",
        "nottosubclass",
        "nottoinstance",
        "restricted",
        "amended",
        "translatable",
    )
)
"""Every flavor word, in lower case; Translatable is the DMTF's name for Amended."""

BOTH: Final = TO_INSTANCE | TO_SUBCLASS
_IDENTITY: Final = BOTH | NOT_OVERRIDABLE
DEFAULTS: Final[dict[str, int]] = {
    "key": _IDENTITY,
    "singleton": _IDENTITY,
    "association": _IDENTITY,
    "id": TO_INSTANCE | NOT_OVERRIDABLE,
    "cimtype": BOTH,
    "subtype": BOTH,
    "dynamic": BOTH,
    "provider": TO_SUBCLASS,
    "not_null": TO_SUBCLASS,
    "locale": TO_SUBCLASS,
    "description": TO_SUBCLASS,
    "displayname": TO_SUBCLASS,
    "units": TO_SUBCLASS,
    "values": TO_SUBCLASS,
    "valuemap": TO_SUBCLASS,
    "bitvalues": TO_SUBCLASS,
    "bitmap": TO_SUBCLASS,
}
"""Flavor of a qualifier, by lower-case name, when the text says nothing; 0 for all others."""

FIXED: Final = frozenset(("key", "singleton"))
"""Qualifiers whose flavor no text can change (Windows stores 0x13 for every one of them)."""

NEVER_INHERITED: Final = frozenset(("abstract",))
"""Qualifiers that never reach a subclass (A-089), whatever is written."""

_PROPAGATION: Final = {"tosubclass": TO_SUBCLASS, "toinstance": TO_INSTANCE}
_WITHHELD: Final = {"nottosubclass": TO_SUBCLASS, "nottoinstance": TO_INSTANCE, "restricted": BOTH}
_CONTRADICTIONS: Final = (
    ("enableoverride", "disableoverride"),
    ("tosubclass", "nottosubclass"),
    ("toinstance", "nottoinstance"),
)


def contradiction(words: tuple[str, ...]) -> tuple[str, str, bool] | None:
    """Two words that exclude each other, and whether one of them is Restricted (which has a code of its own)."""
    for left, right in _CONTRADICTIONS:
        if left in words and right in words:
            return left, right, False
    if "restricted" in words:
        for word in _PROPAGATION:
            if word in words:
                return "restricted", word, True
    return None


def combined(words: tuple[str, ...], default: int) -> int:
    """The flavor that the words give; what they do not speak of is as in `default`.

    Propagation, override and amendment are three separate statements. ToSubClass or ToInstance replace the default
    propagation whole; the Not words take away from it.
    """
    flavor = default
    if not _PROPAGATION.keys().isdisjoint(words):
        flavor &= ~BOTH
    for word in words:
        flavor |= _PROPAGATION.get(word, 0)
        flavor &= ~_WITHHELD.get(word, 0)
    if "disableoverride" in words:
        flavor |= NOT_OVERRIDABLE
    elif "enableoverride" in words:
        flavor &= ~NOT_OVERRIDABLE
    if "amended" in words or "translatable" in words:
        flavor |= AMENDED
    return flavor


def written(name: str, flavor: int) -> str:
    """The flavor words that make a qualifier have this flavor when it is compiled; "" when none is needed.

    Alphabetical, as Windows prints them. Key is bare. A flavor of none at all is spelled out only where leaving it
    out would mean another one.
    """
    lower = name.lower()
    if lower in FIXED:
        return ""
    words = []
    default = DEFAULTS.get(lower, 0)
    if flavor & AMENDED:
        words.append("Amended")
    if flavor & NOT_OVERRIDABLE:
        words.append("DisableOverride")
    elif default & NOT_OVERRIDABLE:
        words.append("EnableOverride")
    if flavor & BOTH == 0 and default & BOTH:
        words.append("Restricted")
    if flavor & TO_INSTANCE:
        words.append("ToInstance")
    if flavor & TO_SUBCLASS:
        words.append("ToSubClass")
    return " ".join(words)
