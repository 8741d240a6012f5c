"""MarkdownV2 back to plain text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifykit.channels.telegram.text import plain_text

SPECIAL = r"_*[]()~`>#+-=|{}.!\ "[:-1]


@pytest.mark.parametrize(
    ("markdown", "text"),
    [
        ("", ""),
        ("plain", "plain"),
        (r"1\.5 \- 2 \= \-0\.5\!", "1.5 - 2 = -0.5!"),
        (r"a\\b", r"a\b"),
        ("*bold* _it_ __under__ ~gone~ ||spoiler||", "bold it under gone spoiler"),
        ("*bold _both_*", "bold both"),
        (r"*a\*b*", "a*b"),
        ("`code`", "code"),
        (r"`a\`b\\c`", r"a`b\c"),
        ("`*not bold*`", "*not bold*"),
        ("```python\nx = 1\n```", "x = 1\n"),
        ("```\nx_y*z\n```", "x_y*z\n"),
        ("```a`b```", "a`b"),
        ("[label](https://a.example/b)", "label (https://a.example/b)"),
        (r"[a\]b](https://a.example/\))", "a]b (https://a.example/))"),
        ("[*bold* label](https://a.example)", "bold label (https://a.example)"),
        (r"[https://a\.example](https://a.example)", "https://a.example"),
        ("[Ada](tg://user?id=1)", "Ada"),
        ("![👍](tg://emoji?id=5368324170671202286)", "👍"),
        (">quoted\n>more\nnot", "quoted\nmore\nnot"),
        ("**>folded\n>more||", "folded\nmore"),
        # Broken markup: what has no partner stays.
        ("2*3 = 6", "2*3 = 6"),
        ("snake_case and *bold*", "snake_case and bold"),
        ("a * b * c * d", "a  b  c * d"),
        ("1.5!", "1.5!"),
        ("[no link", "[no link"),
        ("`open", "`open"),
        ("```open", "```open"),
        ("ends in \\", "ends in \\"),
        ("\\é", "\\é"),
        ("🎉 *é* ñ", "🎉 é ñ"),
    ],
)
def test_the_reader_gets_the_text_without_its_markup(markdown: str, text: str) -> None:
    assert plain_text(markdown) == text


@given(st.text())
def test_what_was_escaped_comes_back_as_it_was(text: str) -> None:
    escaped = "".join(f"\\{char}" if char in SPECIAL else char for char in text)
    assert plain_text(escaped) == text


@given(st.text(alphabet="\\`*_~|[]()!>\n aé", max_size=60))
def test_no_text_is_too_odd(text: str) -> None:
    assert len(plain_text(text)) <= 2 * len(text) + 3


def test_a_long_text_full_of_openings_takes_no_time() -> None:
    for opening in ("[", "`", "```", "[a](", "\\", "*_~", "![", "[a\\"):
        plain_text(opening * (35_000 // len(opening)))
