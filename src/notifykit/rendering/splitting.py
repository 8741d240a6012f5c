"""Where an over-long text is cut: after a paragraph, else a line, else a word, else a character. Pure.

What is cut is a :class:`Body`: the text as its reader sees it, and the ways to measure and to write a stretch of it.
White space at a cut is dropped, but for the indentation of code.
"""

import re
from collections.abc import Iterator
from typing import Protocol

from attrs import frozen

from notifykit.rendering.graphemes import is_boundary

__all__ = ["ELLIPSIS", "Body", "PlainBody", "UncuttableError", "split", "truncate"]

ELLIPSIS = "…"

_SPACE = re.compile(r"[^\S\xa0\u2007\u202f]+")
"""White space where a line may break."""
_VISIBLE = re.compile(r"\S")


class UncuttableError(Exception):
    """Not even one character of the text fits, whatever belongs to it included."""


class Body(Protocol):
    """A text that can be cut."""

    @property
    def text(self) -> str:
        """The text as its reader sees it; places count its code points."""

    def reach(self, start: int, limit: int) -> int:
        """Return the furthest place to which a piece from *start* may go."""

    def indented(self, place: int) -> bool:
        """Return whether white space at the start of a line says something at *place*."""

    def write(self, start: int, stop: int, tail: str = "") -> str:
        """Return the markup of a stretch, and of a *tail* that stands for what follows it."""


@frozen
class PlainBody:
    """A text without markup, measured in characters."""

    text: str

    def reach(self, start: int, limit: int) -> int:
        """Return the furthest place to which a piece from *start* may go."""
        return min(start + limit, len(self.text))

    def indented(self, place: int) -> bool:
        """Return False: there is no code here."""
        return False

    def write(self, start: int, stop: int, tail: str = "") -> str:
        """Return the stretch and the tail."""
        return self.text[start:stop] + tail


@frozen
class _Gap:
    """White space to cut at: the piece ends at ``start``, the next begins at ``end``. Rank 2 parts paragraphs, 1 lines, 0 words."""

    start: int
    end: int
    rank: int


def split(body: Body, limit: int) -> Iterator[str]:
    """Cut *body* into pieces of at most *limit*, which say together what it says.

    Raises: UncuttableError.
    """
    start = 0
    while start < len(body.text):
        stop, following = _cut(body, start, body.reach(start, limit))
        if body.text[start:stop].strip():
            yield body.write(start, stop)
        start = following


def truncate(body: Body, limit: int) -> str:
    """Return the beginning of *body* with an ellipsis after it, together at most *limit*.

    Raises: UncuttableError.
    """
    stop, _ = _cut(body, 0, body.reach(0, limit - len(ELLIPSIS)))
    return body.write(0, stop, ELLIPSIS)


def _cut(body: Body, start: int, reach: int) -> tuple[int, int]:
    """Return where the piece from *start* ends, and where the next one begins."""
    text = body.text
    if reach >= len(text):
        return len(text), len(text)
    if reach <= start:
        raise UncuttableError
    gap = _best(list(_gaps(body, start, reach)), (start + reach) // 2)
    if gap is not None:
        return gap.start, gap.end
    place = next((each for each in range(reach, start, -1) if is_boundary(text, each)), reach)
    return place, place


def _best(gaps: list[_Gap], half: int) -> _Gap | None:
    """Return the last gap between paragraphs, else lines, else words, that leaves the piece no less than half full; else the last."""
    for rank in (2, 1, 0):
        found = next((each for each in reversed(gaps) if each.rank >= rank and each.start >= half), None)
        if found is not None:
            return found
    return gaps[-1] if gaps else None


def _gaps(body: Body, start: int, reach: int) -> Iterator[_Gap]:
    text = body.text
    first = _VISIBLE.search(text, start)
    for match in _SPACE.finditer(text, first.start() if first else len(text)):
        if match.start() > reach:
            return
        end = match.end() if is_boundary(text, match.end()) else match.end() - 1
        if match.start() < end:
            newline = text.rfind("\n", match.start(), end)
            indent = newline + 1 if newline >= 0 and newline + 1 < end and body.indented(newline + 1) else end
            yield _Gap(match.start(), indent, min(text.count("\n", match.start(), end), 2))
