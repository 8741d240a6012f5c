"""A message as the content of a file: an RFC 5322 mail, or JSON. Pure."""

import json
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from email.charset import QP, Charset
from email.header import Header
from email.message import Message
from email.policy import compat32
from email.utils import format_datetime, formataddr
from typing import Any

from notifykit._attachments import Attachment
from notifykit._messages import Address, Content, Markup, Part
from notifykit._messages import Message as Notice
from notifykit.channels._stand_in import shown

__all__ = ["as_eml", "as_json"]

# compat32 and Header, because the newer policies' refolding loses spaces between encoded words (before Python 3.13).
_CRLF = compat32.clone(linesep="\r\n")
_UTF8 = Charset("utf-8")
_UTF8.body_encoding = QP
_SPEC = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9.-]{1,253}"
_MAILBOX = re.compile(rf"""(?P<bare>{_SPEC})|(?P<name>"[^"\\]{{0,200}}" ?|[^"\\<>()\[\]:;@,]{{0,200}})<(?P<spec>{_SPEC})>""")
_UNFIT = "no-mail-address@file.invalid"


def as_eml(address: Address, content: Content, message: Notice, parts: Mapping[str, Part]) -> bytes:
    """Return the message as a mail that mail programs open."""
    texts = [(subtype, text) for subtype, text in (("plain", content.get("text")), ("html", content.get("html"))) if text is not None]
    bodies = [_body(subtype, text) for subtype, text in texts or [("plain", "")]]
    mail = _joined("alternative", bodies)
    if message.attachments:
        mail = _joined("mixed", [mail, *map(_file, message.attachments)])
    mail["MIME-Version"] = "1.0"
    mail["Date"] = format_datetime(message.created_at)
    mail["From"] = "notifykit <notifykit@file.invalid>"
    mail["To"] = _to(str(address.value))
    mail["Message-ID"] = f"<{re.sub(r'[^A-Za-z0-9_-]', '_', message.id)[:200]}@file.invalid>"
    mail["Subject"] = _text(content.get("subject") or "")
    mail["X-Notifykit-Channel"] = _text(message.channel)
    mail["X-Notifykit-Template"] = _text(message.template)
    if message.own_options:
        mail["X-Notifykit-Options"] = _text(json.dumps(message.own_options, default=str))
    return mail.as_bytes(policy=_CRLF)


def _joined(subtype: str, parts: "Sequence[Message[Any, Any]]") -> "Message[Any, Any]":
    """Return the parts in one; a single one as it is.

    No part has the boundary in it, for quoted-printable writes its "=" otherwise; and the same message is the same file.
    """
    if len(parts) == 1:
        return parts[0]
    outer: Message[Any, Any] = Message()
    outer["Content-Type"] = f'multipart/{subtype}; boundary="=_notifykit_{subtype}"'
    for each in parts:
        outer.attach(each)
    return outer


def _file(attachment: Attachment) -> "Message[Any, Any]":
    """Return the part of an attachment; one that the HTML shows is found by mail programs by its Content-ID."""
    part: Message[Any, Any] = Message()
    part["Content-Type"] = attachment.media_type
    part["Content-Transfer-Encoding"] = "base64"
    part.add_header("Content-Disposition", "inline" if attachment.inline else "attachment", filename=("utf-8", "", attachment.name))
    if attachment.inline:
        part["Content-ID"] = f"<{attachment.name}>"
    part.set_payload(b64encode(attachment.data or b"").decode("ascii"))
    return part


def _body(subtype: str, text: str) -> "Message[Any, Any]":
    body: Message[Any, Any] = Message()
    body["Content-Type"] = f"text/{subtype}"
    body.set_payload(text.encode(errors="replace").decode(), _UTF8)
    return body


def _to(text: str) -> str:
    """Return the field's value: the address if it is one, else a name that shows it and an address that reaches nobody."""
    match = _MAILBOX.fullmatch(text)
    if match is None or not text.isprintable():
        return formataddr((_line(text)[:200], _UNFIT))
    return formataddr(((match["name"] or "").strip(' "'), match["spec"] or match["bare"]))


def _text(text: str) -> Header:
    line = _line(text)
    return Header(line, "us-ascii" if line.isascii() and "=?" not in line else "utf-8")


def _line(text: object) -> str:
    return shown(text).replace("\n", "\\n").encode(errors="replace").decode()


def as_json(address: Address, content: Content, message: Notice, parts: Mapping[str, Part]) -> bytes:
    """Return what a program or a person wants to see of the message; the parts that are JSON are parsed."""
    value = {
        "message_id": message.id,
        "channel": message.channel,
        "address": address.value,
        "template": message.template,
        "parts": {name: _parsed(text, parts.get(name)) for name, text in content.parts.items()},
    }
    if message.attachments:
        value["attachments"] = [
            {"name": each.name, "media_type": each.media_type, "bytes": len(each.data or b"")} for each in message.attachments
        ]
    if message.own_options:
        value["options"] = message.own_options
    # A lone surrogate becomes an escape of JSON's own.
    return (json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n").encode(errors="backslashreplace")


def _parsed(text: str, part: Part | None) -> Any:
    if part is None or part.markup is not Markup.JSON:
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
