"""Plain text: nothing to escape; line ends become newlines and other control characters go."""

import re
from typing import Any

from notifykit._messages import Markup
from notifykit.rendering.fragments import Fragment, whole
from notifykit.rendering.language import Language
from notifykit.rendering.links import written_out

__all__ = ["TEXT", "TextFragment", "bold", "code", "italic", "link", "pre", "quote", "strike", "underline"]

_LINE_END = re.compile("\r\n?|[\x85\u2028\u2029]")
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class TextFragment(Fragment):
    """Plain text."""

    __slots__ = ()
    markup = Markup.TEXT

    @classmethod
    def escape_text(cls, text: str) -> str:
        """Return *text* with newlines as its only line ends and without other controls but tabs."""
        if text.isprintable():
            return text
        return _CONTROLS.sub("", _LINE_END.sub("\n", whole(text)))


def bold(value: Any) -> TextFragment:
    """Return *value*: plain text has no bold type."""
    return TextFragment.escape(value)


def italic(value: Any) -> TextFragment:
    """Return *value*: plain text has no italics."""
    return TextFragment.escape(value)


def underline(value: Any) -> TextFragment:
    """Return *value*: plain text has no lines under words."""
    return TextFragment.escape(value)


def strike(value: Any) -> TextFragment:
    """Return *value*: plain text has no lines through words."""
    return TextFragment.escape(value)


def code(value: Any) -> TextFragment:
    """Return *value*: plain text has one type only."""
    return TextFragment.escape(value)


def pre(value: Any, language: str = "") -> TextFragment:  # the same call serves other markups
    """Return *value*: plain text keeps lines and spaces as they are."""
    return TextFragment.escape(value)


def quote(value: Any, expandable: bool = False) -> TextFragment:  # the same call serves Telegram
    """Return *value* with ``>`` before each line, as mails have it; it begins where the template puts it."""
    inner = TextFragment.output(value)
    if not inner.strip():
        return TextFragment(inner)
    return TextFragment("\n".join([f"> {line}".rstrip() for line in inner.strip("\n").split("\n")]))


def link(value: Any, url: str) -> TextFragment:
    """Return *value* with the *url* behind it."""
    inner = TextFragment.output(value)
    return TextFragment(inner + TextFragment.output(written_out(url)) if inner.strip() and inner != url else inner)


def _finish(text: str) -> str:
    return text.strip("\n")


TEXT = Language(TextFragment, {each.__name__: each for each in (bold, italic, underline, strike, code, pre, quote, link)}, _finish)
