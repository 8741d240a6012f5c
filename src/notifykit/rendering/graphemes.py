"""Where a text may be cut without cutting what people see as one character.

After Unicode Standard Annex 29, "Grapheme Cluster Boundaries", as far as the standard library knows the properties.
"""

from unicodedata import category

__all__ = ["is_boundary"]

_ZWNJ, _ZWJ = "\u200c", "\u200d"


def is_boundary(text: str, place: int) -> bool:
    """Return whether a cut before ``text[place]`` leaves every character whole.

    >>> [place for place in range(6) if is_boundary("e\u0301🇨🇿a", place)]
    [0, 2, 4, 5]
    """
    if not 0 < place < len(text):
        return True
    before, after = text[place - 1], text[place]
    if before.isascii() and after.isascii():
        return (before, after) != ("\r", "\n")
    if before in "\r\n":
        return True
    if _extends(after) or before == _ZWJ:
        return False
    if _is_flag_letter(before) and _is_flag_letter(after):
        return _flag_letters_before(text, place) % 2 == 0
    return not (_is_lead(before) and (_is_lead(after) or _is_syllable(after))) and not ("\ud800" <= before <= "\udbff" and _is_tail(after))


def _extends(char: str) -> bool:
    """Return whether *char* belongs to the one before it: marks, joiners, skin tones, the tags of flags, vowels and finals of Hangul."""
    return (
        category(char) in ("Mn", "Me", "Mc")
        or char in (_ZWNJ, _ZWJ, "\uff9e", "\uff9f")
        or "\U0001f3fb" <= char <= "\U0001f3ff"
        or "\U000e0020" <= char <= "\U000e007f"
        or "\u1160" <= char <= "\u11ff"
        or "\ud7b0" <= char <= "\ud7fb"
    )


def _is_flag_letter(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"


def _flag_letters_before(text: str, place: int) -> int:
    start = place
    while start and _is_flag_letter(text[start - 1]):
        start -= 1
    return place - start


def _is_lead(char: str) -> bool:
    return "\u1100" <= char <= "\u115f" or "\ua960" <= char <= "\ua97c"


def _is_syllable(char: str) -> bool:
    return "\uac00" <= char <= "\ud7a3"


def _is_tail(char: str) -> bool:
    return "\udc00" <= char <= "\udfff"
