r"""MarkdownV2 read as Telegram reads it: each visible character, how it is written, and the entities that it is in. Pure.

It takes what Telegram takes, and refuses what Telegram refuses. Source: Bot API, "MarkdownV2 style"; behaviour measured
against TDLib's parser.
"""

import re

from attrs import define, field

from notifykit.rendering.language import InvalidTextError

__all__ = ["Entity", "Reading", "read"]

_RESERVED = frozenset("_*[]()~`>#+-=|{}.!")
_LANGUAGE = re.compile(r"[^ \t\r\n\0\v`]+(?=[ \t\r\n\0\v])")
_NEWLINE = re.compile(r"(?:\n\r?|\r\n?)?")
_EMOJI = re.compile(r"tg:(//)?(emoji/?\?(.*&)?id=-?[1-9][0-9]{0,18}|time/?\?(.*&)?unix=[0-9]+)(?![0-9])", re.IGNORECASE | re.DOTALL)
_ESCAPE = re.compile(r"\\([\x01-\x7e])", re.DOTALL)
_URL = re.compile(r"\(((?:\\[\x01-\x7e]|[^)\\]|\\(?![\x01-\x7e]))*)\)", re.DOTALL)
_SIMPLE = ("__", "_", "*", "~", "||")
_CODE, _PRE, _QUOTE = "`", "```", ">"


@define(eq=False)
class Entity:
    """One formatted stretch, a quotation included.

    Attributes:
        opening, closing: what is written before and after it; of a quotation that folds, ``||`` closes.
        code: nothing but itself and a quotation around it formats what is in it.
    """

    opening: str
    closing: str = ""
    code: bool = False


@define
class Reading:
    """What was read; the lists have one element for each code point of ``text``.

    Attributes:
        sources: how it is written in any context: what is special has its backslash.
        entities: those around it but for the quotation, the outermost first.
        quotes: the quotation it is in.
    """

    text: str = ""
    sources: list[str] = field(factory=list)
    entities: list[tuple[Entity, ...]] = field(factory=list)
    quotes: list[Entity | None] = field(factory=list)


def read(markdown: str) -> Reading:
    """Read *markdown*.

    Raises:
        InvalidTextError: Telegram would refuse it.
    """
    reader = _Reader(markdown)
    place = 0
    while place < len(markdown):
        place = reader.step(place)
    return reader.finish()


@define
class _Reader:
    """Walks over the text once, with the entities that are open in ``open``.

    A quotation can begin where ``line_begins``: not behind a newline in code, as Telegram has it.
    """

    source: str
    reading: Reading = field(factory=Reading)
    open: list[Entity] = field(factory=list)
    begun: list[int] = field(factory=list)
    places: list[int] = field(factory=list)
    shown: list[str] = field(factory=list)
    around: tuple[Entity, ...] = ()
    quote: Entity | None = None
    line_begins: bool = True

    def step(self, place: int) -> int:
        """Take the next character or delimiter, and return the place after it."""
        char = self.source[place]
        if char == "\\" and "\x01" <= self.source[place + 1 : place + 2] <= "\x7e":
            end = self._show(self.source[place + 1], place + 2)
            self.line_begins = self.line_begins or self.shown[-1] == "\n"
            return end
        top = self.open[-1] if self.open else None
        if top is not None and top.code:
            if self.source.startswith(top.closing, place):
                return self._close(place, len(top.closing))
            if char != _CODE:
                return self._show(char, place + 1)
        if char == "\n":
            return self._newline(place)
        if char not in _RESERVED:
            return self._show(char, place + 1)
        return self._delimiter(char, top, place)

    def finish(self) -> Reading:
        """Return what was read."""
        if self.open and self.open[-1] is self.quote:
            self._close(len(self.source), 0)
        if self.open:
            raise InvalidTextError(f"{self.open[-1].opening[:3]} is opened and not closed", self._line(self.places[-1]))
        self.reading.text = "".join(self.shown)
        return self.reading

    def _show(self, char: str, end: int) -> int:
        self.shown.append(char)
        self.reading.sources.append(f"\\{char}" if char in _RESERVED or char == "\\" else char)
        self.reading.entities.append(self.around)
        self.reading.quotes.append(self.quote)
        self.line_begins = self.line_begins and char == "\r"  # which Telegram drops
        return end

    def _newline(self, place: int) -> int:
        """A quotation goes on in the next line if that begins with ``>``; else it ends, and the newline is not in it."""
        goes_on = self.quote is not None and self.source.startswith(">", place + 1)
        if self.quote is not None and not goes_on:
            if self.open[-1] is not self.quote:
                raise InvalidTextError(
                    f"{self.open[-1].opening[:3]} is opened in a quotation and not closed there", self._line(self.places[-1])
                )
            self._close(place, 0)
            self.around = ()  # what is around the quotation can be opened again in the next line only
        self._show("\n", place + 1)
        self.line_begins = True
        self._changed()
        return place + (2 if goes_on else 1)

    def _delimiter(self, char: str, top: Entity | None, place: int) -> int:
        if top is not None and top.opening in ("[", "![") and char == "]":
            return self._close_link(top, place)
        for delimiter in (each for each in _SIMPLE if self.source.startswith(each, place)):
            if delimiter == "||" and top is not None and top is self.quote and self._at_line_end(place + 2):
                top.closing = "||"  # it folds
                return place + 2
            if top is not None and top.opening == delimiter:
                return self._close(place, len(delimiter))
            return self._open(Entity(delimiter, delimiter), place, len(delimiter))
        if self.source.startswith(_PRE, place):
            return self._open_pre(place)
        if char == _CODE:
            return self._open(Entity(_CODE, _CODE, code=True), place, 1)
        for opening in ("![", "["):
            if self.source.startswith(opening, place):
                return self._open(Entity(opening), place, len(opening))
        if char == _QUOTE and self.line_begins:
            if self.quote is not None:
                return place + 1  # quotations do not nest
            self.quote = Entity(_QUOTE)
            return self._open(self.quote, place, 1)
        raise InvalidTextError(f"{char!r} has a meaning in MarkdownV2, and wants a backslash before it", self._line(place))

    def _line(self, place: int) -> int:
        return self.source.count("\n", 0, place) + 1

    def _at_line_end(self, place: int) -> bool:
        return place >= len(self.source) or (self.source[place] == "\n" and not self.source.startswith("\n>", place))

    def _open(self, entity: Entity, place: int, length: int) -> int:
        self.open.append(entity)
        self.begun.append(len(self.shown))
        self.places.append(place)
        self._changed()
        return place + length

    def _close(self, place: int, length: int) -> int:
        if self.open.pop() is self.quote:
            self.quote = None
        self.begun.pop()
        self.places.pop()
        self._changed()
        return place + length

    def _changed(self) -> None:
        self.around = tuple(each for each in self.open if each is not self.quote)

    def _open_pre(self, place: int) -> int:
        start = place + len(_PRE)
        language = _LANGUAGE.match(self.source, start)
        if language is not None:
            start = language.end()
        start = _NEWLINE.match(self.source, start).end()  # type: ignore[union-attr]  # it matches the empty text
        return self._open(Entity(f"{_PRE}{language[0] if language else ''}\n", _PRE, code=True), place, start - place)

    def _close_link(self, link: Entity, place: int) -> int:
        """Take ``](URL)``; where there is no URL, the text is its own."""
        url = _URL.match(self.source, place + 1)
        end = place + 1 if url is None else url.end()
        written = "".join(self.reading.sources[self.begun[-1] :]) if url is None else url[1]
        if link.opening == "![" and not _EMOJI.match(_ESCAPE.sub(r"\1", written)):
            raise InvalidTextError("![…] takes a URL of tg://emoji or tg://time", self._line(place))
        link.closing = f"]({written})"
        return self._close(place, end - place)
