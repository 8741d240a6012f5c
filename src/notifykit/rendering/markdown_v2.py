r"""Telegram's MarkdownV2: one rule escapes a value in every context, a backslash before each special character.

Formatting filters do not write delimiters but marks (noncharacters, which no value can bring in), because ``_a_`` beside
``__b__`` reads differently than each alone. :func:`_finish` writes the delimiters when the whole text is known.
Source: Bot API, "MarkdownV2 style"; behaviour measured against TDLib's parser.
"""

import re
from collections.abc import Callable
from typing import Any, ClassVar
from unicodedata import is_normalized, normalize

from notifykit._messages import Markup
from notifykit.rendering.fragments import RefusedError, SolidFragment, whole
from notifykit.rendering.language import InvalidTextError, Language
from notifykit.rendering.links import is_web_link, written_out
from notifykit.rendering.markdown_v2_body import body, measure

__all__ = ["MARKDOWN_V2", "MarkdownV2Fragment", "escape_markdown_v2"]

SPECIAL = "_*[]()~`>#+-=|{}.!\\"

_BOLD, _ITALIC, _UNDERLINE, _STRIKE, _SPOILER, _CODE, _PRE, _LINK = map(chr, range(0xFDD0, 0xFDD8))
_ARGUMENT, _END = "\ufdde", "\ufddf"
_MARK = re.compile(f"([{_PRE}{_LINK}])([^{_ARGUMENT}]*){_ARGUMENT}|[{_BOLD}-{_CODE}]|{_END}")
_DELIMITERS = {_BOLD: "*", _ITALIC: "_", _UNDERLINE: "__", _STRIKE: "~", _SPOILER: "||", _CODE: "`"}
_SEPARATOR = "**"
"""An empty bold: Telegram's own way to keep ``_`` and ``__`` apart."""

_LANGUAGE = re.compile(r"[A-Za-z0-9+#-]*")


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
    units: ClassVar[re.Pattern[str]] = re.compile(f"(?s)[{_PRE}{_LINK}][^{_ARGUMENT}]*{_ARGUMENT}|\\\\.|.")

    @classmethod
    def escape_text(cls, text: str) -> str:
        """Return *text* with a backslash before each special character."""
        return escape_markdown_v2(text)


def _marked(mark: str) -> Callable[[Any], MarkdownV2Fragment]:
    def wrap(value: Any) -> MarkdownV2Fragment:
        return _wrap(mark, MarkdownV2Fragment.output(value))

    return wrap


def _wrap(opening: str, inner: str) -> MarkdownV2Fragment:
    """Mark *inner*, unless there is nothing to see in it: an empty entity is an error."""
    return MarkdownV2Fragment(f"{opening}{inner}{_END}" if inner.strip() else inner)


def _pre(value: Any, language: str = "") -> MarkdownV2Fragment:
    if not isinstance(language, str) or not _LANGUAGE.fullmatch(language):
        raise RefusedError("the language of pre is a word of letters, digits, '+', '#' and '-'")
    return _wrap(f"{_PRE}{language}{_ARGUMENT}", MarkdownV2Fragment.output(value))


def _link(value: Any, url: str) -> MarkdownV2Fragment:
    inner = MarkdownV2Fragment.output(value)
    if not is_web_link(url, schemes=("http", "https", "tg"), dotted=True):  # Telegram would drop it silently
        return MarkdownV2Fragment(inner + (escape_markdown_v2(written_out(url)) if inner.strip() else ""))
    return _wrap(f"{_LINK}{escape_markdown_v2(url.strip())}{_ARGUMENT}", inner)


def _mention(value: Any, id: int) -> MarkdownV2Fragment:
    if not re.fullmatch(r"[0-9]{1,20}", str(id)):
        raise RefusedError("mention takes a Telegram user id, which is a number")
    return _link(value, f"tg://user?id={id}")


def _finish(text: str) -> str:
    """Write the delimiters for the marks, and refuse an empty text as Telegram does."""
    if _MARK.search(text):
        text = _write_marks(text)
    text = text.strip()
    if not text:
        raise InvalidTextError("Telegram takes no empty text")
    return text


def _write_marks(text: str) -> str:
    written = _Written()
    opened: list[tuple[str, str] | None] = []
    end = 0
    for match in _MARK.finditer(text):
        written.add(text[end : match.start()])
        end = match.end()
        if match[0] == _END:
            if not opened:
                raise InvalidTextError("a formatting mark is closed that was not opened")
            if (last := opened.pop()) is not None:
                written.add(last[1])
            continue
        mark = match[1] or match[0]
        kept = None if _needless(mark, opened) else _delimiters(mark, match[2])
        if kept is not None:
            written.add(kept[0])
        opened.append((mark, kept[1]) if kept else None)
    if opened:
        raise InvalidTextError("a formatting mark is opened and not closed")
    written.add(text[end:])
    return written.text()


def _needless(mark: str, opened: list[tuple[str, str] | None]) -> bool:
    """Return whether a mark says nothing new: twice the same, or anything inside code."""
    return any(each is not None and each[0] in (mark, _CODE, _PRE) for each in opened)


def _delimiters(mark: str, argument: str | None) -> tuple[str, str]:
    if mark == _LINK:
        return "[", f"]({argument})"
    if mark == _PRE:
        return f"```{argument}\n", "```"
    return _DELIMITERS[mark], _DELIMITERS[mark]


class _Written:
    """The text so far; keeps underscores of neighbouring delimiters apart."""

    def __init__(self) -> None:
        self._pieces: list[str] = []

    def add(self, piece: str) -> None:
        if not piece:
            return
        if piece[0] == "_" and self._pieces and _ends_bare(self._pieces[-1]):
            self._pieces.append(_SEPARATOR)
        self._pieces.append(piece)

    def text(self) -> str:
        return "".join(self._pieces)


def _ends_bare(text: str) -> bool:
    """Return whether *text* ends with an underscore that no backslash escapes."""
    if text[-1] != "_":
        return False
    before = text[:-1]
    return (len(before) - len(before.rstrip("\\"))) % 2 == 0


MARKDOWN_V2 = Language(
    MarkdownV2Fragment,
    {
        "bold": _marked(_BOLD),
        "italic": _marked(_ITALIC),
        "underline": _marked(_UNDERLINE),
        "strike": _marked(_STRIKE),
        "spoiler": _marked(_SPOILER),
        "code": _marked(_CODE),
        "pre": _pre,
        "link": _link,
        "mention": _mention,
    },
    _finish,
    measure,
    body,
)
