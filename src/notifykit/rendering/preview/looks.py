"""How each rendered part looks in the gallery: facts for the page's template, which escapes them. Pure."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import urlsplit

from attrs import frozen

from notifykit._messages import Markup
from notifykit.rendering.inspection import MOST_CHARACTERS, MOST_PUSH_BYTES
from notifykit.rendering.language import InvalidTextError
from notifykit.rendering.markdown_v2_reading import Entity, Reading, read

__all__ = ["Bubble", "Card", "Letter", "Plain", "Run", "bubble", "card", "in_scheme", "plain"]

_KINDS = {"*": "bold", "_": "italic", "__": "underline", "~": "strike", "||": "spoiler", "`": "code", "[": "link", "![": "emoji"}
_ESCAPE = re.compile(r"\\([\x01-\x7e])", re.DOTALL)
_STYLE = re.compile(r"(<style\b[^>]*>)(.*?)(</style)", re.IGNORECASE | re.DOTALL)
_SCHEME = re.compile(r"\(\s*prefers-color-scheme\s*:\s*(dark|light)\s*\)", re.IGNORECASE)


@frozen
class Letter:
    """An e-mail: its HTML as a light and a dark screen show it, and what those see who read plain text."""

    subject: str
    light: str = ""
    dark: str = ""
    text: str = ""


@frozen
class Run:
    """A stretch of a Telegram text: its styles, and the title of its link."""

    text: str
    styles: str = ""
    title: str = ""


@frozen
class Bubble:
    """A Telegram message: blocks of runs, each block's first word ``text``, ``quote``, ``fold`` or ``pre``."""

    blocks: Sequence[tuple[str, Sequence[Run]]]
    source: str
    characters: int
    most: int = MOST_CHARACTERS


@frozen
class Card:
    """A push notification as a phone shows it."""

    title: str
    body: str
    site: str
    initial: str
    actions: Sequence[str]
    links: Sequence[tuple[str, str]]
    source: str
    size: int
    most: int = MOST_PUSH_BYTES


@frozen
class Plain:
    """A part of which nothing more is known than its text."""

    name: str
    text: str


def in_scheme(html: str, scheme: str) -> str:
    """Return *html* as it is on a screen of this colour scheme, whatever the one that shows the page prefers."""

    def decide(match: re.Match[str]) -> str:
        return "(min-width: 0px)" if match[1].lower() == scheme else "(max-width: 0px)"

    return _STYLE.sub(lambda sheet: f"{sheet[1]}{_SCHEME.sub(decide, sheet[2])}{sheet[3]}", html)


def bubble(markdown: str) -> Bubble | None:
    """Return a Telegram text as it looks, or None if Telegram would refuse it."""
    try:
        reading = read(markdown)
    except InvalidTextError:
        return None
    units = len(reading.text.encode("utf-16-le", "surrogatepass")) // 2
    return Bubble([*_blocks(reading)], markdown, units)


def _blocks(reading: Reading) -> Iterator[tuple[str, Sequence[Run]]]:
    """Yield stretches of the same quotation or the same preformatted block."""
    start = 0
    for place in range(1, len(reading.text) + 1):
        if place == len(reading.text) or _block(reading, place) != _block(reading, start):
            kind = _block(reading, start)[0]
            runs = [*_runs(reading, start + _ended(reading, start, kind), place)]
            if kind != "text" or any(run.text.strip("\n") for run in runs):
                yield kind, runs
            start = place


def _ended(reading: Reading, start: int, kind: str) -> int:
    """Return 1 for the newline that ends the quotation before a text: that is no empty line."""
    return int(kind == "text" and start > 0 and reading.quotes[start - 1] is not None and reading.text[start] == "\n")


def _block(reading: Reading, place: int) -> tuple[str, int]:
    pre = next((each for each in reading.entities[place] if _kind(each) == "pre"), None)
    if pre is not None:
        return "pre", id(pre)
    quote = reading.quotes[place]
    if quote is not None:
        return "fold" if quote.closing else "quote", id(quote)
    return "text", 0


def _runs(reading: Reading, start: int, stop: int) -> Iterator[Run]:
    begun = start
    for place in range(start + 1, stop + 1):
        if place == stop or reading.entities[place] != reading.entities[begun]:
            around = reading.entities[begun]
            styles = " ".join(dict.fromkeys(_kind(each) for each in around))
            yield Run(reading.text[begun:place], styles, next((_title(each) for each in around if _title(each)), ""))
            begun = place


def _kind(entity: Entity) -> str:
    return "pre" if entity.opening.startswith("```") else _KINDS[entity.opening]


def _title(entity: Entity) -> str:
    if entity.opening == "[":
        return _ESCAPE.sub(r"\1", entity.closing[2:-1])
    return entity.opening[3:].strip() if entity.opening.startswith("```") else ""


def card(text: str) -> Card | None:
    """Return a push message as a phone shows it, or None if it has nothing to show."""
    document = json.loads(text)
    shown = document.get("notification", document) if isinstance(document, Mapping) else None
    if not isinstance(shown, Mapping):
        return None
    links = [(name, str(shown[name])) for name in ("navigate", "icon", "badge", "image") if shown.get(name)]
    site = _host(dict(links).get("navigate", "")) or "your-site.example"
    given = shown.get("actions")
    actions = [str(each["title"]) for each in given if isinstance(each, Mapping) and "title" in each] if isinstance(given, list) else []
    source = json.dumps(document, ensure_ascii=False, indent=2)
    title, body = str(shown.get("title", "")), str(shown.get("body", ""))
    return Card(title, body, site, site.removeprefix("www.")[:1].upper(), actions, links, source, len(text.encode("utf-8", "replace")))


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def plain(name: str, markup: Markup, text: str) -> Plain:
    """Return any other part, JSON with line breaks."""
    return Plain(name, json.dumps(json.loads(text), ensure_ascii=False, indent=2) if markup is Markup.JSON else text)
