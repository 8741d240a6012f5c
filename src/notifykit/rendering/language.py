"""What the renderer must know of a markup; each has one module beside this one."""

from collections.abc import Callable, Mapping
from typing import Any

from attrs import frozen

from notifykit.rendering.fragments import Fragment

__all__ = ["InvalidTextError", "Language"]


class InvalidTextError(Exception):
    """The rendered text is not valid in its markup; ``line`` counts the output's lines from 1."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason)
        self.line = line


@frozen
class Language:
    """A markup as the renderer uses it.

    Attributes:
        fragment: the type of text written in it; it knows how to escape.
        filters: the formatting that templates may ask for.
        finish: from the raw output to the part; raises InvalidTextError.
    """

    fragment: type[Fragment]
    filters: Mapping[str, Callable[..., Any]]
    finish: Callable[[str], str]
