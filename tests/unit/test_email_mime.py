"""The mail that is built says what was meant, whatever is in it, and nothing else."""

from datetime import UTC, datetime
from email import message_from_string
from email.errors import NonASCIILocalPartDefect
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from notifykit._messages import Address, Content, Lane, Message
from notifykit.channels._mime import Field
from notifykit.channels.email.address import Mailbox
from notifykit.channels.email.headers import text_field
from notifykit.channels.email.mime import Mail, Sender, compose, usable_link
from notifykit.errors import PermanentError

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
BOX = Mailbox("no-reply", "acme.example", "Acme")
SENDER = Sender(BOX, BOX)
ADA = Mailbox("ada", "example.com")
LINK = "https://acme.example/u?t=abc.def-123"
FIELDS = ["Date", "From", "To", "Message-ID", "Subject", "Auto-Submitted", "MIME-Version", "Content-Type"]

TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=300)
LINES = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=200)


def message(**fields: Any) -> Message:
    return Message(
        id="01936f3c-0000-7000-8000-000000000001",
        channel="email",
        address=Address("ada@example.com", "ada@example.com"),
        recipient_id="user:42",
        template="order_shipped",
        created_at=NOW,
        **fields,
    )


def mail_of(to: Mailbox = ADA, sender: Sender = SENDER, **parts: str) -> Mail:
    return compose(sender, to, Content(parts), message(), NOW)


def received(mail: Mail) -> EmailMessage:
    """Undo the dots, and parse as a mail program does."""
    assert mail.data.endswith(b"\r\n.\r\n")
    lines = mail.data.removesuffix(b".\r\n").split(b"\r\n")
    plain = b"\r\n".join(line[1:] if line.startswith(b".") else line for line in lines)
    parsed = message_from_string(plain.decode(), policy=default)  # of bytes it takes RFC 6532's UTF-8 for a defect
    assert isinstance(parsed, EmailMessage)
    for part in parsed.walk():
        assert part.defects == []
        defects = [defect for value in part.values() for defect in value.defects]
        assert all(isinstance(each, NonASCIILocalPartDefect) for each in defects)
    return parsed


def normal(text: str) -> str:
    return (text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n") + "\n").encode(errors="replace").decode()


def body_of(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def test_both_parts_make_an_alternative_with_the_best_one_last() -> None:
    mail = received(mail_of(subject="Order 81", html="<p>Sent.</p>", text="Sent."))
    assert [part.get_content_type() for part in mail.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    assert body_of(mail, "plain") == "Sent.\n"
    assert body_of(mail, "html") == "<p>Sent.</p>\n"
    assert mail.keys() == FIELDS


@pytest.mark.parametrize("kind", ["text", "html"])
def test_one_part_alone_is_the_whole_mail(kind: str) -> None:
    mail = received(mail_of(subject="Order 81", **{kind: "Sent."}))
    assert mail.get_content_type() == {"text": "text/plain", "html": "text/html"}[kind]
    assert mail.get_content() == "Sent.\r\n" or mail.get_content() == "Sent.\n"


def test_a_mail_without_a_body_is_refused() -> None:
    with pytest.raises(PermanentError, match="neither"):
        mail_of(subject="Order 81")


def test_the_message_id_is_the_same_on_every_attempt() -> None:
    mails = [received(mail_of(subject="Order 81", text="Sent.")) for _ in range(2)]
    assert {mail["Message-ID"] for mail in mails} == {"<01936f3c-0000-7000-8000-000000000001@acme.example>"}
    assert mails[0]["Auto-Submitted"] == "auto-generated"
    assert mails[0]["Date"].datetime == NOW


@given(LINES)
@example("=?utf-8?q?forged?=")
@example("a =?utf-8?q?forged?= b")
@example("x" * 2000)
@example("word " * 300 + "end")
@example("Zásilka č. 81 \N{PARTY POPPER}" * 20)
@example("two  spaces   three" * 8)
@example("a" * 66 + " " + "b" * 900 + " c")
@example("\u00a0nbsp ends\u00a0")
def test_any_subject_arrives_as_it_was(subject: str) -> None:
    mail = mail_of(subject=subject, text="x")
    assert received(mail)["Subject"] == subject.strip()
    assert max(map(len, mail.data.split(b"\r\n"))) <= 998
    assert mail.data.split(b"\r\n\r\n", 1)[0].isascii()


@given(LINES)
@example('Lovelace, "Ada" \\ <ada@b.cz>')
@example("=?utf-8?q?forged?=")
@example("Žluťoučký kůň " * 9)
@example("x" * 200)
@example("x" * 62)
def test_any_display_name_arrives_as_it_was(name: str) -> None:
    name = name.strip()
    mail = received(mail_of(Mailbox("ada", "example.com", name), subject="s", text="x"))
    (to,) = mail["To"].addresses
    assert to.addr_spec == "ada@example.com"
    raw = next(value for field, value in mail.raw_items() if field == "To")
    if "=?utf-8?b?" in raw:  # the parser of Python 3.11 puts spaces between the encoded words of a name, the older one does not
        assert str(make_header(decode_header(raw.replace("\n ", " ")))).removesuffix("<ada@example.com>").rstrip(" ") == name
    else:
        assert to.display_name == name


@given(TEXTS, TEXTS)
@example(".\n..\r\n.", "<p>.</p>\r\n.\r\n")
@example("x" * 5000, "é" * 5000)
@example("trailing \n \t\n", "a\tb \r c")
@example("nul \0 here", "=3D =\n")
@example("From here\n>From\n", "--=_0\n--=_0--")
@example("\x0b\x0c\x1c\x85\u2028", "\ufeff")
def test_any_text_and_html_arrive_as_they_were(text: str, html: str) -> None:
    mail = mail_of(subject="s", text=text or "x", html=html or "x")
    got = received(mail)
    assert body_of(got, "plain") == normal(text or "x")
    assert body_of(got, "html") == normal(html or "x")
    assert mail.data.isascii()
    assert max(map(len, mail.data.split(b"\r\n"))) <= 998
    assert mail.data.find(b"\r\n.\r\n") == len(mail.data) - 5
    assert mail.data.replace(b"\r\n", b"").find(b"\n") == -1


@given(st.text(max_size=100), st.text(max_size=100), st.text(max_size=50))
@example("x\r\nBcc: eve@example.com", "x", "y")
@example("x", "x\r\n\r\nSubject: forged", "\r\nBcc: eve@example.com")
@example("x\x0bBcc: eve@example.com\x85X: y", "x", "\u2028Bcc: eve@example.com")
def test_no_content_makes_a_header(subject: str, text: str, link: str) -> None:
    content = Content({"subject": subject, "text": text})
    try:
        mail = compose(SENDER, ADA, content, message(lane=Lane.CAMPAIGN, variables={"unsubscribe_url": link}), NOW)
    except PermanentError:
        assert not text or any(char in subject for char in "\r\n\0")
        return
    head = mail.data.split(b"\r\n\r\n", 1)[0]
    names = [line.split(b":")[0].decode() for line in head.split(b"\r\n") if not line.startswith(b" ")]
    allowed = [*FIELDS, "Content-Transfer-Encoding"]
    assert [name for name in names if not name.startswith("List-")] == allowed


@pytest.mark.parametrize("break_", ["\r\n", "\n", "\r", "\0"])
def test_a_line_break_in_the_subject_is_refused(break_: str) -> None:
    with pytest.raises(PermanentError, match="line break"):
        mail_of(subject=f"Order{break_}Bcc: eve@example.com", text="x")


@pytest.mark.parametrize("value", ["a\r\nb", "a\nb", "a\rb", "a\0b", "a\r\n\r\n b", "a\x7fb", "a\r\n\tb"])
def test_a_field_cannot_be_made_with_a_line_break(value: str) -> None:
    with pytest.raises(ValueError, match="control character"):
        Field("X-Tag", value)


def test_a_field_is_folded_at_spaces_when_it_is_long_ascii() -> None:
    field = text_field("Subject", "word " * 40 + "end")
    assert all(len(line) <= 78 for line in f"Subject: {field}".split("\r\n"))
    assert "=?" not in field


def test_a_campaign_mail_can_be_unsubscribed_with_one_click() -> None:
    long = LINK + "x" * 500
    content = Content({"subject": "News", "text": "x"})
    mail = received(compose(SENDER, ADA, content, message(lane=Lane.CAMPAIGN, variables={"unsubscribe_url": long}), NOW))
    assert mail["List-Unsubscribe"] == f"<{long}>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    transactional = received(compose(SENDER, ADA, content, message(variables={"unsubscribe_url": long}), NOW))
    assert "List-Unsubscribe" not in transactional


@pytest.mark.parametrize(
    ("link", "usable"),
    [
        (LINK, True),
        ("http://127.0.0.1:8000/u", True),
        ("http://localhost/u", True),
        ("http://[::1]:8000/u", True),
        ("http://acme.example/u", False),
        ("http://localhost.evil.example/u", False),
        ("https://", False),
        ("https://[half/u", False),
        ("mailto:u@acme.example", False),
        ("javascript:alert(1)", False),
        ("https://acme.example/u\r\nBcc: eve@example.com", False),
        ("https://acme.example/a b", False),
        ("https://acme.example/>,<mailto:eve@example.com", False),
        ("https://acme.example/é", False),
        (LINK + "x" * 900, False),
        ("", False),
    ],
)
def test_only_a_plain_https_link_stands_in_the_unsubscribe_header(link: str, usable: bool) -> None:
    assert usable_link(link) is usable


def test_a_link_that_is_no_text_is_left_out() -> None:
    content = Content({"subject": "News", "text": "x"})
    mail = compose(SENDER, ADA, content, message(lane=Lane.CAMPAIGN, variables={"unsubscribe_url": 81}), NOW)
    assert b"List-" not in mail.data


def test_smtputf8_is_asked_for_only_when_an_address_needs_it() -> None:
    parts = {"subject": "Zásilka", "text": "Už jede."}
    assert not mail_of(Mailbox("ada", "xn--bcher-kva.example", "Žofie"), **parts).utf8
    mail = mail_of(Mailbox("josé", "example.com", "José"), **parts)
    assert mail.utf8
    assert received(mail)["To"].addresses[0].addr_spec == "josé@example.com"
    reply = Sender(BOX, BOX, Mailbox("jiří", "acme.example"))
    assert mail_of(sender=reply, **parts).utf8


def test_sender_reply_and_bounces_go_where_they_should() -> None:
    sender = Sender(BOX, Mailbox("bounce", "acme.example"), Mailbox("help", "acme.example", "Acme Help"), (text_field("X-Tag", "a"),))
    mail = mail_of(sender=sender, subject="s", text="x")
    assert mail.sender == "bounce@acme.example"
    got = received(mail)
    assert got["Reply-To"] == "Acme Help <help@acme.example>"
    assert got["From"].addresses[0].display_name == "Acme"
    assert got["X-Tag"] == "a"


def test_a_mail_shows_nobody_in_its_repr() -> None:
    assert "ada" not in repr(mail_of(subject="s", text="secret"))
    assert "secret" not in repr(mail_of(subject="s", text="secret"))


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("plain ascii", "7bit"),
        ("x" * 998, "7bit"),
        ("x" * 999, "quoted-printable"),
        ("nul \0", "quoted-printable"),
        ("Už jede, odesláno dnes.", "quoted-printable"),
        ("注文八十一番は発送されました" * 10, "base64"),
    ],
)
def test_the_transfer_encoding_passes_every_server_and_is_the_short_one(text: str, encoding: str) -> None:
    assert received(mail_of(subject="s", text=text))["Content-Transfer-Encoding"] == encoding
