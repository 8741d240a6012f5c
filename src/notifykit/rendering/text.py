"""Plain text: nothing to escape; line ends become newlines and other control characters go."""

import re
from typing import Any

from notifykit._messages import Markup
from notifykit.rendering.fragments import Fragment, whole
from notifykit.rendering.language import Language
from notifykit.rendering.links import written_out

__all__ = ["TEXT", "TextFragment"]

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


def _plain(value: Any, language: str = "") -> TextFragment:  # the same call serves other markups
    return TextFragment.escape(value)


def _link(value: Any, url: str) -> TextFragment:
    inner = TextFragment.output(value)
    return TextFragment(inner + TextFragment.output(written_out(url)) if inner.strip() and inner != url else inner)


def _finish(text: str) -> str:
    return text.strip("\n")


TEXT = Language(
    TextFragment,
    {**dict.fromkeys(("bold", "italic", "underline", "strike", "code", "pre"), _plain), "link": _link},
    _finish,
)
