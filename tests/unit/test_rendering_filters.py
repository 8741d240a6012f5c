"""The formatting that templates may ask for, in the markups that have it."""

from collections.abc import Mapping
from typing import Any

import html5lib
import pytest

from notifykit._messages import Markup, Part
from notifykit.errors import RenderError
from notifykit.rendering import JinjaRenderer, html, markdown_v2
from notifykit.rendering.html import HtmlFragment


def render(text: str, markup: Markup, **variables: Any) -> str:
    return JinjaRenderer({"t/k.p.j2": text}, built_in=False).render("t", "k", {"p": Part(markup)}, variables)["p"]


HTML = {
    "bold": "<strong>&lt;a&gt;</strong>",
    "italic": "<em>&lt;a&gt;</em>",
    "underline": "<u>&lt;a&gt;</u>",
    "strike": "<s>&lt;a&gt;</s>",
    "code": "<code>&lt;a&gt;</code>",
    "pre": "<pre>\n&lt;a&gt;</pre>",
    'pre("python")': "<pre>\n&lt;a&gt;</pre>",
    'link("https://a.example/?b&c")': '<a href="https://a.example/?b&amp;c">&lt;a&gt;</a>',
    "bold|italic": "<em><strong>&lt;a&gt;</strong></em>",
    "bold|upper": "<strong>&lt;A&gt;</strong>",
}


@pytest.mark.parametrize("name", HTML)
def test_formats_of_html_wrap_the_escaped_value_and_vanish_when_empty(name: str) -> None:
    assert render(f"A{{{{ x|{name} }}}}Z", Markup.HTML, x="<a>") == f"A{HTML[name]}Z"
    assert render(f"A{{{{ x|{name} }}}}Z", Markup.HTML, x="") == "AZ"
    assert render(f"A{{{{ x|{name} }}}}Z", Markup.HTML, x=None) == "AZ"


def test_links_of_html_do_not_nest() -> None:
    template = "{% filter link('https://a.example/') %}x {{ 'y'|bold|link('https://b.example/?>') }} <a\nhref='#'>z</a>{% endfilter %}"
    assert render(template, Markup.HTML) == '<a href="https://a.example/">x <strong>y</strong> z</a>'


@pytest.mark.parametrize("quote", ["'", '"'])
def test_a_value_cannot_leave_an_attribute(quote: str) -> None:
    for value in ("'\"><script>&amp;", "é'\"><script>&amp;"):
        text = render(f"<p title={quote}{{{{ x }}}}{quote}>a</p>", Markup.HTML, x=value)
        paragraph = html5lib.parse(text, namespaceHTMLElements=False).find("body")[0]
        assert (paragraph.attrib, paragraph.text, len(paragraph)) == ({"title": value}, "a", 0)


@pytest.mark.parametrize("name", [each for each in HTML if not each.startswith("link") and "upper" not in each])
def test_formats_of_plain_text_are_the_text(name: str) -> None:
    assert render(f"A{{{{ x|{name} }}}}Z", Markup.TEXT, x="<a>") == "A<a>Z"


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "JavaScript:alert(1)", "data:text/html,x", "/relative", "java\nscript:x", " javascript:x", "http://", ""]
)
def test_a_link_of_html_goes_to_the_web_or_a_mailbox_only(url: str) -> None:
    text = render("{{ x|link(url) }}", Markup.HTML, x="here", url=url)
    assert "<a" not in text
    assert text.startswith("here")


@pytest.mark.parametrize("url", ["https://a.example", "http://localhost:8000/x", "mailto:a@b.example", "tel:+420123", "HTTPS://A.EXAMPLE"])
def test_a_link_of_html_may_go_there(url: str) -> None:
    assert render("{{ x|link(url) }}", Markup.HTML, x="here", url=url) == f'<a href="{url}">here</a>'


def test_a_link_of_plain_text_is_written_out() -> None:
    assert render('{{ x|link("https://a.example/") }}', Markup.TEXT, x="here") == "here (https://a.example/)"
    assert render('{{ x|link("https://a.example/") }}', Markup.TEXT, x="https://a.example/") == "https://a.example/"
    assert render('A{{ x|link("https://a.example/") }}Z', Markup.TEXT, x="") == "AZ"
    assert render("{{ x|link(none) }}", Markup.TEXT, x="here") == "here"


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("'%s %s'|format(v)", "fewer values"),
        ("'%(a)s'|format(v)", "needs a mapping"),
        ("v|format(1, a=2)", "by place or by name"),
        ("v|replace('', 'a')", "a text to look for"),
        ("v * v", "TypeError"),
        ("v + 1", "TypeError"),
    ],
)
def test_what_cannot_be_done_with_formatted_text_is_said(expression: str, reason: str) -> None:
    with pytest.raises(RenderError, match=reason):
        render(f"{{% set v %}}a{{% endset %}}{{{{ {expression} }}}}", Markup.HTML)


def test_white_space_at_the_ends_of_formatted_text_can_go() -> None:
    template = "{% set v %} <{{ x }}> {% endset %}[{{ v.lstrip() }}][{{ v.rstrip() }}][{{ v.strip() }}][{{ v|trim }}]"
    assert render(template, Markup.HTML, x="&") == "[<&amp;> ][ <&amp;>][<&amp;>][<&amp;>]"


def test_formatted_text_can_be_indented() -> None:
    template = "{% set v %}{{ x }}\nb\n\nc{% endset %}{{ v|indent(2) }}|{{ v|indent('- ', first=true, blank=true) }}|{{ x|indent }}"
    assert render(template, Markup.HTML, x="<") == "&lt;\n  b\n\n  c|- &lt;\n- b\n- \n- c|&lt;"


def test_a_fragment_tells_its_markup_but_not_its_text_when_it_is_shown_to_developers() -> None:
    assert repr(HtmlFragment("hunter2")) == "<html fragment>"


def test_a_filter_of_ones_own_may_be_another_one_for_each_markup() -> None:
    filters = {"mine": {Markup.HTML: html.bold, Markup.MARKDOWN_V2: lambda value: markdown_v2.code(f"<{value}>")}}
    renderer = JinjaRenderer({"t/k.p.j2": "{{ x|mine }}"}, built_in=False, filters=filters)

    def mine(markup: Markup) -> str:
        return renderer.render("t", "k", {"p": Part(markup)}, {"x": "a.b"})["p"]

    assert (mine(Markup.HTML), mine(Markup.MARKDOWN_V2)) == ("<strong>a.b</strong>", "`<a\\.b\\>`")
    with pytest.raises(RenderError, match="no filter of text is named 'mine'"):
        mine(Markup.TEXT)


def test_a_preheader_is_hidden_and_not_in_the_plain_text() -> None:
    parts = {"html": Part(Markup.HTML), "text": Part(Markup.TEXT, required=False)}
    renderer = JinjaRenderer({"t/email.html.j2": "{{ x|preheader }}{{ ''|preheader }}<p>Hello</p>"}, built_in=False)
    content = renderer.render("t", "email", parts, {"x": "Look <inside>"})
    hidden, hello = html5lib.parse(content["html"], namespaceHTMLElements=False).find("body")
    assert hidden.attrib["style"].startswith("display:none")
    assert hidden.text.startswith("Look <inside>")
    assert hello.text == content["text"] == "Hello"


def test_a_source_of_ones_own_needs_two_methods() -> None:
    class Database:
        def paths(self) -> Mapping[str, float]:
            return {"t/k.p.j2": 1.0}

        def read(self, path: str) -> bytes:
            return b"from " + path.encode()

    assert JinjaRenderer(Database()).render("t", "k", {"p": Part(Markup.TEXT)}, {})["p"] == "from t/k.p.j2"
