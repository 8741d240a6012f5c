"""A stretch of MarkdownV2 that parses alone: measured as Telegram measures it, and written with its entities closed and reopened. Pure.

Source: Bot API, "sendMessage" (1–4096 characters after entities parsing) and limits.tginfo.me; UTF-16 units are the safe side.
"""

from attrs import define, field

from notifykit.rendering.language import Excess
from notifykit.rendering.markdown_v2_reading import Entity, Reading, read

__all__ = ["MOST_BYTES", "MOST_ENTITIES", "MarkdownV2Body", "body", "measure"]

MOST_BYTES = 35_000
"""Bytes of markup; what is beyond is cut silently."""
MOST_ENTITIES = 100
"""Entities in one message; further ones are not shown."""

_SEPARATOR = "**"
"""An empty bold keeps underscores, and quotations, apart."""
_OPENINGS = "*_~|`[>"
_MARGIN = 100
"""Bytes kept free for what stands at the ends of a piece."""


def body(markdown: str) -> "MarkdownV2Body":
    """Read *markdown* to be cut.

    Raises: InvalidTextError, where Telegram would refuse it.
    """
    return MarkdownV2Body(read(markdown))


def measure(markdown: str, limit: int) -> Excess | None:
    """Measure *markdown* as Telegram does after parsing it: UTF-16 units, and where these fit, bytes and entities.

    Raises: InvalidTextError, where it may be too long and Telegram would refuse it.
    """
    size = len(markdown.encode(errors="replace"))
    if size > MOST_BYTES:
        return Excess(size, MOST_BYTES, "bytes")
    if _units(markdown) <= limit and sum(map(markdown.count, _OPENINGS)) <= MOST_ENTITIES:
        return None  # parsing makes nothing longer
    read_body = body(markdown)
    units, entities = _units(read_body.text), read_body.entities()
    if units > limit:
        return Excess(units, limit)
    return Excess(entities, MOST_ENTITIES, "formatted stretches") if entities > MOST_ENTITIES else None


def _units(text: str) -> int:
    return len(text) + sum(map("\uffff".__lt__, text)) if not text.isascii() else len(text)


@define
class MarkdownV2Body:
    """A text that was read, to be cut; see :class:`~notifykit.rendering.splitting.Body`."""

    reading: Reading

    @property
    def text(self) -> str:
        """The text as its reader sees it."""
        return self.reading.text

    def reach(self, start: int, limit: int) -> int:
        """Return the furthest place to which a piece from *start* may go."""
        cost = _Cost()
        for place in range(start, len(self.text)):
            cost.add(self.reading, place)
            if cost.units > limit or cost.size > MOST_BYTES - _MARGIN or cost.entities > MOST_ENTITIES:
                return place
        return len(self.text)

    def entities(self) -> int:
        """Return how many entities there are, at most."""
        cost = _Cost()
        for place in range(len(self.text)):
            cost.add(self.reading, place)
        return cost.entities

    def indented(self, place: int) -> bool:
        """Return whether *place* is in code."""
        return any(each.code for each in self.reading.entities[place])

    def write(self, start: int, stop: int, tail: str = "") -> str:
        """Return the stretch as MarkdownV2; the *tail* is in the entities that go on after it."""
        reading = self.reading
        pen = _Pen()
        for place in range(start, stop):
            pen.turn(reading.entities[place], reading.quotes[place])
            pen.show(reading.sources[place])
        if tail:
            shared = _shared(reading.entities[stop - 1], reading.entities[stop])
            pen.turn(reading.entities[stop - 1][:shared], reading.quotes[stop - 1])
            pen.show(tail)
        pen.turn((), None)
        return pen.text()


@define
class _Cost:
    """What a stretch costs, added up character by character."""

    units: int = 0
    size: int = 0
    entities: int = 0
    _around: tuple[Entity, ...] = ()
    _quote: Entity | None = None

    def add(self, reading: Reading, place: int) -> None:
        """Add a character, and the entities that begin with it."""
        around, quote = reading.entities[place], reading.quotes[place]
        self.units += 1 if reading.text[place] <= "\uffff" else 2
        self.size += len(reading.sources[place].encode(errors="replace"))
        if reading.text[place] == "\n":
            self.size += 1  # a quotation's >
        if around is self._around and quote is self._quote:
            return
        shared = _shared(around, self._around) if quote is self._quote else 0
        for each in around[shared:]:
            self.entities += 1
            self.size += len(f"{each.opening}{each.closing}".encode(errors="replace")) + 2 * len(_SEPARATOR)
        if quote is not None and quote is not self._quote:
            self.entities += 1
            self.size += len(_SEPARATOR) + 4
        self._around, self._quote = around, quote


def _shared(these: tuple[Entity, ...], those: tuple[Entity, ...]) -> int:
    """Return how many of the outermost entities are the same."""
    count = 0
    for this, that in zip(these, those, strict=False):
        if this is not that:
            break
        count += 1
    return count


@define
class _Pen:
    """Writes characters and the delimiters between them. A quotation is outermost: entities around it are closed and reopened."""

    _pieces: list[str] = field(factory=list)
    _around: tuple[Entity, ...] = ()
    _quote: Entity | None = None
    _since_quote: int = 2

    def turn(self, around: tuple[Entity, ...], quote: Entity | None) -> None:
        """Close and open what the next character wants."""
        if quote is not self._quote:
            self._to(())
            self._requote(quote)
        self._to(around)

    def show(self, source: str) -> None:
        """Write a character."""
        self._write(source)
        self._since_quote += 1
        if source == "\n" and self._quote is not None and not any(each.code for each in self._around):
            self._pieces.append(">")

    def text(self) -> str:
        """Return what was written."""
        return "".join(self._pieces)

    def _to(self, around: tuple[Entity, ...]) -> None:
        shared = _shared(around, self._around)
        for each in reversed(self._around[shared:]):
            self._write(each.closing)
        for each in around[shared:]:
            self._write(each.opening)
        self._around = around

    def _requote(self, quote: Entity | None) -> None:
        if self._quote is not None:
            self._write(self._quote.closing)
            self._since_quote = 0
        if quote is not None:  # one that follows another, with nothing but the newline between, would be part of it
            self._pieces.append(f"{_SEPARATOR}>" if self._since_quote <= 1 else ">")
        self._quote = quote

    def _write(self, text: str) -> None:
        if text and text[0] == "_" and self._pieces and self._pieces[-1][-1:] == "_" and self._pieces[-1] != "\\_":
            self._pieces.append(_SEPARATOR)
        self._pieces.append(text)
