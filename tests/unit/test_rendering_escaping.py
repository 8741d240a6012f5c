"""The law of escaping: whatever a template does with a value, the reader of each markup sees just that value."""

import json
import re
import sys
from collections.abc import Callable
from decimal import Decimal
from enum import Enum
from html import unescape
from html.parser import HTMLParser

import markupsafe
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from telegram_reader import read

from notifykit._messages import Markup, Part
from notifykit._secrets import Secret
from notifykit.errors import RenderError, TemplateSyntaxError
from notifykit.rendering import JinjaRenderer
from notifykit.rendering.html import HtmlFragment
from notifykit.rendering.json import JsonFragment
from notifykit.rendering.line import LineFragment
from notifykit.rendering.markdown_v2 import MarkdownV2Fragment
from notifykit.rendering.text import TextFragment


class _Html(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.text = ""

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_entityref(self, name: str) -> None:
        self.text += unescape(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self.text += unescape(f"&#{name};")

    def forbidden(self, *args: object) -> None:
        raise AssertionError("a value became markup")

    handle_starttag = handle_endtag = handle_comment = handle_decl = unknown_decl = handle_pi = forbidden


def read_html(text: str) -> str:
    reader = _Html()
    reader.feed(text)
    reader.close()
    return reader.text


def read_telegram(text: str) -> str:
    shown = read(text)
    assert not shown.entities
    return shown.text


READERS: dict[Markup, Callable[[str], str]] = {
    Markup.HTML: read_html,
    Markup.TEXT: str,
    Markup.LINE: str,
    Markup.MARKDOWN_V2: read_telegram,
    Markup.JSON: lambda text: json.loads(text)["v"],
}
FRAGMENTS = {
    Markup.HTML: HtmlFragment,
    Markup.TEXT: TextFragment,
    Markup.LINE: LineFragment,
    Markup.MARKDOWN_V2: MarkdownV2Fragment,
    Markup.JSON: JsonFragment,
}
ALL = pytest.mark.parametrize("markup", list(Markup), ids=lambda markup: markup.value)

LITERAL = "<b a='1'>&amp;_*[x](y)~`#+-=|{}.!\\\\"
"""As it stands in a template's expression; ``\\\\`` is one backslash."""
SHOWN = "<b a='1'>&amp;_*[x](y)~`#+-=|{}.!\\"

CONSTRUCTS: dict[str, tuple[str, str]] = {
    "output": ("{{ x }}", "X"),
    "literal": ('{{ "L" }}', "L"),
    "literal of several": ('{{ "L", x }}', "('L', X)"),
    "macro": ("{% macro m(v) %}{{ v }}{% endmacro %}{{ m(x) }}", "X"),
    "macro in a macro": ("{% macro m(v) %}{{ v }}{% endmacro %}{% macro n(v) %}{{ m(v) }}{{ v }}{% endmacro %}{{ n(x) }}", "XX"),
    "macro with a literal default": ('{% macro m(v="L") %}{{ v }}{% endmacro %}{{ m() }}', "L"),
    "macro given a macro": ("{% macro m(v) %}{{ v }}{% endmacro %}{{ m(m(x)) }}", "X"),
    "call": ("{% macro m() %}{{ caller() }}{{ x }}{% endmacro %}{% call m() %}{{ x }}{% endcall %}", "XX"),
    "call with arguments": ("{% macro m() %}{{ caller(x) }}{% endmacro %}{% call(v) m() %}{{ v }}{% endcall %}", "X"),
    "varargs": ("{% macro m() %}{{ varargs[0] }}{{ kwargs.k }}{% endmacro %}{{ m(x, k=x) }}", "XX"),
    "set": ("{% set v = x %}{{ v }}", "X"),
    "set block": ("{% set v %}{{ x }}{% endset %}{{ v }}", "X"),
    "set block with a filter": ("{% set v | trim %}q{{ x }}q{% endset %}{{ v }}", "qXq"),
    "set block twice": ("{% set v %}{{ x }}{% endset %}{% set w %}{{ v }}{{ x }}{% endset %}{{ w }}", "XX"),
    "tilde": ("{{ x ~ x }}", "XX"),
    "tilde with a literal": ('{{ x ~ "L" }}', "XL"),
    "tilde with a fragment": ('{% set v %}{{ x }}{% endset %}{{ v ~ x ~ "L" ~ 1 ~ none }}', "XXL1"),
    "tilde of literals": ('{{ "L" ~ "L" }}', "LL"),
    "tilde in a macro": ('{% macro m(v) %}{{ v ~ "L" }}{% endmacro %}{{ m(x) ~ x }}', "XLX"),
    "plus": ("{% set v %}{{ x }}{% endset %}{{ v + x }}{{ x + v }}", "XXXX"),
    "times": ("{% set v %}{{ x }}{% endset %}{{ v * 2 }}{{ 2 * v }}{{ x * 2 }}", "XXXXXX"),
    "conditional expression": ('{{ x if 1 else "L" }}{{ x if 0 else "L" }}{{ "L" if x is defined }}', "XLL"),
    "conditional of fragments": ("{% set v %}{{ x }}{% endset %}{{ v if 1 else x }}{{ v if 0 else x }}", "XX"),
    "or": ('{{ "" or x }}{{ "" or "L" }}', "XL"),
    "loop": ("{% for v in [x, x] %}{{ v }}{{ loop.index }}{% endfor %}", "X1X2"),
    "loop over a mapping": ("{% for k, v in {x: x}.items() %}{{ k }}{{ v }}{% endfor %}", "XX"),
    "recursive loop": ("{% for v in [[x], x] recursive %}{{ loop(v) if v is not string else v }}{% endfor %}", "XX"),
    "loop helpers": ("{% for v in [1] %}{{ loop.cycle(x) }}{% endfor %}{{ cycler(x).next() }}", "XX"),
    "joiner": ("{% set j = joiner(x) %}{{ j() }}{{ j() }}", "X"),
    "namespace": ("{% set ns = namespace(v=x) %}{% set ns.w = ns.v %}{{ ns.w }}", "X"),
    "with": ("{% with v = x %}{{ v }}{% endwith %}", "X"),
    "if": ("{% if x is string %}{{ x }}{% endif %}", "X"),
    "attribute and element": ("{{ {'k': x}.k }}{{ {'k': x}['k'] }}{{ [x][0] }}", "XXX"),
    "join": ("{{ [x, x]|join }}{{ [x, x]|join('L') }}{{ [x]|join(x) }}", "XXXLXX"),
    "join of fragments": ("{% set v %}{{ x }}{% endset %}{{ [v, x]|join('L') }}{{ [x, 1]|join(v) }}", "XLXXX1"),
    "join by attribute": ("{{ [{'k': x}, {'k': x}]|join('q', attribute='k') }}", "XqX"),
    "join method": ("{% set v %}{{ x }}{% endset %}{{ 'L'.join([x, x]) }}{{ 'L'.join([v, x]) }}{{ v.join([x, x]) }}", "XLXXLXXXX"),
    "replace": ("{{ 'qaq'|replace('a', x) }}{{ 'qaq'.replace('a', x) }}", "qXqqXq"),
    "replace in a fragment": ("{% set v %}qaq{% endset %}{{ v|replace('a', x) }}{{ v.replace('q', x, 1) }}", "qXqXaq"),
    "replace by a fragment": ("{% set v %}{{ x }}{% endset %}{{ 'qa'|replace('a', v) }}{{ 'Lqz'.replace('z', v) }}", "qXLqX"),
    "replace of a value in a fragment": ("{% set v %}q{{ x ~ '!' }}q{% endset %}{{ v|replace(x ~ '!', 'z') }}", "qzq"),
    "format": ("{{ 'q%sq'|format(x) }}{{ 'q%sq' % x }}{{ '%(v)s'|format(v=x) }}", "qXqqXqX"),
    "format of a number": ("{{ '%.2f'|format(-1.5) }}{{ '%+d%%' % 5 }}", "-1.50+5%"),
    "format of a fragment": ("{% set v %}q%s%%q{% endset %}{{ v|format(x) }}{{ v % x }}", "qX%qqX%q"),
    "format with a fragment": ("{% set v %}{{ x }}{% endset %}{{ 'L%s%.1f'|format(v, 2) }}{{ 'L%s' % v }}", "LX2.0LX"),
    "format of a mapping": ("{% set v %}q%(k)s{% endset %}{{ v % {'k': x} }}", "qX"),
    "format method": ("{{ 'q{}{k}'.format(x, k=x) }}{{ '{:>1}'.format(x) if x else '' }}", "qXXX"),
    "format method of a fragment": ("{% set v %}{{ '{}' }}q{% endset %}{{ v.replace('{}', '-') }}", "-q"),
    "format method with a fragment": ("{% set v %}{{ x }}{% endset %}{{ '.{}{{}}{k[0]}{:.1f}'.format(v, 1.25, k=[x]) }}", ".X{}X1.2"),
    "format map": ("{{ '{k}'.format_map({'k': x}) }}", "X"),
    "filter block": ("{% filter trim %}q{{ x }}q{% endfilter %}", "qXq"),
    "filter block that replaces": ("{% filter replace('z', 'L') %}qz{% endfilter %}", "qL"),
    "default": ("{{ nothing|default(x) }}{{ nothing|default('L') }}", "XL"),
    "escape": ("{{ x|e }}{{ x|escape|e }}{{ x|string|e }}", "XXX"),
    "indent": ("{% set v %}{{ x }}{% endset %}{{ 'q'|indent }}{{ v|indent(0) if x.isprintable() else v }}", "qX"),
    "list filters": ("{{ [x]|first }}{{ [x]|last }}{{ [x, x]|unique|list|length }}{{ [x]|map('string')|join }}", "XX1X"),
    "set from a loop": ("{% set v %}{% for w in [x] %}{{ w }}{% endfor %}{% endset %}{{ v }}", "X"),
    "self": ("{% block b %}{{ x }}{% endblock %}{{ self.b() }}", "XX"),
    "import": ("{% import '_macros.j2' as m %}{{ m.shout(x) }}{{ m.loud }}", "XLL"),
    "from import": ("{% from '_macros.j2' import shout, loud %}{{ shout(x) ~ loud }}", "XLL"),
    "import shown": ("{% import '_macros.j2' as m %}{{ m }}", "L"),
    "include": ("{% include '_piece.j2' %}", "XL"),
    "include in a set block": ("{% set v %}{% include '_piece.j2' %}{% endset %}{{ v }}", "XL"),
    "raw": ("{% raw %}q{% endraw %}{{ x }}", "qX"),
}
SHARED = {
    "_macros.j2": '{% macro shout(v) %}{{ v }}{{ "L" }}{% endmacro %}{% set loud %}{{ "L" }}{% endset %}{{ loud }}',
    "_piece.j2": '{{ x }}{{ "L" }}',
    "_base.j2": '{% block a %}{{ x }}{{ "L" }}{% endblock %}{% block b %}{{ x }}{% endblock %}',
}
LAYOUTS = {
    "extends": ("{% extends '_base.j2' %}", "XLX"),
    "super": ("{% extends '_base.j2' %}{% block a %}{{ super() }}{{ x }}{% endblock %}", "XLXX"),
    "super in an expression": ("{% extends '_base.j2' %}{% block a %}{{ super() ~ x }}{% endblock %}", "XLXX"),
    "super of super": ("{% extends '_middle.j2' %}{% block a %}{{ super() }}{{ super.super() }}{% endblock %}", "XLXXLX"),
    "self in a layout": ("{% extends '_base.j2' %}{% block b %}{{ self.a() ~ x }}{% endblock %}", "XLXLX"),
}
SHARED["_middle.j2"] = "{% extends '_base.j2' %}{% block a %}{{ super() }}{{ x }}{% endblock %}"


def _wrapped(markup: Markup, text: str) -> str:
    return f'{{"v": "A{text}Z"}}' if markup is Markup.JSON else f"A{text}Z"


def _literal(text: str) -> str:
    return re.sub("'([^']*L[^']*)'", r'"\1"', text).replace("L", LITERAL)


def _files(markup: Markup) -> dict[str, str]:
    files = {f"c{n}/k.p.j2": _wrapped(markup, _literal(text)) for n, (text, _) in enumerate(CONSTRUCTS.values())}
    files |= {f"l{n}/k.p.j2": text for n, (text, _) in enumerate(LAYOUTS.values())}
    shared = {name: text.replace('"L"', f'"{LITERAL}"') for name, text in SHARED.items()}
    return files | {**shared, "_base.j2": _wrapped(markup, shared["_base.j2"])}


RENDERERS = {markup: JinjaRenderer(_files(markup), built_in=False) for markup in Markup}


def seen(markup: Markup, template: str, x: object) -> str:
    text = RENDERERS[markup].render(template, "k", {"p": Part(markup)}, {"x": x})["p"]
    return READERS[markup](text).removeprefix("A").removesuffix("Z")


def expected(pattern: str, markup: Markup, x: str) -> str:
    shown = seen(markup, "c0", x)
    whole = "".join(shown if char == "X" else SHOWN if char == "L" else char for char in pattern)
    return re.sub(" +", " ", whole) if markup is Markup.LINE else whole


VALUES = st.one_of(
    st.text(st.sampled_from("<>&'\"/_*[]()~`#+-=|{}.!\\ab%\n\r\t\x00\x1b\u2028é{%}")).filter(lambda text: "  " not in text),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.sampled_from(
        ["{{ x }}", "{% if %}", "<script>alert(1)</script>", "&lt;b&gt;", "\\", "\\_", '"}', "*a*", "[a](https://b.c)", "]]>", "%s", "{}"]
    ),
).map(lambda text: " ".join(text.split(" ")))
# joined to itself, "\n…\r" makes one line end of two, as it would in any text
VALUES = VALUES.filter(lambda text: not (text.startswith("\n") and text.endswith("\r")))


@ALL
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_a_value_and_a_literal_are_shown_as_they_are_by_every_construct(markup: Markup, data: st.DataObject) -> None:
    x = data.draw(VALUES)
    for number, (name, (_, pattern)) in enumerate(CONSTRUCTS.items()):
        if name != "literal of several":
            assert seen(markup, f"c{number}", x) == expected(pattern, markup, x), name
    for number, (name, (_, pattern)) in enumerate(LAYOUTS.items()):
        assert seen(markup, f"l{number}", x) == expected(pattern, markup, x), name


@ALL
def test_the_worst_literal_is_shown_as_it_is_by_every_construct(markup: Markup) -> None:
    for number, (name, (_, pattern)) in enumerate(CONSTRUCTS.items()):
        if name != "literal of several":
            assert seen(markup, f"c{number}", SHOWN) == expected(pattern, markup, SHOWN), name


@ALL
@settings(max_examples=60, deadline=None)
@given(value=st.text(st.characters(min_codepoint=0x20, max_codepoint=0x2FF, exclude_categories=["Cc"]), max_size=30))
def test_ordinary_text_is_shown_unchanged(markup: Markup, value: str) -> None:
    wanted = " ".join(value.split(" ")) if markup is not Markup.LINE else None
    if wanted is not None:
        assert seen(markup, "c0", value) == value


@pytest.mark.parametrize("markup", [each for each in Markup if each is not Markup.MARKDOWN_V2])
def test_every_code_point_can_be_encoded_and_stays_text(markup: Markup) -> None:
    for start in range(0, sys.maxunicode + 1, 4096):
        text = FRAGMENTS[markup].escape_text("x".join(map(chr, range(start, start + 4096))))
        text.encode()
        assert READERS[markup](_wrapped(markup, text)).count("x") > 4080  # x and a combining mark may be one


def test_controls_that_a_markup_cannot_carry_are_gone() -> None:
    value = "a\x00b\x1bc\r\nd\u2028e\x85f\ud800g\tz"
    assert TextFragment.escape_text(value) == "abc\nd\ne\nf\ufffdg\tz"
    assert LineFragment.escape_text(value) == "a b c d e f\ufffdg z"
    assert HtmlFragment.escape_text(value + "\ufdd0\U0001ffff") == "abc\nd\u2028ef\ufffdg\tz\ufffd\ufffd"
    assert json.loads(f'"{JsonFragment.escape_text(value)}"') == value.replace("\ud800", "\ufffd")
    assert TextFragment.escape_text("\ud83d\ude00") == "😀"


@ALL
def test_a_fragment_of_one_markup_is_refused_in_another(markup: Markup) -> None:
    for other, fragment in FRAGMENTS.items():
        if other is not markup:
            with pytest.raises(RenderError, match=f"{other.value} cannot go into {markup.value}"):
                seen(markup, "c0", fragment("a"))
    assert seen(markup, "c0", FRAGMENTS[markup]("a")) == "a"


@ALL
def test_safe_html_from_elsewhere_is_taken_as_html_only(markup: Markup) -> None:
    value = markupsafe.Markup("&lt;")
    if markup is Markup.HTML:
        assert seen(markup, "c0", value) == "<"
    else:
        with pytest.raises(RenderError, match="safe HTML"):
            seen(markup, "c0", value)


@ALL
@pytest.mark.parametrize(
    "value", [Secret("hunter2"), b"hunter2", bytearray(b"hunter2"), ["a"]], ids=["secret", "bytes", "bytearray", "list"]
)
def test_a_secret_or_bytes_are_refused_and_not_shown(markup: Markup, value: object) -> None:
    if isinstance(value, list):
        assert seen(markup, "c0", value) == "['a']"
        return
    with pytest.raises(RenderError, match="cannot be shown") as caught:
        seen(markup, "c0", value)
    assert "hunter2" not in str(caught.value)
    assert "***" not in str(caught.value)


class Side(Enum):
    BUY = "<buy>"


@ALL
def test_none_is_empty_an_enum_its_value_and_numbers_are_escaped_too(markup: Markup) -> None:
    assert seen(markup, "c0", None) == ""
    assert seen(markup, "c0", Side.BUY) == "<buy>"
    assert seen(markup, "c0", -1.5) == "-1.5"
    assert seen(markup, "c0", Decimal("-1.50")) == "-1.50"
    assert seen(markup, "c0", True) == "True"


@pytest.mark.parametrize(
    "expression",
    [
        "v[0]",
        "v[1:]",
        "v|title",
        "v|capitalize",
        "v|truncate(3)",
        "v|wordwrap(2)",
        "v|center(20)",
        "v|reverse",
        "v.split('b')",
        "v|trim('b')",
        "v.strip('b')",
    ],
)
@pytest.mark.parametrize("markup", [Markup.HTML, Markup.MARKDOWN_V2, Markup.JSON], ids=lambda markup: markup.value)
def test_formatted_text_cannot_be_cut(markup: Markup, expression: str) -> None:
    renderer = JinjaRenderer({"t/k.p.j2": f"{{% set v %}}{{{{ x }}}}{{% endset %}}{{{{ {expression} }}}}"}, built_in=False)
    with pytest.raises(RenderError, match=r"before it is formatted|white space"):
        renderer.render("t", "k", {"p": Part(markup)}, {"x": "<a.b>cdefgh"})


@ALL
def test_case_changes_leave_syntax_alone(markup: Markup) -> None:
    template = "{% filter upper %}q{{ x }}{% endfilter %}{% filter lower %}Q{{ x }}{% endfilter %}"
    renderer = JinjaRenderer({"t/k.p.j2": _wrapped(markup, template)}, built_in=False)
    text = renderer.render("t", "k", {"p": Part(markup)}, {"x": '<a>&"\\.Ü'})["p"]
    assert READERS[markup](text) == 'AQ<A>&"\\.Üq<a>&"\\.üZ'


@pytest.mark.parametrize("name", ["safe", "urlize", "xmlattr", "forceescape", "pprint", "attr", "striptags", "nonsense"])
@ALL
def test_filters_that_do_not_know_the_markup_do_not_exist(markup: Markup, name: str) -> None:
    for template in (f"{{{{ x|{name} }}}}", f"{{% if x %}}\n{{{{ x|{name} }}}}{{% endif %}}"):
        renderer = JinjaRenderer({"t/k.p.j2": template}, built_in=False)
        with pytest.raises(TemplateSyntaxError, match=rf"k\.p\.j2, line \d: no filter of {markup.value} is named '{name}'"):
            renderer.check("t", "k", {"p": Part(markup)}, {"x": "a"})


@ALL
def test_escaping_cannot_be_turned_off(markup: Markup) -> None:
    renderer = JinjaRenderer({"t/k.p.j2": "{% autoescape false %}{{ x }}{% endautoescape %}"}, built_in=False)
    with pytest.raises(TemplateSyntaxError, match="escaping cannot be turned off"):
        renderer.render("t", "k", {"p": Part(markup)}, {"x": "<"})


@example(value=None)
@given(
    value=st.recursive(st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False), st.lists)
)
def test_tojson_writes_any_value_whole(value: object) -> None:
    renderer = JinjaRenderer({"t/k.p.j2": '{"v": {{ x|tojson }}, "s": "{{ x|tojson|string }}"}'.partition(", ")[0] + "}"}, built_in=False)
    text = renderer.render("t", "k", {"p": Part(Markup.JSON)}, {"x": value})["p"]
    assert json.loads(text)["v"] == json.loads(json.dumps(value).replace("\\ud800", "\\ufffd")) or "\\ud" in json.dumps(value)


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), object(), Secret("a"), {1, 2}], ids=["nan", "inf", "object", "secret", "set"]
)
def test_tojson_refuses_what_json_cannot_say(value: object) -> None:
    renderer = JinjaRenderer({"t/k.p.j2": '{"v": {{ x|tojson }}}'}, built_in=False)
    with pytest.raises(RenderError, match="tojson takes"):
        renderer.render("t", "k", {"p": Part(Markup.JSON)}, {"x": value})


def test_replace_never_cuts_an_escape_sequence() -> None:
    fragment = MarkdownV2Fragment("\\\\_a")  # a backslash, then the author's own underscore
    assert fragment.replace("_", "!") == "\\\\_a"
    assert MarkdownV2Fragment("a\\_b\\_c").replace("_", "!", 1) == "a\\!b\\_c"
    assert HtmlFragment("&amp;amp;").replace("amp;", "") == "&amp;"
    assert HtmlFragment("<b>&lt;</b>").replace("b", "c") == "<b>&lt;</b>"
