"""Writes the page of the laws anew: ``python tests/kit/laws_page.py``. A test holds the page to what this makes."""

import inspect
import sys
from pathlib import Path

from notifykit.testing.conformance import BUS_LAWS, CHANNEL_LAWS, HTTP_LAWS, LEDGER_LAWS, MARKUP_LAWS, RENDERER_LAWS
from notifykit.testing.conformance._law import lacked, needed, situations
from notifykit.testing.conformance.bus_tests import BOOKS
from notifykit.testing.conformance.channel_tests import CHANNEL_BOOKS
from notifykit.testing.conformance.renderer_tests import RENDERER_BOOKS

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "laws.md"

HEAD = """# Laws

What `notifykit.testing.conformance` holds a plug-in to. Each law is a test of that name in `BusTests`, `ChannelTests`,
`HttpChannelTests` or `RendererTests`, to be selected with `-k`, overridden, or expected to fail; it is also a plain async function in
the mapping that is named above it. The names are public: what is new or changed stands under *Conformance* in the changelog.

This page is made from the laws: `python tests/kit/laws_page.py` writes it anew.
"""
PARTS = (
    ("A bus", "BusTests", BOOKS, (("BUS_LAWS", BUS_LAWS, "test_"), ("LEDGER_LAWS", LEDGER_LAWS, "test_ledger_"))),
    (
        "A channel",
        "ChannelTests",
        CHANNEL_BOOKS,
        (("CHANNEL_LAWS", CHANNEL_LAWS, "test_"), ("HTTP_LAWS", HTTP_LAWS, "test_")),
    ),
    ("A renderer", "RendererTests", RENDERER_BOOKS, (("RENDERER_LAWS", RENDERER_LAWS, "test_"), ("MARKUP_LAWS", MARKUP_LAWS, "test_"))),
)


def page() -> str:
    lines = [HEAD]
    for title, tests, books, mappings in PARTS:
        laws = {law: (name, book, prefix) for book, mapping, prefix in mappings for name, law in mapping.items()}
        lines.append(f"## {title}\n\n`{tests}`: {len(laws)} laws.\n")
        for book in books:
            of_book = [(law, *about) for law, about in laws.items() if law.__module__ == book.__name__]
            first = (inspect.getdoc(book) or "").partition("\n")[0].rstrip(".")
            what = first.partition(": ")[2] or first
            lines.append(f"### {what[0].upper()}{what[1:]}\n\n`{of_book[0][2]}`\n")
            for law, name, _, prefix in of_book:
                lines.append(f"`{prefix.removeprefix('test_')}{name}`\n: {text(law, name)}\n")
    return "\n".join(lines)


def text(law, name: str) -> str:
    told = " ".join((inspect.getdoc(law) or "").split())
    if needed(name):
        told += f" *Trait: {needed(name)}.*"
    if lacked(name):
        told += f" *Without the trait: {lacked(name)}.*"
    if met := [each.name for each in situations().get(name, ())]:
        told += f" *Meets: {', '.join(met)}.*"
    return told


if __name__ == "__main__":
    PAGE.write_text(page())
    sys.stdout.write(f"{PAGE} is written anew\n")
