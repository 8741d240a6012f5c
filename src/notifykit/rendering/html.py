"""HTML: values are escaped for text and quoted attributes; controls and noncharacters, which HTML forbids, are removed."""

import re
from typing import Any, ClassVar

from markupsafe import escape as escape_html

from notifykit._messages import Markup
from notifykit.rendering.fragments import SolidFragment, whole
from notifykit.rendering.language import Language
from notifykit.rendering.links import is_web_link, written_out

__all__ = ["HTML", "HtmlFragment", "bold", "code", "italic", "link", "pre", "preheader", "quote", "strike", "underline"]

# "control" and "noncharacter" of the HTML standard, 13.2.3.5 Preprocessing the input stream
_CONTROLS = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f]")
_NONCHARACTERS = re.compile(
    "[\ufdd0-\ufdef" + "".join(f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0, 0x110000, 0x10000)) + "]"
)

_ASCII = {code: None for code in range(0x80) if _CONTROLS.match(chr(code))} | {ord(char): str(escape_html(char)) for char in "&<>'\""}

_ANCHOR = re.compile(r"</?a(?:\s[^>]*)?>", re.IGNORECASE)
_QUOTATION = "margin:0 0 0 2px;padding:0 0 0 12px;border-left:3px solid #98a2b3"
_HIDDEN = "display:none;max-height:0;max-width:0;overflow:hidden;opacity:0;font-size:1px;line-height:1px;mso-hide:all"
_PADDING = "&#847;&zwnj;&nbsp;" * 60
"""Nothing to see, in the place of the mail's first words, which an inbox would show after a short preheader."""


class HtmlFragment(SolidFragment):
    """Text in HTML."""

    __slots__ = ()
    markup = Markup.HTML
    units: ClassVar[re.Pattern[str]] = re.compile(r"(?s)<[^>]*>|&[^;\s]{1,32};|.")

    @classmethod
    def escape_text(cls, text: str) -> str:
        """Return *text* for HTML text and quoted attributes."""
        if "\r" in text:
            text = text.replace("\r\n", "\n")
        if text.isascii():
            return text.translate(_ASCII)
        if not text.isprintable():
            text = _CONTROLS.sub("", whole(text))
        return str(escape_html(_NONCHARACTERS.sub("\ufffd", text)))

    @classmethod
    def adopt(cls, value: Any) -> str:
        """Return what markupsafe or another library marked as safe HTML."""
        return str(value.__html__())


def _tag(name: str, value: Any) -> HtmlFragment:
    """Put *value* into a tag, unless there is nothing to see in it."""
    inner = HtmlFragment.output(value)
    return HtmlFragment(f"<{name}>{inner}</{name}>" if inner.strip() else inner)


def bold(value: Any) -> HtmlFragment:
    """Return *value* in bold type."""
    return _tag("strong", value)


def italic(value: Any) -> HtmlFragment:
    """Return *value* in italics."""
    return _tag("em", value)


def underline(value: Any) -> HtmlFragment:
    """Return *value* underlined."""
    return _tag("u", value)


def strike(value: Any) -> HtmlFragment:
    """Return *value* struck through."""
    return _tag("s", value)


def code(value: Any) -> HtmlFragment:
    """Return *value* as code within a line."""
    return _tag("code", value)


def pre(value: Any, language: str = "") -> HtmlFragment:  # the same call serves Telegram
    """Return *value* as a block of code, which a paragraph cannot hold."""
    inner = HtmlFragment.output(value)
    return HtmlFragment(f"<pre>\n{inner}</pre>" if inner.strip() else inner)


def quote(value: Any, expandable: bool = False) -> HtmlFragment:  # the same call serves Telegram
    """Return *value* as a quotation with its line breaks, which a paragraph cannot hold."""
    inner = HtmlFragment.output(value)
    if not inner.strip():
        return HtmlFragment(inner)
    lines = inner if "<pre" in inner else str(inner).strip("\n").replace("\n", "<br>\n")
    return HtmlFragment(f'<blockquote style="{_QUOTATION}">{lines}</blockquote>')


def preheader(value: Any) -> HtmlFragment:
    """Return *value* as what an inbox shows behind the subject, hidden in the mail; it belongs at the beginning of the body."""
    inner = HtmlFragment.output(value)
    return HtmlFragment(f'<div style="{_HIDDEN}">{inner}{_PADDING}</div>' if inner.strip() else "")


def link(value: Any, url: str) -> HtmlFragment:
    """Return *value* as a link to the web, a mailbox or a telephone; any other *url* is written out behind it."""
    inner = HtmlFragment.output(value)
    if not inner.strip():
        return HtmlFragment(inner)
    if not is_web_link(url, schemes=("http", "https", "mailto", "tel")):
        return HtmlFragment(inner + HtmlFragment.output(written_out(url)))
    if "<a" in inner:  # links do not nest: the outer one stays
        inner = _ANCHOR.sub("", inner)
    return HtmlFragment(f'<a href="{HtmlFragment.output(str(url).strip())}">{inner}</a>')


HTML = Language(
    HtmlFragment,
    {each.__name__: each for each in (bold, italic, underline, strike, code, pre, quote, link, preheader)},
    str.strip,
    body=None,
)
