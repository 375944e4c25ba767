"""SMTPEventConsumer against a real mail server on loopback."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from tests.consumers.conftest import Event, Told

from openwmi.consumers.mail import SMTPEventConsumer, server_of
from openwmi.model.errors import WbemError
from openwmi.model.status import WBEM_E_FAILED, WBEM_E_INVALID_PARAMETER, WBEM_E_RETRY_LATER


class Mailbox:
    """What the server took; `answer` is what it says to the next message."""

    def __init__(self) -> None:
        self.taken: list[Any] = []
        self.encrypted: list[bool] = []
        self.answer = "250 OK"
        self.refused = ""

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if address == self.refused:
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.taken.append(envelope)
        self.encrypted.append(session.ssl is not None)
        return self.answer


@contextmanager
def serving(mailbox: Mailbox, kind: type[Controller] = Controller, **options: Any) -> Iterator[str]:
    controller = kind(mailbox, hostname="127.0.0.1", port=0, **options)
    with socket.socket() as free:  # the controller wants to know its port
        free.bind(("127.0.0.1", 0))
        controller.port = free.getsockname()[1]
    controller.start()
    try:
        yield f"127.0.0.1:{controller.port}"
    finally:
        controller.stop()


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, Mailbox]]:
    mailbox = Mailbox()
    with serving(mailbox) as address:
        yield address, mailbox


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """Of a server whose certificate nobody has signed but itself, for another name."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "elsewhere.example.org")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2021, 1, 1, tzinfo=UTC))
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("mail") / "server.pem"
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(secret + made.public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


@pytest.fixture
def mailbox(server: tuple[str, Mailbox]) -> Mailbox:
    _, mailbox = server
    mailbox.taken.clear()
    mailbox.encrypted.clear()
    mailbox.answer, mailbox.refused = "250 OK", ""
    return mailbox


@pytest.fixture
def send(tell: Told, event: Event, server: tuple[str, Mailbox], mailbox: Mailbox) -> Any:
    def send(text: str = "", **values: Any) -> None:
        given = {"SMTPServer": server[0], "ToLine": "ops@example.org", **values}
        tell(SMTPEventConsumer(), event(Text=text), **given)

    return send


@pytest.mark.req("E-75")
def test_every_line_is_a_template(send: Any, mailbox: Mailbox) -> None:
    send(
        "disk",
        ToLine="a@example.org; B <b@example.org>",
        CcLine="c@example.org,%Text%@example.org",
        BccLine="hidden@example.org",
        FromLine="%Text% <wmi@example.org>",
        ReplyToLine="%Text%@example.org",
        Subject="about %Text%",
        Message="%Text% is full\nreally",
        HeaderFields=["X-Priority: 1", "X-Source:%Text%"],
    )
    (envelope,) = mailbox.taken
    assert envelope.mail_from == "wmi@example.org"
    assert envelope.rcpt_tos == [
        *("a@example.org", "b@example.org", "c@example.org", "disk@example.org", "hidden@example.org")
    ]
    message = message_from_bytes(envelope.content, policy=default)
    assert message["To"] == "a@example.org, b@example.org"
    assert message["Cc"] == "c@example.org, disk@example.org"
    assert message["Bcc"] is None
    assert message["Reply-To"] == "disk@example.org"
    assert message["Subject"] == "about disk"
    assert (message["X-Priority"], message["X-Source"]) == ("1", "%Text%")  # no templates: as they are
    assert message["Date"] is not None
    assert message.get_content().splitlines() == ["disk is full", "really"]


@pytest.mark.req("E-75")
def test_who_sends_it_unless_somebody_is_named(send: Any, mailbox: Mailbox) -> None:
    send()
    name = mailbox.taken[0].mail_from
    assert name.startswith("WinMgmt@")
    assert len(name) > len("WinMgmt@")


@pytest.mark.req("E-75")
def test_the_line_carries_ascii_alone(send: Any, mailbox: Mailbox) -> None:
    send("é", Subject="%Text%", Message="%Text%\n.\nend")
    content = mailbox.taken[0].content
    assert content.isascii()
    message = message_from_bytes(content, policy=default)
    assert message["Subject"] == "é"
    assert message.get_content().splitlines() == ["é", ".", "end"]


def test_a_value_cannot_become_a_header_or_a_recipient(send: Any, mailbox: Mailbox) -> None:
    send("x\r\nBcc: spy@example.org\r\n\r\nbody", Subject="%Text%")
    (envelope,) = mailbox.taken
    assert envelope.rcpt_tos == ["ops@example.org"]
    message = message_from_bytes(envelope.content, policy=default)
    assert message["Bcc"] is None
    assert message["Subject"] == "x Bcc: spy@example.org body"


@pytest.mark.req("E-75", "E-57")
def test_what_the_server_refuses_is_a_failure_and_what_may_pass_is_tried_again(
    send: Any, mailbox: Mailbox
) -> None:
    for answer, code in [("550 not here", WBEM_E_FAILED), ("451 later", WBEM_E_RETRY_LATER)]:
        mailbox.answer = answer
        with pytest.raises(WbemError) as failed:
            send()
        assert failed.value.code == code
        assert answer in failed.value.message
    mailbox.answer, mailbox.refused = "250 OK", "gone@example.org"
    with pytest.raises(WbemError, match="550 no such user"):
        send(ToLine="gone@example.org")
    with pytest.raises(WbemError, match="refused gone@example.org"):
        send(CcLine="gone@example.org")


@pytest.mark.req("E-75")
def test_what_the_server_can_encrypt_is_encrypted(send: Any, context: ssl.SSLContext) -> None:
    mailbox = Mailbox()
    with serving(mailbox, tls_context=context, require_starttls=True) as address:
        send("disk", Subject="%Text%", SMTPServer=address)
    assert mailbox.encrypted == [True]
    assert message_from_bytes(mailbox.taken[0].content, policy=default)["Subject"] == "disk"


def test_what_it_cannot_is_sent_as_it_is(send: Any, mailbox: Mailbox) -> None:
    send()
    assert mailbox.encrypted == [False]


def test_a_server_whose_encryption_fails_gets_its_mail(send: Any, caplog: pytest.LogCaptureFixture) -> None:
    mailbox = Mailbox()
    broken = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)  # without a certificate
    with serving(mailbox, tls_context=broken) as address:
        send(SMTPServer=address)
    assert mailbox.encrypted == [False]
    assert "offers encryption, but it fails" in caplog.text


class Refusing(Controller):
    """Offers what it has not (454, RFC 3207 4)."""

    def factory(self) -> SMTP:
        class Server(SMTP):
            async def smtp_STARTTLS(self, arg: str) -> None:
                await self.push("454 TLS not available")

        return Server(self.handler, **self.SMTP_kwargs)


def test_a_server_that_refuses_what_it_offers_gets_its_mail(
    send: Any, context: ssl.SSLContext, caplog: pytest.LogCaptureFixture
) -> None:
    mailbox = Mailbox()
    with serving(mailbox, Refusing, tls_context=context) as address:
        send(SMTPServer=address)
    assert mailbox.encrypted == [False]
    assert "refuses it: (454" in caplog.text


def test_a_server_that_is_not_there_is_tried_again(send: Any) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(WbemError) as failed:
        send(SMTPServer=address)
    assert failed.value.code == WBEM_E_RETRY_LATER


@pytest.mark.req("E-75")
@pytest.mark.parametrize(
    "values",
    [
        {"ToLine": None},
        {"ToLine": "%Empty%"},
        {"ToLine": "nobody"},
        {"SMTPServer": "host:port"},
        {"SMTPServer": ":25"},
        {"HeaderFields": ["no colon"]},
        {"HeaderFields": ["X: a\r\nBcc: b@example.org"]},
        {"HeaderFields": ["Subject: a second one"]},
        {"ToLine": ",".join(["a@example.org"] * 101)},
    ],
)
def test_what_cannot_be_sent(send: Any, mailbox: Mailbox, values: dict[str, Any]) -> None:
    with pytest.raises(WbemError) as failed:
        send(**values)
    assert failed.value.code == WBEM_E_INVALID_PARAMETER
    assert mailbox.taken == []


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("mail", ("mail", 25)),
        ("mail.example.org:587", ("mail.example.org", 587)),
        ("[::1]:2525", ("::1", 2525)),
        ("[::1]", ("::1", 25)),
        ("fe80::1", ("fe80::1", 25)),
    ],
)
def test_names_of_servers(text: str, server: tuple[str, int]) -> None:
    assert server_of(text) == server
