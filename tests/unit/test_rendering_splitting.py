"""Over-long text: where it is cut, and that the pieces say together what the whole says, as Telegram's own parser reads them."""

import re

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from telegram_reader import Read
from telegram_reader import read as telegram_reads

from notifykit._messages import Content, Markup, Part
from notifykit.errors import ConfigurationError, ContentTooLongError, InvalidContentError, TemplateSyntaxError
from notifykit.rendering import JinjaRenderer
from notifykit.rendering.graphemes import is_boundary
from notifykit.rendering.markdown_v2 import escape_markdown_v2
from notifykit.rendering.markdown_v2_body import MOST_BYTES, MOST_ENTITIES, body, measure
from notifykit.rendering.overflow import MOST_PIECES
from notifykit.rendering.splitting import ELLIPSIS, PlainBody, split, truncate
from tests._examples import several

FAMILY, FLAG, SKIN, HEART = "👨‍👩‍👧", "🇨🇿", "👍🏽", "❤️"

# -- plain text


@pytest.mark.parametrize(
    ("text", "limit", "pieces"),
    [
        ("one two", 7, ["one two"]),
        ("one two", 6, ["one", "two"]),
        ("one two", 3, ["one", "two"]),
        ("aaa\n\nbbb ccc", 10, ["aaa\n\nbbb", "ccc"]),
        ("aaaaaaa\n\nbbb\nccc ddd", 14, ["aaaaaaa", "bbb\nccc ddd"]),
        ("aaaaaa\nbbb ccc ddd", 14, ["aaaaaa\nbbb ccc", "ddd"]),
        ("aaaaaaaa\nbbb ccc ddd", 14, ["aaaaaaaa", "bbb ccc ddd"]),
        ("a bbbbbbbbbb", 8, ["a", "bbbbbbbb", "bb"]),
        ("one \n  \n two", 6, ["one", "two"]),
        ("one\xa0two", 5, ["one\xa0t", "wo"]),
        ("abcdef", 2, ["ab", "cd", "ef"]),
        ("one \u0301two", 4, ["one", " \u0301tw", "o"]),
        (FAMILY * 2, 7, [FAMILY, FAMILY]),
        (FLAG * 3, 3, [FLAG, FLAG, FLAG]),
        (SKIN * 2, 3, [SKIN, SKIN]),
        (HEART * 2, 3, [HEART, HEART]),
        ("e\u0301" * 3, 3, ["e\u0301", "e\u0301", "e\u0301"]),
        ("한글", 1, ["한", "글"]),
        ("\u1112\u1161\u11ab" * 2, 5, ["\u1112\u1161\u11ab"] * 2),
        ("a" + "\u0301" * 9, 4, ["a\u0301\u0301\u0301", "\u0301" * 4, "\u0301" * 2]),
    ],
)
def test_a_text_is_cut_after_a_paragraph_else_a_line_else_a_word_else_a_character(text: str, limit: int, pieces: list[str]) -> None:
    assert list(split(PlainBody(text), limit)) == pieces


@pytest.mark.parametrize(
    ("text", "limit", "short"),
    [
        ("one two", 6, "one…"),
        ("one two", 4, "one…"),
        ("one two", 3, "on…"),
        ("one\n\ntwo three", 10, "one\n\ntwo…"),
        (FAMILY * 2, 9, f"{FAMILY}…"),
    ],
)
def test_a_truncated_text_ends_with_an_ellipsis(text: str, limit: int, short: str) -> None:
    assert truncate(PlainBody(text), limit) == short


@settings(max_examples=several(200), deadline=None)
@given(
    text=st.text(st.sampled_from(["a", "b", " ", "\n", "\u0301", "\u200d", "👩", "\U0001f1e8", "\U0001f3fd", "\xa0", "\t"]), max_size=60),
    limit=st.integers(1, 12),
)
def test_the_pieces_are_the_text_but_for_white_space_at_the_cuts(text: str, limit: int) -> None:
    pieces = list(split(PlainBody(text), limit))
    assert all(0 < len(each) <= limit for each in pieces)
    pattern = r"\s*" + r"\s*".join(map(re.escape, pieces)) + r"\s*"
    assert re.fullmatch(pattern, text)


@pytest.mark.parametrize(
    "cluster",
    [
        FAMILY,
        FLAG,
        SKIN,
        HEART,
        "e\u0301",
        "\r\n",
        "\u1112\u1161\u11ab",
        "\U0001f3f4\U000e0067\U000e007f",
        "\u1100\uac00",
        "\ud800\udc00",
        "ｶﾞ",
    ],
)
def test_what_people_see_as_one_character_has_no_boundary_in_it(cluster: str) -> None:
    text = f"a{cluster}{cluster}b"
    found = {place for place in range(len(text) + 1) if is_boundary(text, place)}
    assert found == {0, 1, 1 + len(cluster), 1 + 2 * len(cluster), len(text)}


# -- MarkdownV2

SIGNS = ["a", "b", "c", " ", " ", "\n", "_", "*", "\\", "`", "|", ">", "é", "😀", FAMILY, FLAG, "e\u0301", "."]
WORDS = st.lists(st.sampled_from(SIGNS), min_size=1, max_size=12).map("".join)


def _wrapped(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(
            st.sampled_from(["bold", "italic", "underline", "strike", "spoiler", 'link("https://a.example/_(x)")', "mention(7)"]), inner
        ).map(lambda both: f"{{% filter {both[0]} %}}{both[1]}{{% endfilter %}}"),
        st.tuples(st.sampled_from(["code", "pre", 'pre("python")']), WORDS).map(lambda both: f"{{{{ {both[1]!r}|{both[0]} }}}}"),
        st.lists(inner, min_size=1, max_size=3).map("".join),
    )


TEMPLATES = st.lists(st.recursive(WORDS.map(lambda word: f"{{{{ {word!r} }}}}"), _wrapped, max_leaves=6), min_size=1, max_size=4).map(
    "".join
)
"""What an author writes with values and filters."""

QUOTES = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(
                [">{}\n", ">{}\n>more {}\n", "**>{}||\n", "**>{}\n>{}||\n", ">{}\n>```\ncode {}\n```\n", "*_x{}\n>{}\ny_ z*\n"]
            ),
            WORDS.map(lambda w: w.replace("\n", "")),
        ).map(lambda both: both[0].replace("{}", escape_markdown_v2(both[1]))),
        WORDS.map(lambda word: escape_markdown_v2(word) + "\n"),
        WORDS.map(lambda word: f"*x{escape_markdown_v2(word)}y*\n"),
    ),
    min_size=1,
    max_size=6,
).map(lambda lines: "a\n" + "".join(lines) + "z")


def is_read(markdown: str) -> bool:
    try:
        return bool(telegram_reads(markdown))
    except ValueError:
        return False


def rendered(template: str) -> str:
    renderer = JinjaRenderer({"t/telegram.text.j2": template}, built_in=False)
    return renderer.render("t", "telegram", {"text": Part(Markup.MARKDOWN_V2)}, {})["text"]


MARKDOWN = st.one_of(TEMPLATES.map(lambda template: rendered(f"x{template}")), QUOTES.filter(is_read))


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def formatted(read: Read) -> list[tuple[str, frozenset[tuple[str, str]]]]:
    """Return each visible character with all that formats it."""
    styles: list[set[tuple[str, str]]] = [set() for _ in range(units(read.text))]
    for (name, start, end), (_, _, fact) in zip(read.spans, read.entities, strict=True):
        for place in range(start, end):
            styles[place].add((name, fact))
    found, place = [], 0
    for char in read.text:
        if not char.isspace():
            found.append((char, frozenset(styles[place])))
        place += units(char)
    return found


def check_split(markdown: str, limit: int) -> list[str]:
    whole = telegram_reads(markdown)
    pieces = list(split(body(markdown), limit))
    reads = [telegram_reads(each) for each in pieces]
    assert all(units(each.text) <= limit for each in reads)
    assert all(each.text.strip() for each in reads)
    assert re.fullmatch(r"\s*" + r"\s*".join(re.escape(each.text) for each in reads) + r"\s*", whole.text)
    assert [each for read in reads for each in formatted(read)] == formatted(whole)
    return pieces


@settings(max_examples=several(300), deadline=None)
@given(template=TEMPLATES, limit=st.integers(8, 40))
def test_the_pieces_of_any_formatted_text_parse_and_say_the_same(template: str, limit: int) -> None:
    check_split(rendered(f"x{template}"), limit)


@settings(max_examples=several(300), deadline=None)
@given(markdown=QUOTES.filter(is_read), limit=st.integers(8, 30))
def test_the_pieces_of_quotations_parse_and_say_the_same(markdown: str, limit: int) -> None:
    check_split(markdown, limit)


@settings(max_examples=several(200), deadline=None)
@given(markdown=MARKDOWN, limit=st.integers(8, 40))
def test_a_truncated_formatted_text_parses_and_is_the_beginning(markdown: str, limit: int) -> None:
    whole = telegram_reads(markdown)
    assume(units(whole.text) > limit)
    short = telegram_reads(truncate(body(markdown), limit))
    assert units(short.text) <= limit
    assert short.text.endswith(ELLIPSIS)
    assert whole.text.startswith(short.text[:-1])
    assert formatted(short)[:-1] == formatted(whole)[: len(formatted(short)) - 1]


@settings(max_examples=several(300), deadline=None)
@given(markdown=MARKDOWN)
def test_a_text_is_read_and_measured_as_telegram_does(markdown: str) -> None:
    whole, ours = telegram_reads(markdown), body(markdown)
    assert ours.text == whole.text
    assert ours.entities() >= len([text for _, text, _ in whole.entities if text.strip()])
    assert telegram_reads(ours.write(0, len(ours.text))).text == whole.text
    assert measure(markdown, units(whole.text)) is None
    excess = measure(markdown, units(whole.text) - 1)
    assert excess is not None
    assert excess.length == units(whole.text)


@pytest.mark.parametrize(
    ("markdown", "limit", "pieces"),
    [
        ("*one two*", 4, ["*one*", "*two*"]),
        ("_one __two three___", 8, ["_one __two__**_", "_**__three__**_"]),
        ("[one two](https://a.example/)", 4, ["[one](https://a.example/)", "[two](https://a.example/)"]),
        ("[ab cd]", 3, ["[ab](ab cd)", "[cd](ab cd)"]),
        ("```python\nx = 1\n    y = 2\n```", 10, ["```python\nx \\= 1```", "```python\n    y \\= 2\n```"]),
        (">one\n>two", 4, [">one", ">two"]),
        ("**>one\n>two||", 4, [">one||", ">two||"]),
        (">one\n**>two", 8, [">one\n**>two"]),
        ("*a\n>b\nccc d*", 8, ["*a\n*>*b*\n*ccc*", "*d*"]),
        ("a\\.b\\.c", 3, ["a\\.b", "\\.c"]),
        ("![👍](tg://emoji?id=5368324170671202286) one", 3, ["![👍](tg://emoji?id=5368324170671202286)", "one"]),
        ("*one* two", 5, ["*one*", "two"]),
        (f"{FAMILY}*{FAMILY}*", 8, [FAMILY, f"*{FAMILY}*"]),
    ],
)
def test_an_entity_that_crosses_a_cut_is_closed_and_reopened(markdown: str, limit: int, pieces: list[str]) -> None:
    assert check_split(markdown, limit) == pieces


def test_a_piece_has_no_more_entities_and_bytes_than_telegram_takes() -> None:
    many = " ".join(["*a*"] * (MOST_ENTITIES + 1))
    assert [len(telegram_reads(each).entities) for each in check_split(many, 4096)] == [MOST_ENTITIES, 1]
    heavy = " ".join([f"[a](https://a.example/{'x' * 2000})"] * 30)
    pieces = check_split(heavy, 4096)
    assert len(pieces) == 2
    assert max(len(each.encode()) for each in pieces) <= MOST_BYTES


# -- what a template's author chooses

TELEGRAM = {"text": Part(Markup.MARKDOWN_V2, limit=20)}


def render(overflow: str, text: str, kind: str = "telegram", parts: dict[str, Part] | None = None, **more: str) -> Content:
    name = next(iter(parts or TELEGRAM))
    files = {f"t/{kind}.{name}.j2": text, **more}
    if overflow:
        files["t/template.toml"] = f"[overflow]\n{kind}.{name} = {overflow!r}"
    return JinjaRenderer(files, built_in=False).render("t", kind, parts or TELEGRAM, {"x": "a.b " * 8, "y": "c"})


def test_what_is_too_long_is_an_error_unless_told_otherwise() -> None:
    for overflow in ("", "error"):
        with pytest.raises(
            ContentTooLongError, match=r"telegram\.text\.j2: the part has 31 characters, and the channel carries 20"
        ) as caught:
            render(overflow, "{{ x }}")
        assert (caught.value.template, caught.value.part, caught.value.length, caught.value.limit) == ("t", "text", 31, 20)
        assert "a.b" not in str(caught.value)


def test_a_split_text_is_a_content_of_several_pieces() -> None:
    content = render("split", "*{{ x }}*")
    assert [(each.number, each["text"]) for each in content.pieces] == [
        (1, "*a\\.b a\\.b a\\.b a\\.b a\\.b*"),
        (2, "*a\\.b a\\.b a\\.b *"),
    ]
    assert [len(each.rest) for each in content.pieces] == [1, 0]


def test_a_truncated_text_is_in_one_piece() -> None:
    (piece,) = render("truncate", "*{{ x }}*").pieces
    assert piece["text"] == "*a\\.b a\\.b a\\.b a\\.b a\\.b…*"


def test_what_fits_is_left_as_it_is_whatever_is_chosen() -> None:
    for overflow in ("", "error", "split", "truncate"):
        assert render(overflow, "_*{{ y }}*_").pieces == (Content({"text": "_*c*_"}),)


def test_a_part_that_is_in_one_piece_stands_in_each() -> None:
    parts = {"body": Part(Markup.TEXT, limit=16), "title": Part(Markup.LINE, limit=9)}
    content = render("split", "{{ x }}", "sms", parts, **{"t/sms.title.j2": "Title"})
    assert [dict(each.parts) for each in content.pieces] == [
        {"body": "a.b a.b a.b a.b", "title": "Title"},
        {"body": "a.b a.b a.b a.b ", "title": "Title"},
    ]


def test_json_is_measured_in_bytes_and_never_cut() -> None:
    parts = {"json": Part(Markup.JSON, limit=12)}
    assert render("", '{"a": "éééé"}', "push", {"json": Part(Markup.JSON, limit=16)})["json"] == '{"a":"éééé"}'
    with pytest.raises(ContentTooLongError, match=r"has 16 bytes, and the channel carries 12$") as caught:
        render("error", '{"a": "éééé"}', "push", parts)
    assert (caught.value.length, caught.value.limit) == (16, 12)
    for overflow in ("split", "truncate"):
        with pytest.raises(TemplateSyntaxError, match=r"push\.json is json, which cannot be cut"):
            render(overflow, '{"a": 1}', "push", parts)


def test_html_is_measured_in_characters_and_never_cut() -> None:
    with pytest.raises(ContentTooLongError):
        render("", "<p>{{ x }}</p>", "email", {"html": Part(Markup.HTML, limit=20)})
    with pytest.raises(TemplateSyntaxError, match="html"):
        render("truncate", "<p>{{ x }}</p>", "email", {"html": Part(Markup.HTML, limit=20)})


def test_a_text_that_is_made_from_html_is_measured_too() -> None:
    parts = {"html": Part(Markup.HTML), "text": Part(Markup.TEXT, limit=20)}
    files = {"t/email.html.j2": "<p>{{ x }}</p>", "t/template.toml": "overflow.email.text = 'truncate'"}
    content = JinjaRenderer(files, built_in=False).render("t", "email", parts, {"x": "a.b " * 8})
    assert content["text"] == "a.b a.b a.b a.b a.b…"


def test_too_many_pieces_are_an_error_and_so_is_what_cannot_be_cut() -> None:
    text = "word " * 4 * MOST_PIECES
    assert len(render("split", text[:-1]).pieces) == MOST_PIECES
    with pytest.raises(ContentTooLongError, match="more than 20 pieces of 20"):
        render("split", f"{text}word word")
    with pytest.raises(ContentTooLongError, match="cannot be cut"):
        render("split", f"[{'a' * 30}](https://a.example/{'x' * MOST_BYTES})")
    with pytest.raises(ContentTooLongError, match="cannot be cut"):
        render("truncate", "ab", "sms", {"text": Part(Markup.TEXT, limit=1)})


def test_nothing_but_white_space_is_one_empty_piece() -> None:
    assert render("split", " " * 30, "sms", {"text": Part(Markup.TEXT, limit=20)}).pieces == (Content({"text": ""}),)


def test_too_many_entities_and_too_many_bytes_are_too_long() -> None:
    parts = {"text": Part(Markup.MARKDOWN_V2, limit=4096)}
    with pytest.raises(ContentTooLongError, match=f"has 101 formatted stretches, and the channel carries {MOST_ENTITIES}"):
        render("", "*a* " * 101, parts=parts)
    with pytest.raises(ContentTooLongError, match=r"bytes, and the channel carries 35,000"):
        render("", f"[a](https://a.example/{'x' * MOST_BYTES})", parts=parts)
    assert len(render("", "\\* " * 1000, parts=parts).pieces) == 1


def test_an_over_long_text_that_telegram_would_refuse_is_invalid() -> None:
    for broken in ("*{{ x }}", ">*{{ x }}\n*"):
        with pytest.raises(InvalidContentError, match=r"is opened .*not closed"):
            render("split", broken)


@pytest.mark.parametrize(
    ("toml", "reason"),
    [
        ('overflow = "split"', "write lines such as"),
        ('overflow.telegram = "split"', "write lines such as"),
        ('overflow."telegram.text" = "split"', "write lines such as"),
        ('overflow.telegram.text = "cut"', "error, split, truncate"),
        ("overflow.telegram.text = ['split']", "write lines such as"),
        ('overflow.telegram.txt = "split"', "names telegram.txt, which the template does not have"),
        ('overflow.telegram.text = "split"\noverflow.telegram.title = "split"', "only one part of telegram"),
    ],
)
def test_a_wrong_choice_is_an_error_before_anything_is_rendered(toml: str, reason: str) -> None:
    files = {"t/telegram.text.j2": "a", "t/telegram.title.j2": "b", "t/template.toml": toml}
    with pytest.raises(TemplateSyntaxError, match=reason):
        JinjaRenderer(files, built_in=False).check("t", "telegram", TELEGRAM, {})


def test_a_choice_for_a_part_that_this_channel_does_not_take_is_left_alone() -> None:
    files = {"t/telegram.text.j2": "a", "t/telegram.title.j2": "b", "t/template.toml": 'overflow.telegram.title = "split"'}
    assert JinjaRenderer(files, built_in=False).render("t", "telegram", TELEGRAM, {}).pieces == (Content({"text": "a"}),)


@pytest.mark.parametrize("limit", [0, -1, 1.5, True, "9"])
def test_a_limit_is_a_number_of_at_least_one(limit: object) -> None:
    with pytest.raises(ConfigurationError):
        Part(Markup.TEXT, limit=limit)  # type: ignore[arg-type]
