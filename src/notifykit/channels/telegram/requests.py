"""A call of the Bot API as bytes: JSON, or a form with files (RFC 7578). Pure."""

import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import field, frozen

from notifykit._attachments import Attachment
from notifykit.channels.telegram.options import is_photo

__all__ = ["Request", "request_of"]

SLOWEST = 64 * 1024
"""Bytes a second that a connection is expected to carry when it uploads files."""


@frozen
class Request:
    """A method of the Bot API, its body, and how many seconds more than usual that may take."""

    method: str
    content_type: str
    body: bytes = field(repr=False)
    more_time: float = 0.0


def request_of(text: Mapping[str, str], arguments: Mapping[str, Any], attachments: Sequence[Attachment]) -> Request:
    """Return the request that sends *text* (``text``, and ``parse_mode`` unless it is plain): with files it is their caption."""
    if not attachments:
        return Request("sendMessage", "application/json", _json({**arguments, **text}))
    caption = {"caption": text["text"], **{name: each for name, each in text.items() if name != "text"}}
    kind = "photo" if all(map(is_photo, attachments)) else "document"
    told = {name: each for name, each in arguments.items() if name != "link_preview_options"}
    if len(attachments) == 1:
        method, names = f"send{kind.capitalize()}", [kind]
        told |= caption
    else:
        method, names = "sendMediaGroup", [f"file{number}" for number in range(len(attachments))]
        told["media"] = [{"type": kind, "media": f"attach://{name}", **(caption if place == 0 else {})} for place, name in enumerate(names)]
    body, content_type = _form(told, list(zip(names, attachments, strict=True)))
    return Request(method, content_type, body, len(body) / SLOWEST)


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _form(fields: Mapping[str, Any], files: Sequence[tuple[str, Attachment]]) -> tuple[bytes, str]:
    boundary = secrets.token_hex(16)
    lines: list[bytes] = []
    for name, value in fields.items():
        text = value.encode("utf-8", "replace") if isinstance(value, str) else _json(value)
        lines += [f"--{boundary}".encode(), f'Content-Disposition: form-data; name="{name}"'.encode(), b"", text]
    for name, each in files:
        # Neither line breaks nor backslashes can be in a name; TDLib's HttpReader, which serves the Bot API, decodes percent signs in it.
        file_name = each.name.replace("%", "%25").replace('"', "%22")
        disposition = f'Content-Disposition: form-data; name="{name}"; filename="{file_name}"'
        lines += [f"--{boundary}".encode(), disposition.encode(), f"Content-Type: {each.media_type}".encode(), b"", each.data or b""]
    lines += [f"--{boundary}--".encode(), b""]
    return b"\r\n".join(lines), f"multipart/form-data; boundary={boundary}"
