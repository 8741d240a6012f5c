"""A channel that writes files: what would be sent can be opened, compared and kept, without any credentials."""

import os
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar, Self

import anyio.to_thread

from notifykit._attachments import Attachment
from notifykit._messages import Address, Content, Message, Part
from notifykit._urls import parse_url
from notifykit.abc import Channel
from notifykit.channels._stand_in import address_of, parts_of
from notifykit.channels.file.forms import as_eml, as_json
from notifykit.errors import ChannelUnavailableError, ConfigurationError

__all__ = ["FileChannel"]

_PLAIN_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")


class FileChannel(Channel):
    """Stands in for a channel of another kind: takes its templates and any address, and writes one file per message.

    An e-mail becomes ``ID.eml``, which mail programs open; anything else ``ID.json``. A message's id begins with its time, so that
    the names are in order. Only the user who runs the program may read the files; the same message again replaces its file.

    >>> channel = FileChannel("var/outbox", "email")

    Args:
        folder: where to write; it is made when it is first needed.
        kind: ``email``, ``telegram``, ``push``, ``webhook``, ``apprise``, or another one with its *parts*.
        parts: what a channel of another kind takes.
    """

    kind: ClassVar[str] = ""
    parts: ClassVar[Mapping[str, Part]] = {}
    carries_attachments: ClassVar[bool] = True

    def __init__(self, folder: str | os.PathLike[str], kind: str = "email", *, parts: Mapping[str, Part] | None = None) -> None:
        if not os.fspath(folder):
            raise ConfigurationError("the file channel takes the folder to write to")
        self.parts = parts_of(kind, parts)  # type: ignore[misc]
        self.kind = kind  # type: ignore[misc]
        self._folder = Path(folder)

    def __repr__(self) -> str:
        return f"FileChannel({str(self._folder)!r}, {self.kind!r})"

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Make one from ``file:///var/outbox?kind=email`` (three slashes: relative, four: absolute).

        Raises: ConfigurationError.
        """
        parsed = parse_url(url)
        parsed.only("kind")
        if parsed.host or parsed.user or not parsed.path:
            raise ConfigurationError("file://… takes a folder and no host: file:///var/outbox?kind=email, with four slashes if absolute")
        return cls(parsed.path, parsed.query.get("kind", "email"))

    def parse_address(self, raw: Any) -> Address:
        """Take any address that can be shown: text, a number, or a mapping with an ``endpoint``."""
        return address_of(raw)

    def parse_options(self, options: Mapping[str, Any], attachments: Sequence[Attachment] = ()) -> Mapping[str, Any]:
        """Take any options: which ones mean something, the channel that it stands in for knows."""
        return options

    async def check(self) -> None:
        """Make the folder, and write and remove a file in it.

        Raises: ChannelUnavailableError.
        """
        await self._in_thread(partial(_probe, self._folder / f".{secrets.token_hex(8)}.tmp"))

    async def send(self, address: Address, content: Content, message: Message) -> str | None:
        """Write the message's file at once or not at all.

        Raises: ChannelUnavailableError, when the folder cannot be written to.
        """
        form, suffix = (as_eml, "eml") if self.kind == "email" else (as_json, "json")
        piece = f"-{content.number}" if content.number > 1 else ""
        path = self._folder / f"{_name(message.id)}{piece}.{suffix}"
        await self._in_thread(lambda: _write(path, form(address, content, message, self.parts)))
        return None

    async def _in_thread(self, work: Callable[[], None]) -> None:
        try:
            await anyio.to_thread.run_sync(work)
        except OSError as error:
            raise ChannelUnavailableError(f"{self._folder} cannot be written to: {error.strerror or type(error).__name__}") from error


def _name(message_id: str) -> str:
    """Return a file name for the message: its id, or a digest of an id that is no name."""
    return message_id if _PLAIN_ID.fullmatch(message_id) else sha256(message_id.encode(errors="surrogatepass")).hexdigest()


def _probe(path: Path) -> None:
    _write(path, b"")
    path.unlink()


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.parent / f".{path.name}.{secrets.token_hex(8)}.tmp"
    # Neither an existing file nor a link is written through.
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
