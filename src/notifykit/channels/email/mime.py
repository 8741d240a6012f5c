"""From content to the bytes of DATA, made once and used on every server."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from attrs import evolve, field, frozen

from notifykit._messages import Content, Lane, Message
from notifykit.channels._mime import SMTP, SMTPUTF8, Field, fill
from notifykit.channels.email.address import Mailbox, parse_mailbox
from notifykit.channels.email.headers import mailbox_field, text_field
from notifykit.channels.email.options import extra_field
from notifykit.errors import ChannelUnavailableError, PermanentError

__all__ = ["Mail", "Sender", "Sign", "compose", "usable_link"]

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_SIGNATURE = re.compile(rb"(?:[!-9;-~]+:[\t -~]*\r\n(?:[\t ]+[!-~][\t -~]*\r\n)*)+")
_DOT = re.compile(rb"^\.", re.MULTILINE)


Sign: TypeAlias = Callable[[bytes], bytes]
"""From a mail, its lines ended by CRLF, to whole header fields that go before it."""


@frozen
class Sender:
    """Who the mail is from: From, the envelope's sender (bounces go there), and Reply-To."""

    mailbox: Mailbox
    envelope: Mailbox
    reply_to: Mailbox | None = None
    headers: tuple[Field, ...] = ()

    def told(self, options: Mapping[str, Any]) -> "Sender":
        """Return it as the parsed *options* of one mail have it; their fields go before the channel's own of the same name."""
        if not options:
            return self
        fields = [extra_field(name, value) for name, value in options.get("headers", {}).items()]
        told = {each.name.lower() for each in fields}
        headers = (*(each for each in self.headers if each.name.lower() not in told), *fields)
        reply_to = parse_mailbox(options["reply_to"]) if "reply_to" in options else self.reply_to
        return evolve(self, reply_to=reply_to, headers=headers)


@frozen
class Mail:
    """A mail ready for any server: envelope, and content with its lines ended by CRLF, its dots doubled and its final dot.

    ``utf8`` says that an address has a local part outside ASCII, which takes a server with SMTPUTF8 (RFC 6531).
    """

    sender: str = field(repr=False)
    recipient: str = field(repr=False)
    data: bytes = field(repr=False)
    utf8: bool = False


def compose(sender: Sender, to: Mailbox, content: Content, message: Message, now: datetime, sign: Sign | None = None) -> Mail:
    """Build the mail of *message*.

    Raises:
        PermanentError: no html and no text part, or a line break in the subject.
        ChannelUnavailableError: *sign* failed.
    """
    mail = EmailMessage(policy=SMTP)
    for each in _fields(sender, to, content, message, now):
        mail[each.name] = each
    fill(mail, content, message.attachments)
    utf8 = not all(box.local.isascii() for box in (to, sender.mailbox, sender.envelope, sender.reply_to or to))
    octets = mail.as_bytes(policy=SMTPUTF8 if utf8 else SMTP)
    return Mail(sender.envelope.spec, to.spec, _on_the_wire(_signed(octets, sign)), utf8)


def _signed(octets: bytes, sign: Sign | None) -> bytes:
    if sign is None:
        return octets
    try:
        fields: object = sign(octets)
    except Exception as error:  # no mail can be signed: it is not this one's fault, and its text may show the key
        raise ChannelUnavailableError(f"the function that signs mails failed: {type(error).__name__}") from None
    if not isinstance(fields, bytes) or not _SIGNATURE.fullmatch(fields):
        raise ChannelUnavailableError("what the function that signs mails gave is not header fields, each line ended by CRLF")
    return fields + octets


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


def _on_the_wire(octets: bytes) -> bytes:
    """Return what follows DATA, with dots doubled and the final one (RFC 5321, 4.5.2)."""
    return _DOT.sub(b"..", octets if octets.endswith(b"\r\n") else octets + b"\r\n") + b".\r\n"
