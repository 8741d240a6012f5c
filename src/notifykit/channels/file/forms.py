"""A message as the content of a file: an RFC 5322 mail, or JSON. Pure."""

import json
import re
from collections.abc import Mapping
from email.header import Header
from email.message import EmailMessage
from email.utils import format_datetime, formataddr
from hashlib import sha256
from typing import Any

from attrs import evolve

from notifykit._messages import Address, Content, Markup, Part
from notifykit._messages import Message as Notice
from notifykit.channels._mime import SMTP, Field, fill
from notifykit.channels._stand_in import shown

__all__ = ["as_eml", "as_json"]

_SPEC = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9.-]{1,253}"
_MAILBOX = re.compile(rf"""(?P<bare>{_SPEC})|(?P<name>"[^"\\]{{0,200}}" ?|[^"\\<>()\[\]:;@,]{{0,200}})<(?P<spec>{_SPEC})>""")
_UNFIT = "no-mail-address@file.invalid"


def as_eml(address: Address, content: Content, message: Notice, parts: Mapping[str, Part]) -> bytes:
    """Return the message as a mail that mail programs open, its body and its files as the e-mail channel sends them."""
    mail = EmailMessage(policy=SMTP)
    fields = {
        "Date": format_datetime(message.created_at),
        "From": "notifykit <notifykit@file.invalid>",
        "To": _to(str(address.value)),
        "Message-ID": f"<{re.sub(r'[^A-Za-z0-9_-]', '_', message.id)[:200]}@file.invalid>",
        "Subject": _text(content.get("subject") or ""),
        "X-Notifykit-Channel": _text(message.channel),
        "X-Notifykit-Template": _text(message.template),
        "X-Notifykit-Options": _text(json.dumps(message.own_options, default=str)) if message.own_options else "",
        "MIME-Version": "1.0",
    }
    for name, value in fields.items():
        if value or name != "X-Notifykit-Options":
            mail[name] = Field(name, value)
    if not content.get("text") and not content.get("html"):
        content = evolve(content, parts={**content.parts, "text": "\n"})
    fill(mail, content, message.attachments, _boundary(content, message))
    return mail.as_bytes(policy=SMTP)


def _boundary(content: Content, message: Notice) -> str:
    """Return what no part has in it, and is the same for the same message, so that its file is the same."""
    told = "\0".join([message.id, *content.parts.values()])
    return sha256(told.encode(errors="surrogatepass")).hexdigest()[:32]


def _to(text: str) -> str:
    """Return the field's value: the address if it is one, else a name that shows it and an address that reaches nobody."""
    match = _MAILBOX.fullmatch(text)
    if match is None or not text.isprintable():
        return formataddr((_line(text)[:200], _UNFIT))
    return formataddr(((match["name"] or "").strip(' "'), match["spec"] or match["bare"]))


def _text(text: str) -> str:
    line = _line(text)
    return Header(line, "us-ascii" if line.isascii() and "=?" not in line else "utf-8").encode(linesep="\r\n")


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
