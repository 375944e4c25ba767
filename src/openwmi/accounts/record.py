"""One account, the rules for its name, and how it is written down."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from openwmi.model.sids import Sid

MAX_NAME: Final = 64
# What Windows refuses in the name of an account; the backslash divides it from a domain.
_REFUSED: Final = frozenset('"/\\[]:;|=,+*?<>')


@dataclass(frozen=True, slots=True)
class Account:
    """A name that somebody can log on with. Prints without its secret.

    name: `alice`, or `DOMAIN\\alice` for those who log on as one of a domain. hashed: the NT hash of the password, None
    where only Kerberos is accepted. admin: a member of Administrators. runs_as: the name of a Unix user. principals:
    names in Kerberos, alice@REALM.
    """

    name: str
    sid: Sid
    hashed: bytes | None = field(default=None, repr=False)
    admin: bool = False
    runs_as: str | None = None
    principals: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The name as names compare."""
        return self.name.casefold()


def checked_name(name: str) -> str:
    """The name, or ValueError when no account can be called so."""
    domain, divided, user = name.rpartition("\\")
    parts = (domain, user) if divided else (user,)
    for part in parts:
        if not part or len(part) > MAX_NAME or part != part.strip() or not part.isprintable():
            raise ValueError(f"an account has a name of 1 to {MAX_NAME} printable characters, not {name!r}")
        if _REFUSED & set(part) or not part.strip("."):
            raise ValueError(f"{name!r}: the name of an account has none of {' '.join(sorted(_REFUSED))}")
    return name


def written(account: Account) -> dict[str, Any]:
    """What the file says of an account."""
    return {
        "name": account.name,
        "sid": str(account.sid),
        "nt_hash": account.hashed.hex() if account.hashed is not None else None,
        "admin": account.admin,
        "as": account.runs_as,
        "principals": list(account.principals),
    }


def read(stored: Any) -> Account:
    """The account again; ValueError, KeyError or TypeError when the file does not say what it should."""
    hashed = stored["nt_hash"]
    secret = bytes.fromhex(hashed) if hashed is not None else None
    runs_as, principals = stored["as"], stored["principals"]
    if secret is not None and len(secret) != 16:
        raise ValueError("an NT hash has 16 bytes")
    if not isinstance(runs_as, (str, type(None))) or not isinstance(stored["admin"], bool):
        raise TypeError("an account's user is text, whether it is an administrator true or false")
    if not all(isinstance(one, str) for one in principals):
        raise TypeError("principals are text")
    return Account(
        checked_name(stored["name"]),
        Sid.parse(stored["sid"]),
        secret,
        stored["admin"],
        runs_as,
        tuple(principals),
    )
