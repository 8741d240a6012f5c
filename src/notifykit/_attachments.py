"""Files that go with a message."""

import mimetypes
import re
import unicodedata
from typing import Any

from attrs import Factory, field, frozen

from notifykit.errors import ConfigurationError

__all__ = ["Attachment"]

LONGEST_NAME = 200
"""UTF-8 bytes of a file name: what file systems take at least, less what a mail program may add."""
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,62}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,62}")
_INLINE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_BREAKS = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# The table of Python itself: that of the machine differs from one to the next.
_KNOWN = mimetypes.MimeTypes(())


def _media_type(name: object) -> str:
    """Return what the name's ending says, which is nothing for a compressed file."""
    kind, encoding = _KNOWN.guess_type(name) if isinstance(name, str) else (None, None)
    return kind if kind and not encoding else "application/octet-stream"


def _fit_name(_: object, __: object, name: Any) -> None:
    if not isinstance(name, str) or not name.strip(" .") or len(name.encode(errors="replace")) > LONGEST_NAME:
        raise ConfigurationError(f"an attachment's name is a file name of 1 to {LONGEST_NAME} bytes")
    if name != name.strip():
        raise ConfigurationError("an attachment's name begins and ends without blanks")
    if any(char in "/\\" or unicodedata.category(char) in _BREAKS for char in name):
        raise ConfigurationError("an attachment's name has no folders and no invisible characters in it")


def _fit_type(_: object, __: object, media_type: Any) -> None:
    if not isinstance(media_type, str) or not _MEDIA_TYPE.fullmatch(media_type):
        raise ConfigurationError("an attachment's media_type is a type and a subtype, such as application/pdf")
    if media_type.lower().startswith(("multipart/", "message/")):  # RFC 2046, 5: they take no transfer encoding
        raise ConfigurationError(f"an attachment cannot be of type {media_type}; application/octet-stream keeps it as it is")


def _names(value: Any) -> Any:
    return tuple(value) if isinstance(value, list | tuple | set | frozenset) else value


@frozen
class Attachment:
    """A file that goes with a notification, on the channels that carry files.

    >>> Attachment("invoice.pdf", b"%PDF-1.7 ...").media_type
    'application/pdf'

    Attributes:
        name: what the recipient sees, a file name without folders.
        data: its bytes. They travel in the message, of which a bus takes 256 KiB: about 190 KiB of attachments in all.
        file: in place of data, where its bytes are found when it is sent: a path inside of the notifier's ``attachments``
            folder, or what its function of that name takes.
        media_type: such as ``application/pdf``; by the name's ending unless given.
        inline: shown in the text, not beside it: an e-mail's HTML shows it at ``src="cid:NAME"``, Telegram as a photo.
        only: the names or kinds of channels that take it; all that can unless given.

    Raises:
        ConfigurationError: says what is wrong with it.
    """

    name: str = field(validator=_fit_name)
    data: bytes | None = field(default=None, repr=False)
    file: str | None = field(default=None, kw_only=True)
    media_type: str = field(default=Factory(lambda self: _media_type(self.name), takes_self=True), validator=_fit_type, kw_only=True)
    inline: bool = field(default=False, kw_only=True)
    only: tuple[str, ...] = field(default=(), converter=_names, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if (self.data is None) == (self.file is None):
            raise ConfigurationError(f"attachment {self.name!a}: give its data or the file that they are in, one of the two")
        if self.data is not None and not isinstance(self.data, bytes):
            raise ConfigurationError(f"attachment {self.name!a}: its data are bytes, not {type(self.data).__name__}")
        if self.file is not None and not (isinstance(self.file, str) and 0 < len(self.file) <= 1024 and self.file.isprintable()):
            raise ConfigurationError(f"attachment {self.name!a}: its file is a text of 1 to 1,024 characters")
        if self.inline and not _INLINE_NAME.fullmatch(self.name):
            raise ConfigurationError(f"attachment {self.name!a}: an inline one's name has letters, digits, dots, _ and - only")
        if not isinstance(self.only, tuple) or not all(isinstance(each, str) for each in self.only):
            raise ConfigurationError(f"attachment {self.name!a}: only takes a list of channel names")

    def goes_over(self, name: str, kind: str) -> bool:
        """Return whether a channel of this *name* and *kind* may take it."""
        return not self.only or name in self.only or kind in self.only
