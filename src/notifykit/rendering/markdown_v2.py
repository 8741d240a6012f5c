r"""Telegram's MarkdownV2: one rule escapes a value in every context, a backslash before each special character.

Formatting filters do not write delimiters but marks (noncharacters, which no value can bring in), because ``_a_`` beside
``__b__`` reads differently than each alone. :func:`write_marks` writes the delimiters when the whole text is known.
Source: Bot API, "MarkdownV2 style"; behaviour measured against TDLib's parser.
"""

import re
from typing import TYPE_CHECKING, Any, ClassVar
from unicodedata import is_normalized, normalize

from notifykit._messages import Markup
from notifykit.rendering.fragments import RefusedError, SolidFragment, whole
from notifykit.rendering.language import InvalidTextError, Language
from notifykit.rendering.links import is_web_link, written_out
from notifykit.rendering.markdown_v2_body import body, measure
from notifykit.rendering.markdown_v2_marks import (
    ARGUMENT,
    BOLD,
    CODE,
    END,
    FOLD,
    ITALIC,
    LINK,
    PRE,
    QUOTE,
    SPOILER,
    STRIKE,
    UNDERLINE,
    write_marks,
)
from notifykit.rendering.markdown_v2_validity import check_readable

__all__ = [
    "MARKDOWN_V2",
    "MarkdownV2Fragment",
    "bold",
    "code",
    "escape_markdown_v2",
    "italic",
    "link",
    "mention",
    "pre",
    "quote",
    "spoiler",
    "strike",
    "underline",
]

SPECIAL = "_*[]()~`>#+-=|{}.!\\"

_LANGUAGE = re.compile(r"[A-Za-z0-9+#-]*")
_MOST_USER_ID = (1 << 40) - 1
"""Telegram makes no mention of a greater one."""


def _table() -> dict[int, str]:
    """Escape what is special; turn into spaces or drop what Telegram turns into spaces or drops when it sends."""
    table = {code: " " for code in range(0x20) if code != 0x0A}
    table |= dict.fromkeys([0x0D, *range(0x2028, 0x202F), 0x030A, 0x0333, 0x033F], "")
    table |= dict.fromkeys(range(0xFDD0, 0xFDF0), "\ufffd")
    return table | {ord(char): f"\\{char}" for char in SPECIAL}


_TABLE = _table()


def escape_markdown_v2(text: str) -> str:
    r"""Return *text* so that Telegram shows just that text, in any context.

    >>> escape_markdown_v2("1.5 (net)!")
    '1\\.5 \\(net\\)\\!'
    """
    if not text.isascii():
        text = whole(text)
        if not is_normalized("NFC", text):  # Telegram drops U+030A: å must be one character before that
            text = normalize("NFC", text)
    return text.translate(_TABLE)


class MarkdownV2Fragment(SolidFragment):
    """Text in MarkdownV2, with marks in place of the delimiters that filters ask for."""

    __slots__ = ()
    markup = Markup.MARKDOWN_V2
    units: ClassVar[re.Pattern[str]] = re.compile(f"(?s)[{PRE}{LINK}][^{ARGUMENT}]*{ARGUMENT}|\\\\.|.")

    if not TYPE_CHECKING:
        escape_text = staticmethod(escape_markdown_v2)  # one call less for each value


def _wrap(opening: str, inner: str) -> MarkdownV2Fragment:
    """Mark *inner*, unless there is nothing to see in it: an empty entity is an error."""
    return MarkdownV2Fragment(f"{opening}{inner}{END}" if inner.strip() else inner)


def bold(value: Any) -> MarkdownV2Fragment:
    """Return *value* in bold type."""
    return _wrap(BOLD, MarkdownV2Fragment.output(value))


def italic(value: Any) -> MarkdownV2Fragment:
    """Return *value* in italics."""
    return _wrap(ITALIC, MarkdownV2Fragment.output(value))


def underline(value: Any) -> MarkdownV2Fragment:
    """Return *value* underlined."""
    return _wrap(UNDERLINE, MarkdownV2Fragment.output(value))


def strike(value: Any) -> MarkdownV2Fragment:
    """Return *value* struck through."""
    return _wrap(STRIKE, MarkdownV2Fragment.output(value))


def spoiler(value: Any) -> MarkdownV2Fragment:
    """Return *value* hidden until its reader taps on it."""
    return _wrap(SPOILER, MarkdownV2Fragment.output(value))


def code(value: Any) -> MarkdownV2Fragment:
    """Return *value* as code within a line; formatting in it vanishes."""
    return _wrap(CODE, MarkdownV2Fragment.output(value))


def pre(value: Any, language: str = "") -> MarkdownV2Fragment:
    """Return *value* as a block of code; formatting in it vanishes."""
    if not isinstance(language, str) or not _LANGUAGE.fullmatch(language):
        raise RefusedError("the language of pre is a word of letters, digits, '+', '#' and '-'")
    return _wrap(f"{PRE}{language}{ARGUMENT}", MarkdownV2Fragment.output(value))


def quote(value: Any, expandable: bool = False) -> MarkdownV2Fragment:
    """Return *value* as a quotation, in lines of its own; an *expandable* one shows its beginning until its reader taps on it."""
    inner = MarkdownV2Fragment.output(value)
    return _wrap(FOLD if expandable else QUOTE, inner.strip("\n") if type(inner) is str else inner)


def link(value: Any, url: str) -> MarkdownV2Fragment:
    """Return *value* as a link; a *url* that Telegram would drop silently is written out behind it."""
    inner = MarkdownV2Fragment.output(value)
    if not is_web_link(url, schemes=("http", "https", "tg"), dotted=True):
        return MarkdownV2Fragment(inner + (escape_markdown_v2(written_out(url)) if inner.strip() else ""))
    return _wrap(f"{LINK}{escape_markdown_v2(url.strip())}{ARGUMENT}", inner)


def mention(value: Any, id: int | str) -> MarkdownV2Fragment:
    """Return *value* as a mention of the Telegram user of this *id*."""
    if not re.fullmatch(r"[0-9]{1,20}", str(id)) or not 0 < int(id) <= _MOST_USER_ID:
        raise RefusedError("mention takes a Telegram user id, which is a number")
    return link(value, f"tg://user?id={int(id)}")


def _finish(text: str) -> str:
    """Write the delimiters for the marks, and refuse what Telegram refuses."""
    text = write_marks(text).strip()
    if not text:
        raise InvalidTextError("Telegram takes no empty text")
    check_readable(text)
    return text


MARKDOWN_V2 = Language(
    MarkdownV2Fragment,
    {each.__name__: each for each in (bold, italic, underline, strike, spoiler, code, pre, quote, link, mention)},
    _finish,
    measure,
    body,
)
