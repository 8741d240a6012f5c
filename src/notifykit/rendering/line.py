"""One line, such as a subject: line breaks and controls become spaces, in values and in the whole."""

import re

from notifykit._messages import Markup
from notifykit.rendering.fragments import Fragment, whole
from notifykit.rendering.language import Language

__all__ = ["LINE", "LineFragment"]

_BREAKS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_SPACES = re.compile("[\x00-\x20\x7f-\x9f\u2028\u2029]+")


class LineFragment(Fragment):
    """Text without line breaks."""

    __slots__ = ()
    markup = Markup.LINE

    @classmethod
    def escape_text(cls, text: str) -> str:
        """Return *text* with each run of line breaks and controls as one space."""
        return text if text.isprintable() else _BREAKS.sub(" ", whole(text))


def _finish(text: str) -> str:
    return _SPACES.sub(" ", text).strip()


LINE = Language(LineFragment, {}, _finish)
