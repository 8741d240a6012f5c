"""What notifykit writes for Telegram, as Telegram's own parser reads it."""

from itertools import product
from unicodedata import normalize

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from telegram_reader import read

from notifykit._messages import Markup, Part
from notifykit.errors import InvalidContentError, RenderError
from notifykit.rendering import JinjaRenderer
from notifykit.rendering.markdown_v2 import SPECIAL, escape_markdown_v2
from tests._examples import several

PARTS = {"text": Part(Markup.MARKDOWN_V2)}

CONTEXTS = {
    "text": ("{{ x }}", None),
    "bold": ("*{{ x }}*", "Bold"),
    "italic": ("_{{ x }}_", "Italic"),
    "underline": ("__{{ x }}__", "Underline"),
    "strike": ("~{{ x }}~", "Strikethrough"),
    "spoiler": ("||{{ x }}||", "Spoiler"),
    "code": ("`{{ x }}`", "Code"),
    "pre": ("```\n{{ x }}```", "Pre"),
    "pre with a language": ("```python\n{{ x }}```", "PreCode"),
    "link text": ("[{{ x }}](https://example.com/)", "TextUrl"),
    "quote": (">{{ x }}", "BlockQuote"),
}
FILTERS = {
    "bold": ("Bold", ""),
    "italic": ("Italic", ""),
    "underline": ("Underline", ""),
    "strike": ("Strikethrough", ""),
    "spoiler": ("Spoiler", ""),
    "code": ("Code", ""),
    "pre": ("Pre", ""),
    'pre("python")': ("PreCode", "python"),
    'link("https://example.com/a_(b)?c=d!")': ("TextUrl", "https://example.com/a_(b)?c=d!"),
    "mention(42)": ("MentionName", "42"),
}

HOSTILE = st.text(st.sampled_from(SPECIAL + "ab\n 1é😀🇨🇿"), max_size=24)
ANY = st.one_of(HOSTILE, st.text(max_size=24), st.text(st.characters(max_codepoint=0x7F), max_size=24))


def shown(value: str) -> str:
    """Return what Telegram would make of the characters of *value* when it sends."""
    text = normalize("NFC", value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace"))
    kept = [char for char in text if char not in "\r\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u030a\u0333\u033f"]
    spaced = [" " if char < " " and char != "\n" else char for char in kept]
    return "".join("\ufffd" if "\ufdd0" <= char <= "\ufdef" else char for char in spaced)


def telegram(template: str, **variables: object) -> str:
    renderer = JinjaRenderer({"t/telegram.text.j2": template}, built_in=False)
    return renderer.render("t", "telegram", PARTS, variables)["text"]


def renderer_of(templates: dict[str, str]) -> JinjaRenderer:
    return JinjaRenderer({f"{name}/telegram.text.j2": text for name, text in templates.items()}, built_in=False)


IN_CONTEXT = renderer_of({name.replace(" ", "-"): f"A{text}Z" if name != "quote" else f"{text}Z" for name, (text, _) in CONTEXTS.items()})
BY_FILTER = renderer_of({str(number): f"A{{{{ x|{name} }}}}Z" for number, name in enumerate(FILTERS)})


def render(renderer: JinjaRenderer, template: str, **variables: object) -> str:
    return renderer.render(template.replace(" ", "-"), "telegram", PARTS, variables)["text"]


@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize("char", SPECIAL)
def test_each_special_character_is_shown_as_itself_in_every_context(char: str, context: str) -> None:
    for value in (char, char * 2, char * 3, f"a{char}", f"{char}a", f"{char} {char}"):
        text = read(render(IN_CONTEXT, context, x=value))
        assert text.text == ("" if context == "quote" else "A") + value + "Z"
        wanted = CONTEXTS[context][1]
        assert [entity[0] for entity in text.entities] == ([wanted] if wanted else [])


@pytest.mark.parametrize("context", CONTEXTS)
def test_every_pair_and_triple_of_special_characters_is_shown_as_itself(context: str) -> None:
    for pair in product(SPECIAL, repeat=2):
        assert read(render(IN_CONTEXT, context, x="".join(pair))).text.removeprefix("A") == "".join(pair) + "Z"
    if context == "text":
        for triple in product(SPECIAL, repeat=3):
            assert read(escape_markdown_v2("".join(triple))).text == "".join(triple)


@pytest.mark.parametrize("context", [context for context in CONTEXTS if context != "quote"])
@settings(max_examples=several(60), deadline=None)
@given(value=ANY)
@example(value="\\")
@example(value="a\\")
@example(value="\ud800")
def test_any_value_is_shown_as_itself_in_every_context(context: str, value: str) -> None:
    wanted = CONTEXTS[context][1]
    text = read(render(IN_CONTEXT, context, x=f"q{value}q"))  # an author's own empty _{{ x }}_ is the author's
    assert text.text == f"Aq{shown(value)}qZ"
    assert [entity[0] for entity in text.entities] == ([wanted] if wanted else [])


@pytest.mark.parametrize("number", range(len(FILTERS)))
@settings(max_examples=several(60), deadline=None)
@given(value=ANY)
@example(value="")
@example(value=" \n")
@example(value="_")
@example(value="\n")
def test_each_filter_formats_any_value_and_nothing_else(number: int, value: str) -> None:
    wanted, fact = list(FILTERS.values())[number]
    text = read(render(BY_FILTER, str(number), x=value))
    assert text.text == f"A{shown(value)}Z"
    if shown(value).strip():
        assert text.entities == ((wanted, shown(value), fact),)
    else:
        assert text.entities == ()


SIMPLE = {"bold": "Bold", "italic": "Italic", "underline": "Underline", "strike": "Strikethrough", "spoiler": "Spoiler"}


@settings(max_examples=several(200), deadline=None)
@given(
    runs=st.lists(st.tuples(st.sampled_from([*SIMPLE, "e", "code", "pre"]), st.sampled_from(["a", "_", "", "é*", "b\n", "`"])), max_size=6)
)
def test_neighbouring_formats_stay_apart(runs: list[tuple[str, str]]) -> None:
    template = "A" + "".join(f"{{{{ x[{place}]|{name} }}}}" for place, (name, _) in enumerate(runs)) + "Z"
    text = read(telegram(template, x=[value for _, value in runs]))
    assert text.text == "A" + "".join(value for _, value in runs) + "Z"
    names = {**SIMPLE, "code": "Code", "pre": "Pre"}
    expected = [frozenset()]
    for name, value in runs:
        expected += [frozenset([names[name]] if name in names and value.strip() else [])] * len(value)
    assert text.styles() == [*expected, frozenset()]


@settings(max_examples=several(200), deadline=None)
@given(names=st.lists(st.sampled_from(list(SIMPLE)), max_size=5), inner=st.lists(st.sampled_from(list(SIMPLE)), max_size=4), value=HOSTILE)
def test_nested_formats_compose(names: list[str], inner: list[str], value: str) -> None:
    template = (
        "{% set part %}u{{ x"
        + "".join(f"|{name}" for name in inner)
        + " }}v{% endset %}A{{ part"
        + "".join(f"|{name}" for name in names)
        + " }}Z"
    )
    text = read(telegram(template, x=f"w{value}w"))
    assert text.text == f"Auw{value}wvZ"
    outer = frozenset(SIMPLE[name] for name in names)
    both = outer | frozenset(SIMPLE[name] for name in inner)
    styles = text.styles()
    assert styles[0] == styles[-1] == frozenset()
    assert styles[1] == styles[-2] == outer
    assert styles[2] == styles[-3] == both
    assert {each for char, each in zip(f"w{value}w", styles[2:-2], strict=False) if not char.isspace()} <= {both}


def test_formatting_inside_code_vanishes_and_links_do_not_nest() -> None:
    assert telegram("{{ x|bold|code }}{{ x|pre|code }}", x="a") == "`a``a`"
    linked = telegram('{{ x|link("https://a.example/")|link("https://b.example/") }}', x="a")
    assert read(linked).entities == (("TextUrl", "a", "https://b.example/"),)


def test_an_authors_own_delimiters_stay_as_they_are_beside_a_filters() -> None:
    text = read(telegram("*_{{ x|underline }}_*__{{ y }}__", x="a", y="b"))
    assert text.styles() == [frozenset({"Bold", "Italic", "Underline"}), frozenset({"Underline"})]


def test_an_escaped_underscore_of_the_author_needs_no_separator() -> None:
    assert telegram("\\_{{ x|italic }}", x="a") == "\\__a_"
    assert read(telegram("\\\\_{{ x|italic }}_", x="a")).text == "\\a"


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost/x",
        "localhost",
        "/relative",
        "javascript:alert(1)",
        "mailto:a@b.example",
        "tel:1",
        "http://",
        "https://a b.example/",
        "http://[",
        "",
    ],
)
def test_a_link_that_telegram_would_drop_is_written_out(url: str) -> None:
    text = read(telegram("{{ x|link(url) }}", x="here", url=url))
    assert text.text == (f"here ({url})" if url else "here")


@settings(max_examples=several(200), deadline=None)
@given(tail=HOSTILE.filter(lambda text: not any(char.isspace() for char in text) and "\\" not in text))
def test_any_url_arrives_as_it_was(tail: str) -> None:
    url = f"https://example.com/{tail}"
    text = read(telegram("{{ x|link(url) }}", x="here", url=url))
    assert text.text == "here"
    assert text.entities[0][2] in {url, f"https://example.com/{tail}"}


@pytest.mark.parametrize(("template", "reason"), [('{{ x|pre("a b") }}', "language"), ('{{ x|mention("x") }}', "number")])
def test_what_a_filter_cannot_take_is_refused_with_the_reason(template: str, reason: str) -> None:
    with pytest.raises(RenderError, match=reason):
        telegram(template, x="a")


def test_an_empty_text_is_an_error_as_it_is_for_telegram() -> None:
    with pytest.raises(InvalidContentError, match="empty"):
        telegram("{{ x }} ", x="")


def test_no_value_can_forge_a_mark() -> None:
    for code in range(0xFDD0, 0xFDF0):
        assert escape_markdown_v2(chr(code)) == "\ufffd"
    forged = "\ufdd0a\ufddf\ufdd7https://evil.example\ufddeb\ufddf"
    assert read(telegram("{{ x }}", x=forged)).entities == ()


def test_a_mark_in_a_template_file_that_is_not_closed_is_an_error() -> None:
    for template in ("\ufdd0a", "a\ufddf"):
        with pytest.raises(InvalidContentError, match="mark"):
            telegram(template)


@pytest.mark.parametrize("plane", range(17))
def test_every_code_point_is_shown_as_itself(plane: int) -> None:
    for start in range(plane << 16, (plane + 1) << 16, 1 << 12):
        value = "x".join(map(chr, range(start, start + (1 << 12))))
        assert read(escape_markdown_v2(value)).text == shown(value)


@settings(max_examples=several(200), deadline=None)
@given(value=ANY, other=ANY)
def test_escaping_a_whole_is_escaping_its_pieces(value: str, other: str) -> None:
    assert read(f"{escape_markdown_v2(value)}A{escape_markdown_v2(other)}").text == f"{shown(value)}A{shown(other)}"
