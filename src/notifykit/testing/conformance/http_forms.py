"""The files in a form that was sent by HTTP (RFC 7578), as servers read them."""

import re
from collections.abc import Callable, Sequence
from email.message import Message

from notifykit.testing.conformance._channel_case import ArrivedFile
from notifykit.testing.conformance.http_server import Request

__all__ = ["files_of"]

_NAME = re.compile(r'filename="((?:[^"\\]|\\.)*)"')
_ESCAPES = {"%22": '"', "%0D": "\r", "%0A": "\n"}
"""What browsers write in a form's names, by the HTML Standard, multipart/form-data; a percent sign itself they do not."""


def _as_browsers_write(name: str) -> str:
    return re.sub("|".join(_ESCAPES), lambda found: _ESCAPES[found[0]], name)


def files_of(request: Request, name: Callable[[str], str] = _as_browsers_write) -> Sequence[ArrivedFile]:
    """Return the files of a ``multipart/form-data`` request in their order, their names read by *name*; of any other request, none."""
    told: Message[str, str] = Message()
    told["Content-Type"] = request.headers.get("content-type", "")
    boundary = told.get_boundary()
    if told.get_content_type() != "multipart/form-data" or not boundary:
        return ()
    pieces = (b"\r\n" + request.body).split(b"\r\n--" + boundary.encode())[1:]
    return [each for piece in pieces if (each := _file(piece, name)) is not None]


def _file(piece: bytes, name: Callable[[str], str]) -> ArrivedFile | None:
    top, found, data = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
    lines = top.decode("utf-8", "replace").split("\r\n")
    headers = {key.strip().lower(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    told = _NAME.search(headers.get("content-disposition", ""))
    if not found or told is None:
        return None
    return ArrivedFile(name(told[1]), data, headers.get("content-type", "text/plain"))
