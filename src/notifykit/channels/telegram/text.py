"""MarkdownV2 back to plain text, for when Telegram cannot parse it: pure. Source: core.telegram.org/bots/api#markdownv2-style."""

import re

from attrs import field, frozen

__all__ = ["plain_text"]

_TOKEN = re.compile(r"\\[\x01-\x7e]|```|`|!?\[|\]\(|\)|^(?:\*\*)?>|\|\||__|[*_~]", re.MULTILINE | re.DOTALL)
_ESCAPE = re.compile(r"\\([\x01-\x7e])", re.DOTALL)
_LANGUAGE = re.compile(r"[A-Za-z0-9+#-]*\n")


def plain_text(markdown: str) -> str:
    r"""Return *markdown* as its reader would have seen it, without formatting; a link's URL follows its text.

    It is for markup that is broken somewhere: a marker that has no partner stays, for it is probably meant. It takes time in
    proportion to the text, whatever the text.

    >>> plain_text(r"*Order 81* left\. [Track](https://a\.example/81) 2*3")
    'Order 81 left. Track (https://a.example/81) 2*3'
    """
    scan = _Scan(markdown, list(_TOKEN.finditer(markdown)))
    scan.run()
    out: list[str] = []
    end = 0
    for start, (stop, replacement) in sorted(scan.edits.items()):
        out += (markdown[end:start], replacement)
        end = stop
    return "".join([*out, markdown[end:]])


@frozen
class _Scan:
    """One walk over the tokens; ``edits`` says what to put in place of which stretch: start to (stop, replacement)."""

    text: str
    tokens: list[re.Match[str]]
    edits: dict[int, tuple[int, str]] = field(factory=dict)
    _open_links: list[re.Match[str]] = field(factory=list)
    _open_markers: dict[str, re.Match[str]] = field(factory=dict)

    def run(self) -> None:
        later = self._later()
        index = 0
        while index < len(self.tokens):
            token = self.tokens[index]
            partner = later[index]
            match token[0]:
                case "`" | "```" if partner is not None:
                    self._code(token, self.tokens[partner])
                    index = partner
                case "](" if self._open_links and partner is not None:
                    self._link(self._open_links.pop(), token, self.tokens[partner])
                    index = partner
                case "[" | "![":
                    self._open_links.append(token)
                case "*" | "_" | "__" | "~" | "||" as marker:
                    self._marker(marker, token)
                case ">" | "**>":
                    self._replace(token, "")
                    if token[0] == "**>":
                        self._open_markers["||"] = token  # a quotation that folds ends in ||
                case escaped if escaped.startswith("\\"):
                    self._replace(token, escaped[1])
            index += 1

    def _later(self) -> list[int | None]:
        """Return for each token where the one is that would end it: the next of its kind, and for a link the next parenthesis."""
        seen: dict[str, int] = {}
        later: list[int | None] = []
        for index in reversed(range(len(self.tokens))):
            kind = self.tokens[index][0]
            later.append(seen.get(")" if kind == "](" else kind))
            seen[kind] = index
        return later[::-1]

    def _replace(self, token: re.Match[str], text: str) -> None:
        self.edits[token.start()] = (token.end(), text)

    def _code(self, opening: re.Match[str], closing: re.Match[str]) -> None:
        start = opening.end()
        if opening[0] == "```" and (language := _LANGUAGE.match(self.text, start, closing.start())):
            start = language.end()
        self.edits[opening.start()] = (closing.end(), _unescaped(self.text[start : closing.start()]))

    def _link(self, opening: re.Match[str], middle: re.Match[str], closing: re.Match[str]) -> None:
        url = _unescaped(self.text[middle.end() : closing.start()])
        label = self.text[opening.end() : middle.start()]
        known = url.startswith("tg:") or not url or (len(label) <= 2 * len(url) and _unescaped(label) == url)
        self._replace(opening, "")
        self.edits[middle.start()] = (closing.end(), "" if known else f" ({url})")

    def _marker(self, marker: str, token: re.Match[str]) -> None:
        opening = self._open_markers.pop(marker, None)
        if opening is None:
            self._open_markers[marker] = token
        else:
            self._replace(opening, "")
            self._replace(token, "")


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(r"\1", text)
