r"""Marks that stand for MarkdownV2's delimiters until the whole text is known, and the writing of the delimiters. Pure.

``_a_`` beside ``__b__`` reads differently than each alone, and a quotation is made of whole lines: what is right depends on the
neighbours. Marks are noncharacters, which no value can bring in. Source: Bot API, "MarkdownV2 style"; behaviour measured against
TDLib's parser.
"""

import re
from collections.abc import Iterable
from typing import TypeAlias

from attrs import define, field

from notifykit.rendering.language import InvalidTextError

__all__ = ["ARGUMENT", "BOLD", "CODE", "END", "FOLD", "ITALIC", "LINK", "PRE", "QUOTE", "SPOILER", "STRIKE", "UNDERLINE", "write_marks"]

BOLD, ITALIC, UNDERLINE, STRIKE, SPOILER, CODE, PRE, LINK, QUOTE, FOLD = map(chr, range(0xFDD0, 0xFDDA))
ARGUMENT, END = "\ufdde", "\ufddf"

_Rest: TypeAlias = "Iterable[tuple[str, str | None, str]]"
_MARK = re.compile(f"([{BOLD}-{FOLD}{END}])(?:(?<=[{PRE}{LINK}])([^{ARGUMENT}]*){ARGUMENT})?")
_DELIMITERS = {BOLD: "*", ITALIC: "_", UNDERLINE: "__", STRIKE: "~", SPOILER: "||", CODE: "`"}
_SEPARATOR = "**"
"""An empty bold: Telegram's own way to keep ``_`` and ``__`` apart, and one quotation from the next."""
_NOT_OPENED, _NOT_CLOSED = "a formatting mark is closed that was not opened", "a formatting mark is opened and not closed"
_TOKEN = re.compile(r"\\.|```|`|\n|.", re.DOTALL)
_SHOWS_NOTHING = "*_~|>["
"""Delimiters after which a line still begins."""


def write_marks(text: str) -> str:
    """Return *text* with delimiters in place of its marks.

    Raises:
        InvalidTextError: a mark has no other end; only a template that contains noncharacters can do that.
    """
    parts = _MARK.split(text)
    if len(parts) == 1:
        return text
    marks = iter(parts)
    first, rest = next(marks), zip(marks, marks, marks, strict=True)
    pieces = _with_lines(first, rest) if QUOTE in text or FOLD in text or "`" in text else _side_by_side(first, rest)
    return "".join(pieces)


def _side_by_side(text: str, rest: _Rest) -> list[str]:
    """Write what has no quotation and no code of the author's in it: only underscores must be kept apart."""
    pieces = [text]
    opened: list[tuple[str, str]] = []
    for mark, argument, following in rest:
        if mark == END:
            if not opened:
                raise InvalidTextError(_NOT_OPENED)
            delimiter = opened.pop()[1]
        elif opened and any(each in (mark, CODE, PRE) for each, closing in opened if closing):
            opened.append(("", ""))
            delimiter = ""
        else:
            delimiter, closing = _delimiters(mark, argument)
            opened.append((mark, closing))
        for piece in (delimiter, following):
            if piece:
                if piece[0] == "_" and _ends_bare(pieces[-1]):
                    pieces.append(_SEPARATOR)
                pieces.append(piece)
    if opened:
        raise InvalidTextError(_NOT_CLOSED)
    return pieces


def _with_lines(text: str, rest: _Rest) -> list[str]:
    """Write anything."""
    written = _Written()
    written.add(text)
    for mark, argument, following in rest:
        if mark == END:
            written.close()
        else:
            written.open(mark, argument)
        written.add(following)
    if written.opened:
        raise InvalidTextError(_NOT_CLOSED)
    return written.pieces


@define
class _Opened:
    """A mark that waits for its end; a *needless* one says nothing new."""

    mark: str
    closing: str = ""
    needless: bool = False


@define
class _Written:
    """The text so far, and what must be known of it to go on.

    Attributes:
        code: the author's own code that is open: ````` and fences.
        line_begins: whether nothing is shown yet in this line.
        after_quote: whether a quotation of ours has just ended with a newline; a newline that follows is that one.
        own_quotes: whether the author wrote ``>`` somewhere, so that ours might go on with it.
    """

    pieces: list[str] = field(factory=list)
    opened: list[_Opened] = field(factory=list)
    code: list[str] = field(factory=list)
    line_begins: bool = True
    after_quote: bool = False
    own_quotes: bool = False

    def add(self, text: str) -> None:
        """Write text of the author's and values, escaped."""
        quoted, in_code = self._within(QUOTE), self._within(CODE)
        if self.after_quote and text.startswith("\n") and not in_code:
            text = text[1:]
        if not text:
            return
        if self.after_quote and text.startswith(">"):
            self._write(_SEPARATOR)
        self.own_quotes |= ">" in text.replace("\\>", "")
        if "`" in text or quoted:
            text = self._followed(text, quoted and not in_code)
        self.after_quote = False
        self._write(text)
        line = text.rpartition("\n")
        if line[2].strip(_SHOWS_NOTHING):
            self.line_begins = False
        elif line[1]:
            self.line_begins = not (in_code or self.code)

    def open(self, mark: str, argument: str | None) -> None:
        """Write what opens an entity."""
        kind = QUOTE if mark == FOLD else mark
        if self.code or self._within(kind) or self._within(CODE):
            self.opened.append(_Opened(kind, needless=True))
        elif kind == QUOTE:
            self._open_quote(mark)
        else:
            opening, closing = _delimiters(mark, argument)
            self._write(opening)
            self.opened.append(_Opened(CODE if mark == PRE else mark, closing))

    def close(self) -> None:
        """Write what closes the entity that was opened last."""
        if not self.opened:
            raise InvalidTextError(_NOT_OPENED)
        last = self.opened.pop()
        if last.needless:
            return
        self._write(last.closing)
        if last.mark == QUOTE:
            self.line_begins = self.after_quote = True
        elif last.mark == CODE:
            self.line_begins = False  # Telegram begins no quotation after a newline in code

    def _within(self, mark: str) -> bool:
        return any(each.mark == mark and not each.needless for each in self.opened)

    def _write(self, text: str) -> None:
        if text[0] == "_" and self.pieces and _ends_bare(self.pieces[-1]):
            self.pieces.append(_SEPARATOR)
        self.pieces.append(text)

    def _open_quote(self, mark: str) -> None:
        if not self.line_begins:
            self._write("\n")
        self._write(f"{_SEPARATOR}>" if self.after_quote or self.own_quotes else ">")
        self.after_quote = False
        self.opened.append(_Opened(QUOTE, "||\n" if mark == FOLD else "\n"))

    def _followed(self, text: str, quoted: bool) -> str:
        """Follow the author's own code, and begin each line of a quotation anew."""
        found: list[str] = []
        for piece in _TOKEN.findall(text):
            found.append(piece)
            if piece in ("`", "```") and not self._within(CODE):
                self._turn(piece)
            elif piece == "\n" and quoted and not self.code:
                found.append(">")
        return "".join(found)

    def _turn(self, piece: str) -> None:
        if self.code and self.code[-1] == piece:
            self.code.pop()
        elif not self.code or piece == "`":
            self.code.append(piece)


def _delimiters(mark: str, argument: str | None) -> tuple[str, str]:
    if mark in (LINK, PRE) and argument is None:
        raise InvalidTextError(_NOT_CLOSED)
    if mark == LINK:
        return "[", f"]({argument})"
    if mark == PRE:
        return f"```{argument}\n", "```"
    return _DELIMITERS[mark], _DELIMITERS[mark]


def _ends_bare(text: str) -> bool:
    """Return whether *text* ends with an underscore that no backslash escapes."""
    if text[-1:] != "_":
        return False
    before = text[:-1]
    return (len(before) - len(before.rstrip("\\"))) % 2 == 0
