"""Constants of MOF: the values of number, character and string tokens (model.md C-03 to C-06)."""

from __future__ import annotations

import re
from typing import Final

from openwmi.mof.syntax import Char

MAX_DIGITS: Final = 80
"""Longest number token: 64 binary digits, sign and suffix fit well; beyond it a number is out of range unread."""

# Compiled when the first constant needs them (`re` keeps them): most texts have neither escapes nor such numbers.
_ESCAPE: Final = r"\\(?:[xX]([0-9a-fA-F]{1,4})|(.))"
_ESCAPES: Final = {
    "b": "\b",
    "t": "\t",
    "n": "\n",
    "f": "\f",
    "r": "\r",
    '"': '"',
    "'": "'",
    "\\": "\\",
}
_NUMBER: Final = r"""(?x)([-+]?) (?:
      0[xX]([0-9a-fA-F]+) | ([01]+)[bB] | (0[0-7]+) | (0|[1-9][0-9]*)
    | ( [0-9]*\.[0-9]+(?:[eE][-+]?[0-9]+)? | [0-9]+(?:\.[0-9]*)?[eE][-+]?[0-9]+ | [0-9]+\. )
    ) \Z"""
_SURROGATES: Final = "[\ud800-\udbff][\udc00-\udfff]"


def _escaped(match: re.Match[str]) -> str:
    digits = match[1]
    if digits:
        return chr(int(digits, 16))
    return _ESCAPES[match[2]]


def _joined(match: re.Match[str]) -> str:
    pair = match[0]
    return chr(0x10000 + (ord(pair[0]) - 0xD800) * 0x400 + ord(pair[1]) - 0xDC00)


def string(token: str) -> str:
    """The text of a string token with its quotes. Two \\x escapes that make a UTF-16 pair become one character.

    KeyError for an escape that does not exist.
    """
    text = token[1:-1]
    if "\\" in text:
        text = re.sub(_SURROGATES, _joined, re.sub(_ESCAPE, _escaped, text))
    return text


def character(token: str) -> Char:
    """The code unit of a character token with its quotes. KeyError, OverflowError as its text is wrong."""
    text = token[1:-1]
    if text[0] != "\\":
        code = ord(text)
    elif text[1] in "xX":
        code = int(text[2:], 16)
    else:
        code = ord(_ESCAPES[text[1]])
    if code > 0xFFFF:
        raise OverflowError
    return Char(code)


def number(token: str) -> int | float:
    """The value of a number token in any base. ValueError when it is none, OverflowError when it is too large."""
    if len(token) > MAX_DIGITS:
        raise OverflowError
    match = re.match(_NUMBER, token)
    if match is None:
        raise ValueError
    sign, hexadecimal, binary, octal, decimal, real = match.groups()
    value: int | float
    if real:
        value = float(real)
        if value in (float("inf"), float("-inf")):
            raise OverflowError
    elif decimal:
        value = int(decimal)
    elif hexadecimal:
        value = int(hexadecimal, 16)
    elif binary:
        value = int(binary, 2)
    else:
        value = int(octal, 8)
    return -value if sign == "-" else value
