"""MarkdownV2 as Telegram reads it, as far as the demo's messages go: a strict reader that refuses what Telegram would.

Source: core.telegram.org/bots/api#markdownv2-style.
"""

import re
from collections.abc import Iterator
from typing import NoReturn

from attrs import frozen

__all__ = ["Span", "plain", "read"]

_STYLES = {"*": "bold", "_": "italic", "__": "underline", "~": "strike", "||": "spoiler"}
_TOKEN = re.compile(r"\\(?P<escaped>[\x01-\x7e])|```(?P<pre>.*?)```|`(?P<code>(?:\\.|[^`\\])*)`|(?P<mark>__|\|\||[*_~])"
                    r"|(?P<open>\[)|\]\((?P<url>(?:\\.|[^)\\])*)\)|(?P<text>[^_*\[\]()~`>#+\-=|{}.!\\]+)", re.DOTALL)  # fmt: skip


@frozen
class Span:
    """A run of text with its styles, and the URL if it is a link's text."""

    text: str
    styles: frozenset[str] = frozenset()
    url: str | None = None


def read(source: str) -> list[Span]:
    """Return the spans of *source*.

    Raises:
        ValueError: Telegram would say "can't parse entities".
    """
    spans: list[Span] = []
    styles: list[str] = []
    link_from: int | None = None
    for token in _tokens(source):
        if (mark := token["mark"]) is not None:
            _toggle(styles, _STYLES[mark])
        elif token["open"]:
            link_from = len(spans)
        elif (url := token["url"]) is not None:
            if link_from is None:
                _refuse(token.start())
            spans[link_from:] = [Span(each.text, each.styles, _unescaped(url)) for each in spans[link_from:]]
            link_from = None
        else:
            spans.append(_span(token, frozenset(styles)))
    if styles or link_from is not None:
        _refuse(len(source))
    return spans


def plain(spans: list[Span]) -> str:
    """Return the text without its formatting."""
    return "".join(each.text for each in spans)


def _tokens(source: str) -> Iterator[re.Match[str]]:
    position = 0
    while position < len(source):
        token = _TOKEN.match(source, position)
        if token is None:
            _refuse(position)
        yield token
        position = token.end()


def _span(token: re.Match[str], styles: frozenset[str]) -> Span:
    if token["code"] is not None:
        return Span(_unescaped(token["code"]), styles | {"code"})
    if token["pre"] is not None:
        return Span(_unescaped(token["pre"].partition("\n")[2]), styles | {"pre"})
    return Span(token["escaped"] or token["text"], styles)


def _toggle(styles: list[str], style: str) -> None:
    if styles and styles[-1] == style:
        styles.pop()
    elif style in styles:
        _refuse(0)
    else:
        styles.append(style)


def _unescaped(text: str) -> str:
    return re.sub(r"\\([\x01-\x7e])", r"\1", text)


def _refuse(offset: int) -> NoReturn:
    raise ValueError(f"can't parse entities: character {offset} is reserved and must be escaped with the preceding '\\'")
