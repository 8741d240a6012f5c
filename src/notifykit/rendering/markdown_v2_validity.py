"""Whether Telegram would take a text: found out in its skeleton, which most messages of a template share, so that it is read once."""

import re
from functools import lru_cache

from notifykit.rendering.language import InvalidTextError
from notifykit.rendering.markdown_v2_reading import read

__all__ = ["check_readable"]

_SHOWN = re.compile(r"(?:[^\\_*\[\]()~`>#+\-=|{}.!\n\r]++|\\[\x01-\x09\x0b\x0c\x0e-\x7e]|\\(?![\x01-\x7e]))++")
"""A stretch without delimiters and line ends: what it says does not matter to what is around it."""


def check_readable(text: str) -> None:
    """Find out whether Telegram would take *text*.

    Raises:
        InvalidTextError: it would not; says where and why.
    """
    skeleton = _SHOWN.sub("x", text)
    if "![" in skeleton or not _is_readable(skeleton):
        _check(text)  # the URL of a custom emoji is not in the skeleton
    if "x" not in skeleton and not read(text).text.strip():
        raise InvalidTextError("Telegram takes no empty text")


def _check(text: str) -> None:
    try:
        read(text)
    except InvalidTextError as error:
        raise InvalidTextError(f"Telegram refuses it: {error}", error.line) from None


@lru_cache(4096)
def _is_readable(skeleton: str) -> bool:
    try:
        read(skeleton)
    except InvalidTextError:
        return False
    return True
