"""SMTPEventConsumer: a message for each event, handed to a mail server (model.md E-75).

What goes over the line is ASCII, as documented: other characters travel in the encodings that mail has for them. The
class has no place for a name and a password, so there is no log-on: the server must take mail from this machine.
"""

from __future__ import annotations

import logging
import smtplib
import socket
import ssl
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, getaddresses, make_msgid
from typing import TYPE_CHECKING, Final

from openwmi.consumers.templates import expand
from openwmi.model.errors import error
from openwmi.model.status import WBEM_E_FAILED, WBEM_E_INVALID_PARAMETER, WBEM_E_RETRY_LATER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from openwmi.contract.provider import Delivery
    from openwmi.model.errors import WbemError
    from openwmi.model.instances import Instance

# The longest silence of the server.
SECONDS: Final = 20.0
RECIPIENTS: Final = 100
_LOG: Final = logging.getLogger("openwmi.consumers")
_LINES: Final = (("To", "ToLine"), ("Cc", "CcLine"), ("Bcc", "BccLine"))


class SMTPEventConsumer:
    """Sends on a thread of its own, one connection for each message."""

    name = "SMTPEventConsumer"

    def consume(self, request: Delivery, consumer: Instance, events: Sequence[Instance]) -> None:
        host, port = server_of(consumer.raw_("SMTPServer"))
        for event in events:
            message, recipients = composed(consumer, event)
            _deliver(host, port, message, recipients)


def server_of(text: str) -> tuple[str, int]:
    """Host and port: `name`, `name:port`, `[address]:port`; an IPv6 address may stand alone."""
    host, colon, port = text.strip().rpartition(":")
    if not colon or (":" in host and not host.endswith("]")):
        host, port = text.strip(), "25"
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise error(WBEM_E_INVALID_PARAMETER, f"not a mail server: {text!r:.200}", parameter="SMTPServer")
    return host, int(port)


def composed(consumer: Instance, event: Instance) -> tuple[EmailMessage, list[str]]:
    """The message for an event and whom it goes to."""
    message = EmailMessage(policy=SMTP.clone(cte_type="7bit"))
    recipients: list[str] = []
    for header, name in _LINES:
        found = _addresses(consumer, name, event)
        recipients += found
        if found and header != "Bcc":
            message[header] = ", ".join(found)
    if not recipients:
        raise error(WBEM_E_INVALID_PARAMETER, "ToLine, CcLine and BccLine name nobody", parameter="ToLine")
    if len(recipients) > RECIPIENTS:
        raise error(WBEM_E_INVALID_PARAMETER, f"more than {RECIPIENTS} recipients", parameter="ToLine")
    sender = _line(consumer, "FromLine", event) or f"WinMgmt@{consumer.server_ or socket.gethostname()}"
    message["From"] = sender
    if reply := _line(consumer, "ReplyToLine", event):
        message["Reply-To"] = reply
    message["Subject"] = _line(consumer, "Subject", event)
    message["Date"] = formatdate(usegmt=True)
    message["Message-ID"] = make_msgid(domain=socket.gethostname())
    for field in consumer.raw_("HeaderFields") or ():
        _add_field(message, field)
    message.set_content(expand(consumer.raw_("Message"), event))
    return message, recipients


def _line(consumer: Instance, name: str, event: Instance) -> str:
    """A template that is one line, whatever the event has in it: no value may become a header of its own."""
    return " ".join(expand(consumer.raw_(name), event).split())


def _addresses(consumer: Instance, name: str, event: Instance) -> list[str]:
    """The addresses of a list that commas or semicolons separate."""
    text = _line(consumer, name, event).replace(";", ",")
    return [address for _, address in getaddresses([text]) if "@" in address]


def _add_field(message: EmailMessage, field: str) -> None:
    name, colon, value = field.partition(":")
    if (
        not colon
        or not name.isascii()
        or not name.replace("-", "").isalnum()
        or "\n" in value
        or "\r" in value
    ):
        raise error(WBEM_E_INVALID_PARAMETER, f"not a header field: {field!r:.100}", parameter="HeaderFields")
    try:
        message[name] = value.strip()
    except ValueError as reason:  # a second one of those that there may be one of
        raise error(WBEM_E_INVALID_PARAMETER, f"{field!r:.100}: {reason}", parameter="HeaderFields") from None


def _deliver(host: str, port: int, message: EmailMessage, recipients: list[str]) -> None:
    sender = next((address for _, address in getaddresses([str(message["From"])])), "")
    try:
        with _session(host, port) as session:
            refused = session.send_message(message, sender, recipients)
    except (smtplib.SMTPException, OSError) as reason:
        raise _failure(f"{host}:{port}", reason) from reason
    if refused:
        code, text = next(iter(refused.values()))
        raise error(WBEM_E_FAILED, f"{host}:{port} refused {', '.join(refused)}: {code} {_text(text)}")


def _session(host: str, port: int) -> smtplib.SMTP:
    """A session that is encrypted where the server offers it (RFC 3207), and as it comes where that fails.

    Certificates are not looked at: who could come between with one of his own could as well hide the offer. Against
    whoever only listens, encryption for anybody is better than none (RFC 7435).
    """
    session = smtplib.SMTP(host, port, timeout=SECONDS)
    try:
        session.ehlo_or_helo_if_needed()
        if not session.has_extn("starttls"):
            return session
        session.starttls(context=_context())
    except smtplib.SMTPResponseException as reason:
        _LOG.warning("%s:%d offers encryption, but refuses it: %s", host, port, reason)
    except (ssl.SSLError, ConnectionError) as reason:
        session.close()
        _LOG.warning("%s:%d offers encryption, but it fails: %s", host, port, reason)
        return smtplib.SMTP(host, port, timeout=SECONDS)
    except BaseException:
        session.close()
        raise
    return session


def _context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _failure(server: str, reason: Exception) -> WbemError:
    """The failure of a server: what may pass asks for another attempt (4xx, RFC 5321 4.2.1; no connection)."""
    text: bytes | str
    if isinstance(reason, smtplib.SMTPRecipientsRefused):
        code, text = next(iter(reason.recipients.values()))
    elif isinstance(reason, smtplib.SMTPResponseException):
        code, text = reason.smtp_code, reason.smtp_error
    else:
        return error(WBEM_E_RETRY_LATER, f"{server}: {reason or type(reason).__name__}")
    passing = 400 <= code < 500
    return error(WBEM_E_RETRY_LATER if passing else WBEM_E_FAILED, f"{server}: {code} {_text(text)}")


def _text(answer: bytes | str) -> str:
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
    return " ".join(text.split())[:500]
