"""What becomes of a part that is longer than the channel carries: an error, several pieces, or its beginning."""

import enum

from notifykit.rendering.faults import TooLongError
from notifykit.rendering.language import Excess, Language
from notifykit.rendering.splitting import UncuttableError, split, truncate

__all__ = ["MOST_PIECES", "Overflow", "carried"]

MOST_PIECES = 20
"""Pieces of one part; more are an accident."""


class Overflow(enum.Enum):
    """What is done with a part that is too long."""

    ERROR = "error"
    """It is not sent: ContentTooLongError."""
    SPLIT = "split"
    """It is sent in several pieces."""
    TRUNCATE = "truncate"
    """Its beginning is sent, and an ellipsis."""


def carried(language: Language, text: str, limit: int | None, overflow: Overflow) -> tuple[str, ...]:
    """Return what is sent of a part: *text* itself, or what *overflow* makes of it when it is longer than *limit*.

    Raises: TooLongError, InvalidTextError.
    """
    excess = language.measure(text, limit) if limit is not None else None
    if excess is None or limit is None:
        return (text,)
    if overflow is Overflow.ERROR or language.body is None:
        hint = "; shorten it, or choose overflow in template.toml" if language.body is not None else ""
        raise _too_long(excess, f"has {excess.length:,} {excess.unit}, and the channel carries {excess.limit:,}{hint}")
    body = language.body(text)
    try:
        if overflow is Overflow.TRUNCATE:
            return (truncate(body, limit),)
        pieces: list[str] = []
        for piece in split(body, limit):
            if len(pieces) == MOST_PIECES:
                raise _too_long(excess, f"has {excess.length:,} {excess.unit}, more than {MOST_PIECES} pieces of {excess.limit:,}")
            pieces.append(piece)
    except UncuttableError:
        raise _too_long(excess, f"has {excess.length:,} {excess.unit}, and cannot be cut to {excess.limit:,}") from None
    return tuple(pieces) or ("",)  # nothing but white space


def _too_long(excess: Excess, what: str) -> TooLongError:
    return TooLongError(excess.length, excess.limit, f"the part {what}")
