"""What an HTML part is made of: whether its tags are balanced, and which URLs it leads to.

Source: HTML standard, 13.1.2.4 "Optional tags" and the void elements of 13.1.2.
"""

from collections.abc import Iterator, Sequence
from html.parser import HTMLParser

from attrs import frozen

__all__ = ["LenientParser", "Structure", "read_structure"]

_VOID = frozenset(["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"])
_MAY_STAY_OPEN = frozenset(
    (
        *("body", "colgroup", "dd", "dt", "head", "html", "li", "optgroup", "option", "p", "rp", "rt"),
        *("tbody", "td", "tfoot", "th", "thead", "tr"),
    )
)
_ENDS_A_PARAGRAPH = frozenset(
    (
        *("address", "article", "aside", "blockquote", "center", "div", "dl", "fieldset", "footer", "form", "h1", "h2", "h3", "h4", "h5"),
        *("h6", "header", "hr", "main", "nav", "ol", "p", "pre", "section", "table", "ul"),
    )
)
_URL_ATTRIBUTES = ("href", "src", "action", "background")
_EMBEDDING = ("style", "srcdoc")
_OTHER_LANGUAGES = ("script", "style")


@frozen
class Structure:
    """What was read.

    Attributes:
        faults: (line, reason) of each tag that does not fit.
        links: (tag, attribute, URL) in order.
        tags: the names of all elements.
        attributes: the names of all attributes.
        embedded: (where, text) of what is read as another language, in which escaping for HTML means nothing.
    """

    faults: Sequence[tuple[int, str]]
    links: Sequence[tuple[str, str, str]]
    tags: frozenset[str]
    attributes: frozenset[str]
    embedded: Sequence[tuple[str, str]]


def read_structure(html: str) -> Structure:
    """Read *html*, a whole document or a fragment of one."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    reader.end()
    return Structure(reader.faults, reader.links, frozenset(reader.tags), frozenset(reader.attributes), reader.embedded)


class LenientParser(HTMLParser):
    """A parser that no input stops: ``<![…>`` is a comment for HTML, and an AssertionError in some cases for Python's."""

    def parse_marked_section(self, i: int, report: int = 1) -> int:  # as the standard library has it
        """Skip it, as the HTML standard's "bogus comment state" does."""
        return self.rawdata.find(">", i) + 1 or -1


class _Reader(LenientParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.faults: list[tuple[int, str]] = []
        self.links: list[tuple[str, str, str]] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.embedded: list[tuple[str, str]] = []
        self._open: list[tuple[str, int]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._note(tag, attrs)
        if tag in _ENDS_A_PARAGRAPH and self._open and self._open[-1][0] == "p":
            self._open.pop()
        if tag not in _VOID:
            self._open.append((tag, self.getpos()[0]))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._note(tag, attrs)
        if tag not in _VOID and not self._in_foreign():
            self._fault(f"<{tag}/> closes nothing in HTML: write <{tag}></{tag}>")

    def handle_endtag(self, tag: str) -> None:
        if tag in _VOID:
            self._fault(f"</{tag}> means nothing: {tag} has no end tag")
        elif tag not in [each for each, _ in self._open]:
            self._fault(f"</{tag}> closes nothing that is open")
        else:
            while (last := self._open.pop())[0] != tag:
                self._left_open(*last, f"when </{tag}> comes")

    def handle_data(self, data: str) -> None:
        if self._open and (tag := self._open[-1][0]) in _OTHER_LANGUAGES:
            self.embedded.append((f"<{tag}>", data))

    def end(self) -> None:
        """Judge what is still open at the end."""
        for tag, line in reversed(self._open):
            self._left_open(tag, line, "at the end")

    def _left_open(self, tag: str, line: int, when: str) -> None:
        if tag not in _MAY_STAY_OPEN:
            self.faults.append((line, f"<{tag}> is still open {when}"))

    def _fault(self, reason: str) -> None:
        self.faults.append((self.getpos()[0], reason))

    def _in_foreign(self) -> bool:
        return any(tag in ("svg", "math") for tag, _ in self._open)

    def _note(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += self._links(tag, attrs)
        self.embedded += ((f"{name} of <{tag}>", value or "") for name, value in attrs if name in _EMBEDDING or name.startswith("on"))
        names = [name for name, _ in attrs]
        self.attributes |= set(names)
        if len(set(names)) < len(names):
            self._fault(f"<{tag}> has an attribute twice")

    @staticmethod
    def _links(tag: str, attrs: list[tuple[str, str | None]]) -> Iterator[tuple[str, str, str]]:
        return ((tag, name, (value or "").strip()) for name, value in attrs if name in _URL_ATTRIBUTES)
