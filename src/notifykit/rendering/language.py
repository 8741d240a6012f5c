"""What the renderer must know of a markup; each has one module beside this one."""

from collections.abc import Callable, Mapping
from typing import Any

from attrs import frozen

from notifykit.rendering.fragments import Fragment
from notifykit.rendering.splitting import Body, PlainBody

__all__ = ["Excess", "InvalidTextError", "Language", "in_characters"]


class InvalidTextError(Exception):
    """The rendered text is not valid in its markup; ``line`` counts the output's lines from 1."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason)
        self.line = line


@frozen
class Excess:
    """By how much a text is too long."""

    length: int
    limit: int
    unit: str = "characters"


def in_characters(text: str, limit: int) -> Excess | None:
    """Measure *text* in characters."""
    return Excess(len(text), limit) if len(text) > limit else None


@frozen
class Language:
    """A markup as the renderer uses it.

    Attributes:
        fragment: the type of text written in it; it knows how to escape.
        filters: the formatting that templates may ask for.
        finish: from the raw output to the part; raises InvalidTextError.
        measure: from the part and a limit to the excess, if there is one; raises InvalidTextError.
        body: from the part to what can be cut; None where nothing can. Raises InvalidTextError.
    """

    fragment: type[Fragment]
    filters: Mapping[str, Callable[..., Any]]
    finish: Callable[[str], str]
    measure: Callable[[str, int], Excess | None] = in_characters
    body: Callable[[str], Body] | None = PlainBody
