"""Where the bytes of attachments come from when they are not in the message."""

import os
import stat
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TypeAlias

import anyio
import anyio.to_thread
from attrs import evolve, frozen

from notifykit._attachments import Attachment
from notifykit._messages import Content, Message
from notifykit.abc import Channel
from notifykit.errors import AttachmentError, ConfigurationError, NotifykitError, TransientError

__all__ = ["AttachmentSource", "FindAttachment", "Folder", "carried", "check_files", "source_of", "with_data"]

MOST_BYTES = 50 * 1024 * 1024
"""Bytes of one attachment: the most that a bot may send by Telegram, and more than mail servers take."""

FindAttachment: TypeAlias = Callable[[str], Awaitable[bytes]]
"""From an attachment's ``file`` to its bytes; raises AttachmentError for one that will never be there."""
AttachmentSource: TypeAlias = FindAttachment | str | os.PathLike[str]
"""The same, or the folder that the files are in."""


@frozen
class Folder:
    """Finds attachments in a folder and nowhere else: whoever can write to the bus must not read this machine's other files."""

    path: Path

    async def __call__(self, file: str) -> bytes:
        """Return the bytes of *file*.

        Raises:
            AttachmentError: it is not in the folder, no regular file, or too large.
        """
        return await anyio.to_thread.run_sync(self._read, file)

    def look(self, file: str) -> None:
        """Find out whether it could be read.

        Raises: AttachmentError.
        """
        self._found(file)

    def _found(self, file: str) -> Path:
        try:
            root = self.path.resolve()
            path = (root / file).resolve(strict=True)
            facts = path.stat()
        except (OSError, ValueError) as error:
            raise AttachmentError(f"the attachment's file cannot be read: {getattr(error, 'strerror', None) or 'no path'}") from None
        if not path.is_relative_to(root):
            raise AttachmentError("the attachment's file is not in the notifier's attachments folder")
        if not stat.S_ISREG(facts.st_mode):
            raise AttachmentError("the attachment's file is no regular file")
        if facts.st_size > MOST_BYTES:
            raise AttachmentError(f"the attachment's file has {facts.st_size:,} bytes; at most {MOST_BYTES:,}")
        return path

    def _read(self, file: str) -> bytes:
        with self._found(file).open("rb") as opened:
            return opened.read(MOST_BYTES)


def source_of(given: AttachmentSource | None) -> FindAttachment | None:
    """Return what finds attachments.

    Raises: ConfigurationError.
    """
    if given is None or isinstance(given, Folder):
        return given
    if isinstance(given, str | os.PathLike):
        return Folder(Path(given))
    if not callable(given):
        raise ConfigurationError("attachments is a folder, or an async function from an attachment's file to its bytes")
    return given


async def check_files(attachments: Sequence[Attachment], find: FindAttachment | None) -> None:
    """Find out early that a file is not there, as far as that can be known.

    Raises:
        ConfigurationError: nothing finds files.
        AttachmentError: the folder does not have it.
    """
    files = [each.file for each in attachments if each.file is not None]
    if files and find is None:
        raise ConfigurationError("for an attachment's file, give the notifier attachments=, a folder or a function")
    if isinstance(find, Folder):
        for file in files:
            await anyio.to_thread.run_sync(find.look, file)


def carried(message: Message, channel: Channel) -> tuple[Attachment, ...]:
    """Return the attachments that *channel* sends of *message*."""
    if not channel.carries_attachments:
        return ()
    return tuple(each for each in message.attachments if each.goes_over(message.channel, channel.kind))


async def with_data(
    message: Message, channel: Channel, find: FindAttachment | None, timeout: timedelta, content: Content | None = None
) -> Message:
    """Return *message* as *channel* sends it: its own attachments, their data in place, and those of its *content*.

    One of the message's own takes the place of one of the content's with the same name.

    Raises:
        AttachmentError: one will never be had.
        TransientError: one cannot be had now.
    """
    brought = content.attachments if content is not None and channel.carries_attachments else ()
    if not message.attachments and not brought:
        return message
    try:
        with anyio.fail_after(timeout.total_seconds()):
            own = [await _with_data(each, find) for each in carried(message, channel)]
            names = {each.name for each in own}
            more = [each for each in brought if each.name not in names and each.goes_over(message.channel, channel.kind)]
            return evolve(message, attachments=(*own, *more))
    except TimeoutError:
        raise TransientError("an attachment's file was not read in time") from None


async def _with_data(attachment: Attachment, find: FindAttachment | None) -> Attachment:
    if attachment.file is None:
        return attachment
    if find is None:
        raise AttachmentError("this notifier finds no files: give it attachments=, a folder or a function")
    try:
        data: object = await find(attachment.file)
    except (NotifykitError, TimeoutError):
        raise
    except Exception as error:
        raise TransientError(f"an attachment could not be read: {type(error).__name__}") from error
    if not isinstance(data, bytes) or len(data) > MOST_BYTES:
        raise AttachmentError(f"what the file of an attachment holds is no bytes, or more than {MOST_BYTES:,} of them")
    return evolve(attachment, data=data, file=None)
