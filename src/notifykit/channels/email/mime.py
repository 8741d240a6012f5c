"""From content to the bytes of DATA, made once and used on every server."""

import base64
import binascii
import re
import secrets
from datetime import datetime
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime
from urllib.parse import urlsplit

from attrs import field, frozen

from notifykit._messages import Content, Lane, Message
from notifykit.channels.email.address import Mailbox
from notifykit.channels.email.headers import Field, mailbox_field, text_field
from notifykit.errors import PermanentError

__all__ = ["Mail", "Sender", "compose", "usable_link"]

_LONGEST_LINE = 998
"""Octets of a line without its CRLF (RFC 5322, 2.1.1)."""
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_DOT = re.compile(rb"^\.", re.MULTILINE)


class _Wire(EmailPolicy):
    """The SMTP policy, less its search for repeated fields, which builds a class per field and costs as much as all the rest."""

    def header_max_count(self, name: str) -> int | None:
        """Allow it: our fields are made one by one."""
        return None


_SMTP = _Wire(linesep="\r\n")
_SMTPUTF8 = _Wire(linesep="\r\n", utf8=True)


@frozen
class Sender:
    """Who the mail is from: From, the envelope's sender (bounces go there), and Reply-To."""

    mailbox: Mailbox
    envelope: Mailbox
    reply_to: Mailbox | None = None
    headers: tuple[Field, ...] = ()


@frozen
class Mail:
    """A mail ready for any server: envelope, and content with its lines ended by CRLF, its dots doubled and its final dot.

    ``utf8`` says that an address has a local part outside ASCII, which takes a server with SMTPUTF8 (RFC 6531).
    """

    sender: str = field(repr=False)
    recipient: str = field(repr=False)
    data: bytes = field(repr=False)
    utf8: bool = False


def compose(sender: Sender, to: Mailbox, content: Content, message: Message, now: datetime) -> Mail:
    """Build the mail of *message*: multipart/alternative, or one part where the content has but one.

    Raises:
        PermanentError: no html and no text part, or a line break in the subject.
    """
    mail = EmailMessage(policy=_SMTP)
    for each in _fields(sender, to, content, message, now):
        mail[each.name] = each
    parts = [(kind, text) for kind, text in (("plain", content.get("text")), ("html", content.get("html"))) if text]
    if not parts:
        raise PermanentError("the content has neither an html nor a text part")
    if len(parts) == 1:
        _fill_text(mail, *parts[0])
    else:
        mail["Content-Type"] = Field("Content-Type", f'multipart/alternative; boundary="=_{secrets.token_hex(16)}"')
        for kind, text in parts:
            mail.attach(_fill_text(EmailMessage(policy=_SMTP), kind, text))
    utf8 = not all(box.local.isascii() for box in (to, sender.mailbox, sender.envelope, sender.reply_to or to))
    return Mail(sender.envelope.spec, to.spec, _on_the_wire(mail.as_bytes(policy=_SMTPUTF8 if utf8 else _SMTP)), utf8)


def _fields(sender: Sender, to: Mailbox, content: Content, message: Message, now: datetime) -> list[Field]:
    fields = [
        Field("Date", format_datetime(now)),
        mailbox_field("From", sender.mailbox),
        mailbox_field("To", to),
        # The same on every attempt, so that a mail which went out twice is shown once.
        Field("Message-ID", f"<{message.id}@{sender.mailbox.domain}>"),
        text_field("Subject", _one_line(content.get("subject") or "")),
        # RFC 3834: no holiday notices in reply.
        Field("Auto-Submitted", "auto-generated"),
        *sender.headers,
    ]
    if sender.reply_to:
        fields.append(mailbox_field("Reply-To", sender.reply_to))
    link = message.variables.get("unsubscribe_url")
    if message.lane is Lane.CAMPAIGN and isinstance(link, str) and usable_link(link):
        fields.append(Field("List-Unsubscribe", f"<{link}>"))
        fields.append(Field("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"))
    fields.append(Field("MIME-Version", "1.0"))
    return fields


def usable_link(link: str) -> bool:
    """Say whether *link* may stand in List-Unsubscribe: https (RFC 8058), printable ASCII; http only on the loopback."""
    if not re.fullmatch(r"[!-;=?-~]{1,900}", link):
        return False
    try:
        parts = urlsplit(link)
        host = parts.hostname
    except ValueError:
        return False
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK))


def _one_line(subject: str) -> str:
    if any(char in subject for char in "\r\n\0"):
        raise PermanentError("the subject has a line break in it: a header cannot")
    return _CONTROLS.sub(" ", subject).encode(errors="replace").decode().strip()


def _fill_text(part: EmailMessage, kind: str, text: str) -> EmailMessage:
    encoding, payload = _encode(text)
    part["Content-Type"] = Field("Content-Type", f"text/{kind}; charset=utf-8")
    part["Content-Transfer-Encoding"] = Field("Content-Transfer-Encoding", encoding)
    part.set_payload(payload)
    return part


def _encode(text: str) -> tuple[str, str]:
    """Choose a transfer encoding that passes every server: 7bit where that is true, else the shorter of the other two.

    8bit is not used: it would make the bytes depend on what the server of the moment offers.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = lines if lines.endswith("\n") else lines + "\n"
    if lines.isascii() and "\0" not in lines and max(map(len, lines.split("\n"))) <= _LONGEST_LINE:
        return "7bit", lines
    octets = lines.encode(errors="replace")
    quoted = binascii.b2a_qp(octets, istext=True)
    # Three octets are four of base64, and a line break each 76: 1.37 times as many.
    if len(quoted) <= len(octets) * 1.37:
        return "quoted-printable", quoted.decode("ascii")
    return "base64", base64.encodebytes(octets).decode("ascii")


def _on_the_wire(octets: bytes) -> bytes:
    """Return what follows DATA, with dots doubled and the final one (RFC 5321, 4.5.2)."""
    return _DOT.sub(b"..", octets if octets.endswith(b"\r\n") else octets + b"\r\n") + b".\r\n"
