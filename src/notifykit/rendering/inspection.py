"""What can be wrong with a rendered part although it was rendered: one pure function per markup.

Sources: Bot API, sendMessage and "MarkdownV2 style"; RFC 8291, section 4; W3C Push API, "Declarative push message".
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, TypeAlias

from notifykit._messages import Markup
from notifykit.rendering.html_structure import read_structure
from notifykit.rendering.language import InvalidTextError
from notifykit.rendering.links import is_web_link
from notifykit.rendering.markdown_v2_body import MOST_ENTITIES
from notifykit.rendering.markdown_v2_reading import read

__all__ = ["MOST_CHARACTERS", "MOST_PUSH_BYTES", "NO_TEXT", "Severity", "Topic", "inspect", "link_targets"]

Severity: TypeAlias = Literal["error", "warning"]
Topic: TypeAlias = Literal["structure", "link", "size", "empty", "advice"]
Remark: TypeAlias = "tuple[Severity, Topic, str]"

MOST_CHARACTERS = 4096
"""Of a Telegram text, in UTF-16 units after parsing."""
MOST_PUSH_BYTES = 3993
"""Of plaintext, so that one encrypted record has 4,096."""
MOST_MAIL_BYTES = 102 * 1024
"""What Gmail shows of an HTML part before it clips the rest."""

NO_TEXT = "Telegram takes no empty text"
"""What the renderer says when nothing is left to send."""

_ESCAPE = re.compile(r"\\([\x01-\x7e])", re.DOTALL)
_MAIL_SCHEMES = ("http", "https", "mailto", "tel")
_MOST_ACTIONS = 2
"""``Notification.maxActions`` of the browsers that show any."""
_ACTIVE = ("script", "iframe", "object", "embed", "form", "applet")
_HOSTILE = "onhostile"
"""What a hostile text has in it, in its first line and as the name of an attribute."""
_TWO_LINES = re.compile(rf"{_HOSTILE}(?:(?!{_HOSTILE}).){{0,80}}?7\*7", re.DOTALL | re.IGNORECASE)
"""From there to its second line."""
_REMEDY = "make it a number, as {{ x|int }}, or choose between constants by {% if %}"


def inspect(markup: Markup, kind: str, text: str) -> Iterator[Remark]:
    """Yield what is wrong with the *text* of a part for a channel of this *kind*."""
    yield from _INSPECTIONS[markup](kind, text)


def _html(kind: str, text: str) -> Iterator[Remark]:
    structure = read_structure(text)
    for line, reason in structure.faults:
        yield "error", "structure", f"line {line} of the output: {reason}"
    for tag in sorted(structure.tags.intersection(_ACTIVE)):
        yield "warning", "advice", f"mail programs remove <{tag}>"
    if _HOSTILE in structure.attributes:
        yield "error", "structure", "a value becomes an attribute of its own: put quotes around the attribute's value"
    for where in dict.fromkeys(where for where, embedded in structure.embedded if _HOSTILE in embedded.lower()):
        yield "error", "structure", f"a value stands in {where}, where escaping for HTML does not hold it: {_REMEDY}"
    for tag, name, url in structure.links:
        if not _is_mail_link(tag, url):
            yield "error" if _runs(url) else "warning", "link", f"{name} of <{tag}> is no absolute web address"
    size = len(text.encode("utf-8", "replace"))
    if size > MOST_MAIL_BYTES:
        yield "warning", "size", f"it has {size:,} bytes; Gmail clips an e-mail after {MOST_MAIL_BYTES:,}"


def _is_mail_link(tag: str, url: str) -> bool:
    if tag == "img" and url.startswith(("cid:", "data:image/")):
        return True
    return (tag == "a" and url.startswith("#")) or is_web_link(url, _MAIL_SCHEMES)


def _runs(url: str) -> bool:
    return re.sub(r"[\s\x00-\x1f]", "", url).lower().startswith(("javascript:", "vbscript:", "data:text/html"))


def _markdown(kind: str, text: str) -> Iterator[Remark]:
    try:
        reading = read(text)
    except InvalidTextError as error:
        where = f"line {error.line} of the output: " if error.line else ""
        yield "error", "structure", f"Telegram refuses it: {where}{error}"
        return
    units = len(reading.text.encode("utf-16-le", "surrogatepass")) // 2
    if units > MOST_CHARACTERS:
        yield "warning", "size", f"it has {units:,} characters; a Telegram message holds {MOST_CHARACTERS:,}"
    if not reading.text.strip():
        yield "error", "empty", NO_TEXT
    if any(reading.quotes[each.start()] and not reading.quotes[each.end() - 1] for each in _TWO_LINES.finditer(reading.text)):
        yield "error", "structure", "a value of several lines leaves the quotation: write {{ x|quote }} in place of > before it"
    entities = {id(each): each for around in reading.entities for each in around}
    if len(entities) > MOST_ENTITIES:
        yield "warning", "size", f"it has {len(entities)} formatted stretches; Telegram shows {MOST_ENTITIES}"
    for url in link_targets(entities.values()):
        if not is_web_link(url, ("http", "https", "tg", "ton"), dotted=True):
            yield "warning", "link", "Telegram would drop a link: it must be absolute, and its host have a dot"


def link_targets(entities: Any) -> Iterator[str]:
    """Yield the URLs of those entities of a MarkdownV2 reading that are links."""
    return (_ESCAPE.sub(r"\1", each.closing[2:-1]) for each in entities if each.opening == "[")


def _json(kind: str, text: str) -> Iterator[Remark]:
    if kind != "push":
        return
    document = json.loads(text)
    size = len(text.encode("utf-8", "replace"))
    if size > MOST_PUSH_BYTES:
        yield "error", "size", f"it has {size:,} bytes; a push service takes {MOST_PUSH_BYTES:,}"
    if not isinstance(document, Mapping):
        yield "error", "structure", "a push message is a JSON object"
        return
    shown = document.get("notification", document)
    if not isinstance(shown, Mapping) or not isinstance(shown.get("title"), str) or not shown["title"].strip():
        yield "error", "empty", "a push message needs a title"
        return
    declarative = "web_push" in document
    if declarative and document["web_push"] != 8030:
        yield "error", "structure", "web_push must be the number 8030"
    if declarative and not shown.get("navigate"):
        yield "warning", "advice", "without navigate no browser shows it unless a service worker does"
    for name in ("body", "tag", "lang", "icon", "badge", "image", "navigate"):
        if shown.get(name) is not None and not isinstance(shown[name], str):
            yield "error", "structure", f"{name} of a push message is a text"
    yield from _actions(shown.get("actions", []), declarative)
    for name in ("navigate", "icon", "badge", "image"):
        url = shown.get(name)
        if url is not None and not is_web_link(url, ("https", "http")):
            yield "error" if _runs(str(url)) else "warning", "link", f"{name} is no absolute web address"


def _actions(actions: Any, declarative: bool) -> Iterator[Remark]:
    """Source: Notifications API, "actions"; Push API, "Declarative push message": there, each opens a URL of its own."""
    if not isinstance(actions, list) or not all(isinstance(each, Mapping) for each in actions):
        yield "error", "structure", "actions of a push message is a list of objects"
        return
    for number, action in enumerate(actions, 1):
        if not all(isinstance(action.get(name), str) and action[name].strip() for name in ("action", "title")):
            yield "error", "structure", f"action {number} needs an action, which is its name, and a title"
        if declarative and not is_web_link(action.get("navigate"), ("https", "http")):
            yield "error", "structure", f"action {number} needs a navigate, the absolute web address that it opens"
        if not is_web_link(action.get("icon", "https://icon.example/"), ("https", "http")):
            yield "warning", "link", f"icon of action {number} is no absolute web address"
    if len(actions) > _MOST_ACTIONS:
        yield "warning", "advice", f"it has {len(actions)} actions; browsers show {_MOST_ACTIONS}"


def _line(kind: str, text: str) -> Iterator[Remark]:
    if not text.strip():
        yield "warning", "advice", "it is empty"


_INSPECTIONS: Mapping[Markup, Callable[[str, str], Iterator[Remark]]] = {
    Markup.HTML: _html,
    Markup.MARKDOWN_V2: _markdown,
    Markup.JSON: _json,
    Markup.LINE: _line,
    Markup.TEXT: _line,
}
