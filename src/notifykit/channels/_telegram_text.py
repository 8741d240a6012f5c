"""MarkdownV2 back to plain text, for when Telegram cannot parse it: pure. Source: core.telegram.org/bots/api#markdownv2-style."""

import re

__all__ = ["plain_text"]

# One pass: an escaped character, a block or a span of code, a link, a marker, or anything else.
_TOKEN = re.compile(
    r"""
    \\(?P<escaped>[\x01-\x7e])
    | ```(?:[A-Za-z0-9+\#-]*\n)?(?P<block>(?:\\.|[^\\`]|`(?!``))*?)```
    | `(?P<code>(?:\\.|[^\\`])*)`
    | !?\[(?P<label>(?:\\.|[^\\\]])*)\]\((?P<url>(?:\\.|[^\\)])*)\)
    | (?P<marker>\|\||__|[*_~])
    | (?P<quote>^>)
    """,
    re.VERBOSE | re.MULTILINE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\([\x01-\x7e])", re.DOTALL)


def plain_text(markdown: str) -> str:
    r"""Return *markdown* as its reader would have seen it, without formatting; a link's URL follows its text.

    It is for markup that is broken somewhere: a marker that has no partner stays, for it is probably meant.

    >>> plain_text(r"*Order 81* left\. [Track](https://a\.example/81) 2*3")
    'Order 81 left. Track (https://a.example/81) 2*3'
    """
    tokens = list(_TOKEN.finditer(markdown))
    dropped = _pairs(tokens)
    out: list[str] = []
    end = 0
    for token in tokens:
        out.append(markdown[end : token.start()])
        out.append("" if token.start() in dropped else _text(token))
        end = token.end()
    out.append(markdown[end:])
    return "".join(out)


def _pairs(tokens: list[re.Match[str]]) -> set[int]:
    """Return where the markers stand that have a partner: the first and second of a kind, the third and fourth …"""
    open_at: dict[str, int] = {}
    paired: set[int] = set()
    for token in tokens:
        marker = token["marker"]
        if marker is None:
            continue
        if marker in open_at:
            paired |= {open_at.pop(marker), token.start()}
        else:
            open_at[marker] = token.start()
    return paired


def _text(token: re.Match[str]) -> str:
    match token.lastgroup:
        case "escaped":
            return token["escaped"]
        case "block" | "code":
            return _unescaped(token[token.lastgroup])
        case "url":
            label, url = plain_text(token["label"]), _unescaped(token["url"])
            return label if not url or label == url or url.startswith("tg:") else f"{label} ({url})"
        case "quote":
            return ""
        case _:
            return token[0]


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(r"\1", text)
