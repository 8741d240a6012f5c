"""A mail with files, options and signatures: what mail programs and verifiers make of it."""

from base64 import b64encode
from collections.abc import Callable
from email.message import EmailMessage
from email.utils import parseaddr
from functools import partial
from typing import Any

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from notifykit import Attachment, Content
from notifykit.channels.email import EmailChannel
from notifykit.channels.email.mime import compose
from notifykit.errors import ChannelUnavailableError, ConfigurationError, PermanentError
from tests._smtp import SMTPServer
from tests._smtp_client import CONTENT, channel_to, send
from tests.unit.test_email_mime import ADA, NOW, SENDER, message, received

PDF = Attachment("invoice.pdf", b"%PDF\r\n.\r\n\x00\xff" * 50)
LOGO = Attachment("logo.png", b"\x89PNG\r\n", inline=True)
HTML = '<p><img src="cid:logo.png"> cid:logo.png <b style="background:url(cid:logo.png)">x</b></p>'


def mail_with(*attachments: Attachment, html: str = HTML, text: str = "Hello") -> EmailMessage:
    return received(compose(SENDER, ADA, Content({"subject": "s", "html": html, "text": text}), message(attachments=attachments), NOW))


def shape(mail: EmailMessage) -> Any:
    """Return the types of a mail's parts, as a tree."""
    return [mail.get_content_type(), *map(shape, mail.iter_parts())] if mail.is_multipart() else mail.get_content_type()  # type: ignore[arg-type]


def file_in(mail: EmailMessage, place: int = -1) -> EmailMessage:
    part = list(mail.walk())[place]
    assert isinstance(part, EmailMessage)
    return part


ALTERNATIVE = ["multipart/alternative", "text/plain", "text/html"]
RELATED = ["multipart/alternative", "text/plain", ["multipart/related", "text/html", "image/png"]]


@pytest.mark.parametrize(
    ("attachments", "html", "text", "tree"),
    [
        ([], HTML, "t", ALTERNATIVE),
        ([PDF], HTML, "t", ["multipart/mixed", ALTERNATIVE, "application/pdf"]),
        ([PDF], "", "t", ["multipart/mixed", "text/plain", "application/pdf"]),
        ([LOGO], HTML, "t", RELATED),
        ([LOGO], HTML, "", ["multipart/related", "text/html", "image/png"]),
        ([LOGO, PDF], HTML, "t", ["multipart/mixed", RELATED, "application/pdf"]),
        ([LOGO], "<p>no picture</p>", "t", ["multipart/mixed", ALTERNATIVE, "image/png"]),
        ([LOGO], "", "t", ["multipart/mixed", "text/plain", "image/png"]),
    ],
)
def test_files_stand_where_mail_programs_look_for_them(attachments: list[Attachment], html: str, text: str, tree: Any) -> None:
    assert shape(mail_with(*attachments, html=html, text=text)) == tree


@given(st.binary(max_size=2000))
def test_any_bytes_arrive_as_they_were(data: bytes) -> None:
    assert file_in(mail_with(Attachment("a.bin", data))).get_content() == data


NAMES = st.text(st.characters(exclude_categories=("Cc", "Cf", "Cs", "Zl", "Zp"), exclude_characters="/\\"), min_size=1, max_size=40)


@given(NAMES.filter(lambda name: name.strip(" .") and name == name.strip()))
def test_any_name_arrives_as_it_was_and_makes_no_header(name: str) -> None:
    part = file_in(mail_with(Attachment(name, b"", media_type="application/x-odd")))
    assert part.get_filename() == name
    assert set(part.keys()) == {"Content-Type", "Content-Transfer-Encoding", "Content-Disposition"}


def test_a_name_outside_ascii_is_written_by_rfc_2231() -> None:
    mail = compose(SENDER, ADA, CONTENT, message(attachments=(Attachment('ů"1".pdf', b""),)), NOW)
    assert b"Content-Disposition: attachment;\r\n filename*=utf-8''%C5%AF%221%22.pdf\r\n" in mail.data


def test_an_inline_file_is_found_by_the_content_id_that_the_html_names() -> None:
    mail = mail_with(LOGO)
    part = file_in(mail)
    assert (part["Content-ID"], part.get_content_disposition()) == ("<logo.png@inline>", "inline")
    html = mail.get_body(("html",))
    assert html is not None
    assert html.get_content().count("cid:logo.png@inline") == 2
    assert html.get_content().replace("@inline", "").strip() == HTML


def test_an_html_that_names_a_file_which_is_not_inline_is_left_alone() -> None:
    mail = mail_with(Attachment("logo.png", b""))
    html = mail.get_body(("html",))
    assert html is not None
    assert html.get_content().strip() == HTML


# -- options


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"cc": "bob@example.com"}, "no option 'cc'; there are: reply_to, headers"),
        ({"reply_to": "nobody"}, "reply_to: the e-mail address has no @"),
        ({"reply_to": 7}, "reply_to"),
        ({"headers": ["X-Priority"]}, "a mapping"),
        ({"headers": {"X-SMTPAPI": "{}"}}, "may not set 'X-SMTPAPI'"),
        ({"headers": {"Bcc": "bob@example.com"}}, "may not set 'Bcc'"),
        ({"headers": {"X-Priority\r\nBcc": "1"}}, "may not set"),
        ({"headers": {"X-Priority": "1\r\nBcc: bob@example.com"}}, "without line breaks"),
        ({"headers": {"X-Priority": 1}}, "must be a text"),
        ({"headers": {"X-Priority": "1" * 999}}, "at most 998"),
    ],
)
def test_options_that_mean_nothing_are_refused_when_the_message_is_made(options: dict[str, Any], what: str) -> None:
    channel = EmailChannel("mail.example", sender="no-reply@acme.example")
    with pytest.raises(ConfigurationError, match=what) as caught:
        channel.parse_options(options)
    assert "bob@example.com" not in str(caught.value)


@pytest.mark.parametrize("name", ["Bcc", "cc", "Content-Type", "List-Unsubscribe", "DKIM-Signature", "Resent-To", "a b", "", "x" * 61])
def test_no_allow_list_allows_a_field_that_the_channel_sets_itself(name: str) -> None:
    with pytest.raises(ConfigurationError):
        EmailChannel("mail.example", sender="no-reply@acme.example", allow_headers=[name])
    with pytest.raises(ConfigurationError):
        EmailChannel("mail.example", sender="no-reply@acme.example", headers={name: "x"})


def test_an_allow_list_is_a_list() -> None:
    with pytest.raises(ConfigurationError, match="a list of field names"):
        EmailChannel("mail.example", sender="no-reply@acme.example", allow_headers="X-Tag")


@pytest.mark.anyio
async def test_the_calls_options_go_before_the_templates_and_those_before_the_channels(anyio_backend: str) -> None:
    content = Content({**CONTENT.parts, "options": '{"reply_to": "Help <help@acme.example>", "headers": {"x-tag": "template"}}'})
    with SMTPServer() as server:
        async with channel_to(server, reply_to="office@acme.example", headers={"X-Tag": "channel"}, allow_headers=["X-Tag"]) as channel:
            parsed = channel.parse_options({"reply_to": "Ůla <Ula@acme.example>"})
            assert channel.parse_options(parsed) == parsed
            await send(channel)
            await send(channel, content=content)
            await send(channel, content=content, options={"email": parsed})
    assert [parseaddr(mail.message["Reply-To"]) for mail in server.mails] == [
        ("", "office@acme.example"),
        ("Help", "help@acme.example"),
        ("Ůla", "Ula@acme.example"),
    ]
    assert [mail.message.get_all("X-Tag") for mail in server.mails] == [["channel"], ["template"], ["template"]]


@pytest.mark.anyio
async def test_options_of_other_settings_are_a_permanent_error(anyio_backend: str) -> None:
    with SMTPServer() as server:
        async with channel_to(server) as channel:
            with pytest.raises(PermanentError, match="options cannot be used: headers"):
                await send(channel, options={"email": {"headers": {"X-Tag": "x"}}})
    assert server.mails == []


def test_a_templates_options_are_checked_when_they_are_rendered() -> None:
    for kind in (EmailChannel, EmailChannel("mail.example", sender="a@b.example")):
        check = kind.parts["options"].check
        assert check is not None
        check('{"reply_to": "a@b.example"}')
        for wrong in ("[]", "no", '{"cc": "x"}', "[" * 100_000):
            with pytest.raises(ConfigurationError):
                check(wrong)


# -- signatures


def signer() -> tuple[Callable[[bytes], bytes], Callable[..., bytes]]:
    """Return what signs by dkimpy, and the DNS that its verifier asks."""
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    public = b64encode(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    sign = partial(dkim.sign, selector=b"june", domain=b"acme.example", privkey=pem)
    return sign, lambda name, timeout=5: b"v=DKIM1; k=rsa; p=" + public if name == b"june._domainkey.acme.example." else b""


@pytest.mark.anyio
@pytest.mark.parametrize("content", [CONTENT, Content({"subject": "Objednávka 81", "text": ".dot\n..dots\n. \nůžas"})])
async def test_a_mail_signed_by_dkimpy_verifies_as_it_arrived(anyio_backend: str, content: Content) -> None:
    sign, dns = signer()
    with SMTPServer() as server:
        async with channel_to(server, sign=sign) as channel:
            await send(channel, content=content, attachments=(PDF,))
            await send(channel, "Žofie <ů@example.com>", content=content)
    for mail in server.mails:
        assert mail.data.startswith(b"DKIM-Signature: ")
        assert dkim.verify(mail.data, dnsfunc=dns)
        assert not dkim.verify(mail.data.replace(b"\r\nSubject: ", b"\r\nSubject: Re: "), dnsfunc=dns)


def failing(_: bytes) -> bytes:
    raise ValueError("PRIVATE KEY")


@pytest.mark.anyio
@pytest.mark.parametrize(
    "sign",
    [failing, *(lambda _, given=given: given for given in (None, "X: y\r\n", b"", b"X: y\n", b"X: y\r\n\r\nbody", b"X: \xff\r\n"))],
)
async def test_mails_that_cannot_be_signed_are_nobodys_fault(anyio_backend: str, sign: Any) -> None:
    with SMTPServer() as server:
        async with channel_to(server, sign=sign) as channel:
            with pytest.raises(ChannelUnavailableError, match="signs mails") as caught:
                await send(channel)
            assert "PRIVATE" not in f"{caught.value}{caught.value.__cause__}"
    assert server.connections == 0


# -- logging in by token


@pytest.mark.anyio
async def test_a_token_is_asked_for_once_for_each_connection(anyio_backend: str) -> None:
    asked: list[int] = []

    def token() -> str:
        asked.append(1)
        return "ya29.fresh"

    with SMTPServer(tls="starttls", login=("ada", "ya29.fresh"), mechanisms=("PLAIN", "XOAUTH2")) as server:
        async with channel_to(server, username="ada", token=token) as channel:
            await send(channel)
            await send(channel)
            await channel.check()
    assert [mail.login for mail in server.mails] == ["ada", "ada"]
    assert len(asked) == server.connections == 2


def no_token() -> str:
    raise ConnectionError("client_secret=s3cret")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("token", "mechanisms", "what"),
    [
        (lambda: "s3cret.stale", ("XOAUTH2",), "535 5.7.8 to AUTH: check user name and password or token"),
        (lambda: "s3cret", ("PLAIN",), "does not offer XOAUTH2"),
        (no_token, ("XOAUTH2",), "the function that gives the token failed: ConnectionError"),
        (lambda: "s3cret\r\nQUIT", ("XOAUTH2",), "is no token"),
        (lambda: None, ("XOAUTH2",), "the token"),
    ],
)
async def test_a_token_that_does_not_let_in_makes_the_channel_unavailable(
    anyio_backend: str, token: Any, mechanisms: tuple[str, ...], what: str
) -> None:
    with SMTPServer(tls="starttls", login=("ada", "right"), mechanisms=mechanisms) as server:
        async with channel_to(server, username="ada", token=token) as channel:
            for attempt in (send(channel), channel.check()):
                with pytest.raises(ChannelUnavailableError, match=what) as caught:
                    await attempt
                assert "s3cret" not in f"{caught.value}{caught.value.__cause__}"
    assert server.mails == []


async def coroutine() -> str:
    return ""


@pytest.mark.parametrize(
    "options",
    [
        {"token": lambda: "x"},
        {"username": "ada", "token": coroutine},
        {"username": "ada", "token": "text"},
        {"username": "ada", "token": lambda: "x", "password": "y"},
        {"username": "ada", "token": lambda: "x", "security": "none"},
    ],
)
def test_a_token_that_means_nothing_or_would_be_unsafe_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        EmailChannel("mail.example", sender="no-reply@acme.example", **options)
