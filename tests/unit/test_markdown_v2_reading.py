"""Our reading of MarkdownV2, by which texts are measured and cut, against Telegram's own parser."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from telegram_reader import read as telegram_reads

from notifykit.rendering.language import InvalidTextError
from notifykit.rendering.markdown_v2_reading import read
from notifykit.rendering.markdown_v2_validity import check_readable
from tests._examples import several

SYNTAX = [
    *"ab_*[]()~`>|!\n\\ \r\t#+-=.{}\x00\x01\x0b\x0c\x1f\x7f\x85\xa0\u0301\u200b\u200d\u2028\u3000\ufeff\ufdd0é😀",
    *("\\\n", "__", "||", "||\n", "```", "```py\n", "```c++ ", "```\r\n", "](", "a]", "**>", "\n>", ">\n", "![", "[a](", "](a.b)"),
    *("](tg://emoji?id=1)", "](tg://user?id=7)", "](tg://time?unix=1)", "](https://a.example/)"),
]
STYLES = {"*": "Bold", "_": "Italic", "__": "Underline", "~": "Strikethrough", "||": "Spoiler", "`": "Code"}


def styles_as_read(markdown: str) -> list[frozenset[str]]:
    """Return what formats each visible character by our reading: links but by theirs, which drops some of them."""
    reading, found = read(markdown), []
    for char, entities, quote in zip(reading.text, reading.entities, reading.quotes, strict=True):
        styles = {STYLES.get(each.opening, "Pre") for each in entities if each.code or each.opening in STYLES}
        styles |= {"ExpandableBlockQuote" if quote.closing else "BlockQuote"} if quote is not None else set()
        if char.isalnum():
            found.append(frozenset(styles))
    return found


def styles_in_telegram(markdown: str) -> list[frozenset[str]]:
    whole = telegram_reads(markdown)
    styles, place, found = whole.styles(), 0, []
    for char in whole.text:
        if char.isalnum():
            kinds = {"Pre" if each == "PreCode" else each for each in styles[place]}
            found.append(frozenset(kinds & {*STYLES.values(), "Pre", "BlockQuote", "ExpandableBlockQuote"}))
        place += len(char.encode("utf-16-le")) // 2
    return found


@settings(max_examples=several(500), deadline=None)
@given(markdown=st.lists(st.sampled_from(SYNTAX), max_size=14).map("".join))
@example(markdown="[](\\)")
@example(markdown="```\x00\n```")
@example(markdown="```a\xa0\n```")
@example(markdown="````a``````")
@example(markdown="`\n`>")
@example(markdown="`\\\n`>")
@example(markdown="\r>")
@example(markdown="\n\\\n>")
@example(markdown="\\a>")
def test_what_telegram_refuses_is_refused_and_the_rest_read_alike(markdown: str) -> None:
    try:
        wanted = telegram_reads(markdown).text
    except ValueError:
        with pytest.raises(InvalidTextError):
            read(markdown)
    else:
        assert read(markdown).text == wanted
        assert styles_as_read(markdown) == styles_in_telegram(markdown)


REFUSED = [
    "**",
    "||\n||",
    "*a",
    "a_",
    "a.",
    "[a](b",
    "![a](b)",
    ">*a\nb*",
    "`\n`>",
    "a\n\\\n>b*",
    "```a b\n`` c",
    "a\\.b-",
]


@pytest.mark.parametrize("markdown", REFUSED)
def test_what_telegram_refuses_is_an_error_when_it_is_rendered(markdown: str) -> None:
    with pytest.raises((ValueError, AssertionError)):
        assert telegram_reads(markdown).text.strip()
    with pytest.raises(InvalidTextError):
        check_readable(markdown)


@settings(max_examples=several(300), deadline=None)
@given(markdown=st.lists(st.sampled_from(SYNTAX), max_size=14).map("".join))
def test_what_telegram_takes_is_never_an_error(markdown: str) -> None:
    try:
        taken = bool(telegram_reads(markdown).text.strip())
    except ValueError:
        return
    if taken:
        check_readable(markdown)
