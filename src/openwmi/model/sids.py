"""Security identifiers: text, bytes, and those that every machine knows ([MS-DTYP] 2.4.2)."""

from __future__ import annotations

from typing import Final, NamedTuple

MAX_PARTS: Final = 15
_MAX_AUTHORITY: Final = (1 << 48) - 1
_MAX_PART: Final = 0xFFFFFFFF
_HEAD: Final = 8


class InvalidDescriptor(ValueError):
    """Bytes or text that are no SID, no ACL or no security descriptor."""


class InvalidAcl(InvalidDescriptor):
    """A list that is wrong inside a descriptor whose own parts are in place."""


class Sid(NamedTuple):
    """One identifier: S-1-authority-part-part-..."""

    authority: int
    parts: tuple[int, ...] = ()

    def __str__(self) -> str:
        authority = str(self.authority) if self.authority <= _MAX_PART else f"0x{self.authority:012X}"
        return "-".join(("S-1", authority, *map(str, self.parts)))

    def encode(self) -> bytes:
        """[MS-DTYP] 2.4.2.2."""
        parts = b"".join(part.to_bytes(4, "little") for part in self.parts)
        return bytes((1, len(self.parts))) + self.authority.to_bytes(6, "big") + parts

    @classmethod
    def decode(cls, data: bytes, start: int = 0) -> Sid:
        """The SID that begins at `start`; what follows it is not looked at."""
        if start < 0 or len(data) < start + _HEAD:
            raise InvalidDescriptor("a SID has at least eight bytes")
        count = data[start + 1]
        end = start + _HEAD + 4 * count
        if data[start] != 1 or count > MAX_PARTS or len(data) < end:
            raise InvalidDescriptor("not a SID of revision 1 with at most 15 parts")
        parts = tuple(int.from_bytes(data[at : at + 4], "little") for at in range(start + _HEAD, end, 4))
        return cls(int.from_bytes(data[start + 2 : start + _HEAD], "big"), parts)

    @classmethod
    def parse(cls, text: str) -> Sid:
        """S-1-5-32-544, in either case; numbers may be hexadecimal ([MS-DTYP] 2.4.2.1)."""
        words = text.split("-", MAX_PARTS + 4)
        if len(words) < 3 or words[0] not in ("S", "s") or words[1] != "1" or len(words) > MAX_PARTS + 3:
            raise InvalidDescriptor(f"not a SID: {text[:80]!r}")
        authority, *parts = (_number(word, text) for word in words[2:])
        if authority > _MAX_AUTHORITY or any(part > _MAX_PART for part in parts):
            raise InvalidDescriptor(f"a number of the SID is too large: {text[:200]!r}")
        return cls(authority, tuple(parts))


def _number(word: str, text: str) -> int:
    hexadecimal = word[:2] in ("0x", "0X")
    digits = word[2:] if hexadecimal else word
    if not digits.isascii() or not digits.isalnum() or len(digits) > 15:
        raise InvalidDescriptor(f"not a SID: {text[:80]!r}")
    try:
        return int(digits, 16 if hexadecimal else 10)
    except ValueError:
        raise InvalidDescriptor(f"not a SID: {text[:80]!r}") from None


EVERYONE: Final = Sid(1, (0,))
NETWORK: Final = Sid(5, (2,))
AUTHENTICATED_USERS: Final = Sid(5, (11,))
LOCAL_SYSTEM: Final = Sid(5, (18,))
LOCAL_SERVICE: Final = Sid(5, (19,))
NETWORK_SERVICE: Final = Sid(5, (20,))
ADMINISTRATORS: Final = Sid(5, (32, 544))
USERS: Final = Sid(5, (32, 545))
REMOTE_MANAGEMENT_USERS: Final = Sid(5, (32, 580))

# Names that people read and write; the two letters are those of SDDL ([MS-DTYP] 2.5.1.1).
NAMES: Final[dict[Sid, str]] = {
    EVERYONE: "Everyone",
    NETWORK: "NETWORK",
    AUTHENTICATED_USERS: "Authenticated Users",
    LOCAL_SYSTEM: "LocalSystem",
    LOCAL_SERVICE: "LOCAL SERVICE",
    NETWORK_SERVICE: "NETWORK SERVICE",
    ADMINISTRATORS: "Administrators",
    USERS: "Users",
    REMOTE_MANAGEMENT_USERS: "Remote Management Users",
}
ALIASES: Final[dict[str, Sid]] = {
    "WD": EVERYONE,
    "CO": Sid(3, (0,)),
    "CG": Sid(3, (1,)),
    "OW": Sid(3, (4,)),
    "NU": NETWORK,
    "IU": Sid(5, (4,)),
    "SU": Sid(5, (6,)),
    "AN": Sid(5, (7,)),
    "ED": Sid(5, (9,)),
    "PS": Sid(5, (10,)),
    "AU": AUTHENTICATED_USERS,
    "RC": Sid(5, (12,)),
    "SY": LOCAL_SYSTEM,
    "LS": LOCAL_SERVICE,
    "NS": NETWORK_SERVICE,
    "WR": Sid(5, (33,)),
    "BA": ADMINISTRATORS,
    "BU": USERS,
    "BG": Sid(5, (32, 546)),
    "PU": Sid(5, (32, 547)),
    "AO": Sid(5, (32, 548)),
    "SO": Sid(5, (32, 549)),
    "PO": Sid(5, (32, 550)),
    "BO": Sid(5, (32, 551)),
    "RE": Sid(5, (32, 552)),
    "RU": Sid(5, (32, 554)),
    "RD": Sid(5, (32, 555)),
    "NO": Sid(5, (32, 556)),
    "MU": Sid(5, (32, 558)),
    "LU": Sid(5, (32, 559)),
    "IS": Sid(5, (32, 568)),
    "CY": Sid(5, (32, 569)),
    "ER": Sid(5, (32, 573)),
    "CD": Sid(5, (32, 574)),
    "RA": Sid(5, (32, 575)),
    "ES": Sid(5, (32, 576)),
    "MS": Sid(5, (32, 577)),
    "HA": Sid(5, (32, 578)),
    "AA": Sid(5, (32, 579)),
    "RM": REMOTE_MANAGEMENT_USERS,
    "AC": Sid(15, (2, 1)),
    "LW": Sid(16, (4096,)),
    "ME": Sid(16, (8192,)),
    "MP": Sid(16, (8448,)),
    "HI": Sid(16, (12288,)),
    "SI": Sid(16, (16384,)),
    "AS": Sid(18, (1,)),
    "SS": Sid(18, (2,)),
}
# Their meaning depends on a domain, of which this machine is no member.
DOMAIN_ALIASES: Final = frozenset(
    ("AP", "CA", "CN", "DA", "DC", "DD", "DG", "DU", "EA", "EK", "KA", "LA", "LG", "PA", "RO", "RS", "SA")
)
