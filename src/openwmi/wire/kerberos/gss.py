"""The seam to the Kerberos library: how it is loaded, what is asked of it, what its refusals mean here."""

from __future__ import annotations

from typing import Any, Final

from openwmi.wire.errors import AuthenticationFailed

CLAUSE: Final = "RFC 4121"
# Minor codes of MIT's and Heimdal's krb5 (both count from KRB5_KDC_UNREACH's table).
_UNREACHABLE: Final = frozenset({-1765328228, -1765328230, -1765328164})


class NoTicket(AuthenticationFailed):
    """No ticket for the service was to be had. unreachable: because no KDC answered, or none is known."""

    def __init__(self, message: str, *, unreachable: bool = False) -> None:
        super().__init__(message, "RFC 4120 3.1, 3.3")
        self.unreachable = unreachable


def library() -> Any:
    """The package gssapi."""
    try:
        import gssapi
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "Kerberos needs the package gssapi: pip install 'openwmi[kerberos]'", name=error.name
        ) from None
    return gssapi


def principal(text: str) -> Any:
    """A name of the form user@REALM or service/host, taken as it stands: no name service is asked."""
    gssapi = library()
    return gssapi.Name(text, gssapi.NameType.kerberos_principal)


def required_flags() -> int:
    """What RPC wants of a context: DCE's three legs, both sides proven, messages in order, signed and sealed."""
    flag = library().RequirementFlag
    return int(
        flag.dce_style
        | flag.mutual_authentication
        | flag.replay_detection
        | flag.out_of_sequence_detection
        | flag.integrity
        | flag.confidentiality
    )


def sentence(error: Any) -> str:
    """What the library has to say; the mechanism's own words where it has some."""
    words = error.get_all_statuses(error.min_code, False) if error.min_code else []
    words = words or error.get_all_statuses(error.maj_code, True)
    return "; ".join(dict.fromkeys(words)) or type(error).__name__


def no_ticket(error: Any, what: str) -> NoTicket:
    signed = (error.min_code & 0xFFFFFFFF ^ 0x80000000) - 0x80000000
    return NoTicket(f"{what}: {sentence(error)}", unreachable=signed in _UNREACHABLE)


def refused(error: Any, what: str) -> AuthenticationFailed:
    return AuthenticationFailed(f"{what}: {sentence(error)}", CLAUSE)
