"""What one Telegram message may be told beside its text. Pure. Source: core.telegram.org/bots/api, ``sendMessage`` and its types."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from notifykit._attachments import Attachment
from notifykit.channels._options import refuse_unknown
from notifykit.errors import ConfigurationError

__all__ = ["Button", "TelegramOptions", "arguments", "is_photo", "parse_options"]

MOST_FILES = 10
"""Files of one album."""
MOST_BYTES = 50 * 1024 * 1024
"""Bytes of one file that a bot may upload; 10 MiB of a photo."""
MOST_PHOTO_BYTES = 10 * 1024 * 1024
_MOST_BUTTONS = 100
_LARGEST_ID = 2**31 - 1
_FLAGS = ("link_preview", "silent", "protect_content")
_NUMBERS = ("message_thread_id", "reply_to")
_URL = re.compile(r"(?:https?|tg)://[^\s\x00-\x1f\x7f]{1,2000}", re.IGNORECASE)


class Button(TypedDict, total=False):
    """One button under a message: its text, and one of the others.

    Attributes:
        text: what it says.
        url: where it leads: https, http or tg.
        callback_data: what the bot is told when it is pressed, 1 to 64 bytes of UTF-8.
    """

    text: str
    url: str
    callback_data: str


class TelegramOptions(TypedDict, total=False):
    """The options of one message, for ``options={"telegram": …}``, or as JSON in a template's ``telegram.options.j2``.

    Attributes:
        link_preview: whether the first link is shown as a card.
        silent: deliver without a sound.
        protect_content: forbid forwarding and saving.
        message_thread_id: the topic of a forum group.
        reply_to: the id of the message in the same chat that this one answers; it goes out also when that one is gone.
        keyboard: rows of buttons under the message.
    """

    link_preview: bool
    silent: bool
    protect_content: bool
    message_thread_id: int
    reply_to: int
    keyboard: Sequence[Sequence[Button]]


def parse_options(options: Mapping[str, Any], attachments: Sequence[Attachment] = ()) -> Mapping[str, Any]:
    """Return the canonical form of a message's options.

    Raises: ConfigurationError, which shows no value; also for attachments that Telegram would not take.
    """
    refuse_unknown(options, (*_FLAGS, *_NUMBERS, "keyboard"))
    parsed = {name: options[name] for name in (*_FLAGS, *_NUMBERS) if options.get(name) is not None}
    for name, value in parsed.items():
        if name in _FLAGS and type(value) is not bool:
            raise ConfigurationError(f"{name} is true or false")
        if name in _NUMBERS and (type(value) is not int or not 0 < value <= _LARGEST_ID):
            raise ConfigurationError(f"{name} is a whole number, an id of Telegram's")
    if options.get("keyboard"):
        parsed["keyboard"] = _keyboard(options["keyboard"])
        if len(attachments) > 1:
            raise ConfigurationError("Telegram shows no keyboard under several files: send one, or none")
    if len(attachments) > MOST_FILES:
        raise ConfigurationError(f"a Telegram message carries {MOST_FILES} files at most")
    for each in attachments:
        most = MOST_PHOTO_BYTES if is_photo(each) else MOST_BYTES
        if each.data is not None and not 0 < len(each.data) <= most:
            raise ConfigurationError(f"Telegram takes no empty files, and {most:,} bytes at most of this one: {each.name!a}")
    return parsed


def is_photo(attachment: Attachment) -> bool:
    """Return whether it is shown in the chat, not offered as a file."""
    return attachment.inline and attachment.media_type.lower() in ("image/jpeg", "image/png", "image/webp")


def _keyboard(rows: Any) -> list[list[dict[str, str]]]:
    if not _is_list(rows) or not all(_is_list(row) and row for row in rows):
        raise ConfigurationError("keyboard is a list of rows, each a list of buttons")
    if sum(map(len, rows)) > _MOST_BUTTONS:
        raise ConfigurationError(f"keyboard has {_MOST_BUTTONS} buttons at most")
    return [[_button(button) for button in row] for row in rows]


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _button(button: Any) -> dict[str, str]:
    if not isinstance(button, Mapping) or not all(isinstance(each, str) for each in button.values()):
        raise ConfigurationError("a button is a mapping of texts")
    refuse_unknown(button, ("text", "url", "callback_data"))
    if not button.get("text", "").strip() or len(button) != 2:
        raise ConfigurationError("a button has a text, and either a url or callback_data")
    if "url" in button and not _URL.fullmatch(button["url"]):
        raise ConfigurationError("a button's url begins with https://, http:// or tg://, and has no blanks in it")
    if "callback_data" in button and not 1 <= len(button["callback_data"].encode(errors="replace")) <= 64:
        raise ConfigurationError("a button's callback_data has 1 to 64 bytes")
    return dict(button)


def arguments(options: Mapping[str, Any], *, first: bool = True, last: bool = True) -> dict[str, Any]:
    """Return the Bot API's names for parsed *options*; of several pieces the *first* answers, and the *last* has the keyboard."""
    given: dict[str, Any] = {}
    if options.get("link_preview") is False:
        given["link_preview_options"] = {"is_disabled": True}
    if options.get("silent"):
        given["disable_notification"] = True
    if options.get("protect_content"):
        given["protect_content"] = True
    if "message_thread_id" in options:
        given["message_thread_id"] = options["message_thread_id"]
    if "reply_to" in options and first:
        given["reply_parameters"] = {"message_id": options["reply_to"], "allow_sending_without_reply": True}
    if "keyboard" in options and last:
        given["reply_markup"] = {"inline_keyboard": options["keyboard"]}
    return given
