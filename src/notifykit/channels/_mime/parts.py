"""The parts of a mail below its header: text, HTML, the files that it shows and those beside it."""

import base64
import binascii
import re
import secrets
from collections.abc import Sequence
from email.message import EmailMessage
from email.policy import EmailPolicy
from urllib.parse import quote

from notifykit._attachments import Attachment
from notifykit._messages import Content
from notifykit.channels._mime.field import Field
from notifykit.errors import PermanentError

__all__ = ["SMTP", "SMTPUTF8", "fill"]

_LONGEST_LINE = 998
"""Octets of a line without its CRLF (RFC 5322, 2.1.1)."""


class _Wire(EmailPolicy):
    """The SMTP policy, less its search for repeated fields, which builds a class per field and costs as much as all the rest."""

    def header_max_count(self, name: str) -> int | None:
        """Allow it: our fields are made one by one."""
        return None


SMTP = _Wire(linesep="\r\n")
SMTPUTF8 = _Wire(linesep="\r\n", utf8=True)


def fill(mail: EmailMessage, content: Content, attachments: Sequence[Attachment], boundary: str = "") -> None:
    """Put text and HTML into *mail* as alternatives, inline files beside the HTML, other files after all of it.

    *boundary* is the start of what stands between the parts, which none of them may have in it: by default a new one each time.

    Raises:
        PermanentError: no html and no text part.
    """
    boundary = boundary or secrets.token_hex(16)
    bodies, apart = _bodies(content, attachments, boundary)
    if not bodies:
        raise PermanentError("the content has neither an html nor a text part")
    if apart:
        alternative = _multipart(EmailMessage(policy=SMTP), "alternative", bodies, boundary) if len(bodies) > 1 else bodies[0]
        _multipart(mail, "mixed", [alternative, *(_file(each) for each in apart)], boundary)
    elif len(bodies) > 1:
        _multipart(mail, "alternative", bodies, boundary)
    else:
        _become(mail, bodies[0])


def _bodies(content: Content, attachments: Sequence[Attachment], boundary: str) -> tuple[list[EmailMessage], Sequence[Attachment]]:
    """Return the alternatives, the best one last, and the attachments that the HTML does not show."""
    bodies: list[EmailMessage] = []
    if text := content.get("text"):
        bodies.append(_fill_text(EmailMessage(policy=SMTP), "plain", text))
    if html := content.get("html"):
        shown: list[EmailMessage] = []
        for each in attachments:
            # A Content-ID has the form of a Message-ID (RFC 2392); templates know the file's name alone.
            here = rf"(?<=[\"'(=])cid:{re.escape(each.name)}(?=[\"')\s>])"
            html, times = re.subn(here, f"cid:{each.name}@inline", html) if each.inline else (html, 0)
            if times:
                shown.append(_file(each, f"{each.name}@inline"))
        body = _fill_text(EmailMessage(policy=SMTP), "html", html)
        if shown:
            body = _multipart(EmailMessage(policy=SMTP), "related", [body, *shown], boundary, '; type="text/html"')
        bodies.append(body)
        names = {str(each["Content-ID"]) for each in shown}
        attachments = [each for each in attachments if f"<{each.name}@inline>" not in names]
    return bodies, attachments


def _multipart(outer: EmailMessage, subtype: str, parts: Sequence[EmailMessage], boundary: str, parameter: str = "") -> EmailMessage:
    outer["Content-Type"] = Field("Content-Type", f'multipart/{subtype}; boundary="=_{boundary}_{subtype}"{parameter}')
    for each in parts:
        outer.attach(each)
    return outer


def _become(mail: EmailMessage, body: EmailMessage) -> None:
    """Make *body* the whole of *mail*."""
    for name, value in body.items():
        mail[name] = value
    mail.set_payload(body.get_payload())


def _file(attachment: Attachment, content_id: str | None = None) -> EmailMessage:
    part = EmailMessage(policy=SMTP)
    part["Content-Type"] = Field("Content-Type", attachment.media_type)
    part["Content-Transfer-Encoding"] = Field("Content-Transfer-Encoding", "base64")
    kind = "inline" if content_id else "attachment"
    part["Content-Disposition"] = Field("Content-Disposition", f"{kind};\r\n {_file_name(attachment.name)}")
    if content_id:
        part["Content-ID"] = Field("Content-ID", f"<{content_id}>")
    part.set_payload(base64.encodebytes(attachment.data or b"").decode("ascii"))
    return part


def _file_name(name: str) -> str:
    """Return the parameter: as it is if it can be, else in UTF-8 by RFC 2231; many programs read encoded words in it."""
    if name.isascii() and not {'"', "\\"} & set(name) and "=?" not in name:
        return f'filename="{name}"'
    return f"filename*=utf-8''{quote(name, safe='')}"


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
