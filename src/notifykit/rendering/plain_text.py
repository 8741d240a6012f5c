"""The text of an HTML e-mail for those who read plain text: paragraphs, lists, links and tables stay readable."""

import re

from notifykit.rendering.html_structure import LenientParser

__all__ = ["html_to_text"]

_SILENT = frozenset(("head", "script", "style", "title", "template"))
_BLOCKS = frozenset(
    (
        *("address", "article", "aside", "body", "center", "dd", "div", "dl", "dt", "fieldset", "figcaption", "figure", "footer"),
        *("form", "header", "main", "nav", "section"),
    )
)
_SPACED = frozenset(("p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "blockquote", "pre"))
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_VOID = frozenset(["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"])


def html_to_text(html: str) -> str:
    """Return what *html* says as plain text."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.text()


class _Reader(LenientParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._lines: list[str] = []
        self._line = ""
        self._gap = False
        self._silent: list[str] = []
        self._pre = 0
        self._lists: list[int | None] = []
        self._quotes = 0
        self._links: list[tuple[str, int]] = []
        self._tables: list[bool] = []
        self._cells: list[str] = []

    def text(self) -> str:
        """Return what was read."""
        self._end_line()
        return re.sub(r"\n{3,}", "\n\n", "\n".join(self._lines)).strip("\n")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag not in _VOID and (self._silent or tag in _SILENT or "hidden" in given or _HIDDEN.search(given.get("style", ""))):
            self._silent.append(tag)
        elif not self._silent:
            self._start(tag, given)

    def handle_endtag(self, tag: str) -> None:
        if self._silent:
            if tag in self._silent:
                del self._silent[len(self._silent) - 1 - self._silent[::-1].index(tag) :]
        else:
            self._end(tag)

    def handle_data(self, data: str) -> None:
        if self._silent:
            return
        if self._pre:
            first, *rest = data.split("\n")
            self._line += first
            for line in rest:
                self._end_line(keep=True)
                self._line = line
            return
        words = re.sub(r"[ \t\r\n\f]+", " ", data)
        self._line += words.lstrip(" ") if not self._line or self._line.endswith((" ", "\n")) else words

    def _start(self, tag: str, given: dict[str, str]) -> None:
        if tag == "br":
            self._end_line(keep=True)
        elif tag == "hr":
            self._block(spaced=True)
            self._line = "-" * 40
            self._block(spaced=True)
        elif tag == "img":
            self.handle_data(given.get("alt", ""))
        elif tag == "a":
            self._links.append((given.get("href", ""), len(self._line)))
        elif tag in ("td", "th", "tr", "table"):
            self._start_table(tag, given)
        elif tag == "li":
            self._start_list_entry()
        elif tag in _BLOCKS or tag in _SPACED:
            self._block(spaced=tag in _SPACED and not (tag in ("ul", "ol") and self._lists))
            self._open(tag, given, 1)

    def _end(self, tag: str) -> None:
        if tag == "a" and self._links:
            self._end_link(*self._links.pop())
        elif tag in ("td", "th", "tr", "table"):
            self._end_table(tag)
        elif tag == "li":
            self._end_line()
        elif tag in _BLOCKS or tag in _SPACED:
            self._end_line()
            self._open(tag, {}, -1)
            self._gap |= tag in _SPACED and not self._lists

    def _open(self, tag: str, given: dict[str, str], step: int) -> None:
        """Go one deeper into *tag*, or come back."""
        if tag == "pre":
            self._pre = max(0, self._pre + step)
        elif tag == "blockquote":
            self._quotes = max(0, self._quotes + step)
        elif tag in ("ul", "ol"):
            if step > 0:
                start = given.get("start", "")
                self._lists.append((int(start) if start.isdecimal() else 1) if tag == "ol" else None)
            elif self._lists:
                self._lists.pop()

    def _start_list_entry(self) -> None:
        self._end_line()
        depth = max(0, len(self._lists) - 1)
        number = self._lists[-1] if self._lists else None
        if number is not None:
            self._lists[-1] = number + 1
        self._line = "  " * depth + ("- " if number is None else f"{number}. ")

    def _end_link(self, url: str, start: int) -> None:
        shown = self._line[start:].strip()
        if url and not url.startswith("#") and shown and url.removeprefix("mailto:") != shown:
            self._line = f"{self._line.rstrip()} ({url.removeprefix('mailto:')})"

    # A table of data reads row by row; one for layout (role="presentation", or with tables in it) is as if it were not there.

    def _start_table(self, tag: str, given: dict[str, str]) -> None:
        if tag == "table":
            self._block(spaced=True)
            self._tables.append(given.get("role") not in ("presentation", "none"))
        elif not (self._tables and self._tables[-1]):
            self._end_line()
        elif tag == "tr":
            self._end_line()
            self._cells = []
        elif self._line and self._cells:
            self._line = f"{self._line.rstrip()}{': ' if self._cells == ['th'] and tag == 'td' else ' | '}"

    def _end_table(self, tag: str) -> None:
        data = bool(self._tables and self._tables[-1])
        if tag in ("td", "th") and data:
            self._cells.append(tag)
            return
        self._end_line()
        if tag == "table" and self._tables:
            self._gap = True
            self._tables.pop()

    def _block(self, spaced: bool) -> None:
        self._end_line()
        self._gap |= spaced

    def _end_line(self, keep: bool = False) -> None:
        """Write the line; an empty one only if *keep*."""
        line = self._line if self._pre else self._line.rstrip()
        self._line = ""
        if line.strip(" -") or keep or set(line) == {"-"}:
            if self._gap and self._lines:
                self._lines.append("")
            self._gap = False
            self._lines.append(f"{'> ' * self._quotes}{line}".rstrip())
