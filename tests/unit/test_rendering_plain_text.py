"""An HTML e-mail without a text part of its own still reads well as plain text."""

import html5lib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifykit._messages import Markup, Part
from notifykit.errors import InvalidContentError
from notifykit.rendering import JinjaRenderer
from notifykit.rendering.html_structure import read_structure
from notifykit.rendering.plain_text import html_to_text

CASES = {
    "paragraphs": ("<h1>Hello</h1><p>One\n  two</p><p>Three<br>four</p>", "Hello\n\nOne two\n\nThree\nfour"),
    "inline": ("<p>a <b>b</b><i>c</i> &amp; d&nbsp;e</p>", "a bc & d\xa0e"),
    "divs": ("<div>a</div><div>b<div>c</div></div>d", "a\nb\nc\nd"),
    "list": ("<p>x</p><ul><li>a</li><li>b <b>c</b></li></ul><p>y</p>", "x\n\n- a\n- b c\n\ny"),
    "ordered list": ('<ol start="3"><li>a<li>b</ol>', "3. a\n4. b"),
    "nested list": ("<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>", "- a\n  - b\n- c"),
    "link": ('<p>See <a href="https://a.example/?x=1&amp;y">this</a>.</p>', "See this (https://a.example/?x=1&y)."),
    "link to itself": ('<a href="https://a.example/">https://a.example/</a>', "https://a.example/"),
    "mail link": ('<a href="mailto:a@b.example">a@b.example</a> <a href="mailto:c@d.example">us</a>', "a@b.example us (c@d.example)"),
    "anchor": ('<a href="#top">top</a><a>none</a>', "topnone"),
    "picture": ('<p><img src="x" alt="A chart"> <img src="y"></p>', "A chart"),
    "linked picture": ('<a href="https://a.example/"><img alt="Logo"></a>', "Logo (https://a.example/)"),
    "hidden": ('<div style="display: none">pre</div><p hidden>h</p><style>x{}</style><script>s</script><title>t</title>shown', "shown"),
    "hidden with tags in it": ('<div style="display:none"><p>a<br>b</p><div>c</div></div>d', "d"),
    "rule": ("a<hr>b", "a\n\n" + "-" * 40 + "\n\nb"),
    "quote": ("<blockquote><p>a</p><p>b</p></blockquote>c", "> a\n\n> b\n\nc"),
    "pre": ("<pre>a\n  b\n\nc</pre><p>d</p>", "a\n  b\n\nc\n\nd"),
    "table": (
        "<table><tr><th>Name</th><th>Price</th></tr><tr><td>Tea</td><td>1 <b>EUR</b></td></tr></table>",
        "Name | Price\nTea | 1 EUR",
    ),
    "table of facts": ("<table><tr><th>Name</th><td>Tea</td></tr><tr><th>Price</th><td>1</td></tr></table>", "Name: Tea\nPrice: 1"),
    "table for layout": (
        '<table role="presentation"><tr><td><h1>Hi</h1></td></tr><tr><td><p>a</p></td><td>b</td></tr></table>',
        "Hi\n\na\n\nb",
    ),
    "table in a layout": (
        '<table role="presentation"><tr><td>a<table><tr><td>b</td><td>c</td></tr></table></td></tr></table>',
        "a\n\nb | c",
    ),
    "comment": ("a<!-- b -->c", "ac"),
    "nothing": ("", ""),
}


ODD = ["<![", "<![<p>", "<![endif]>", "<![if !mso]>", "<![ '>", "<![x<p>", "<!x", "<?x", "</", "<a href='", "&#xFFFFFFFF;"]


@pytest.mark.parametrize("odd", ODD)
def test_odd_declarations_stop_neither_the_text_nor_the_check(odd: str) -> None:
    assert html_to_text(f"<p>before</p>{odd}<p>after</p>").startswith("before")
    assert read_structure(f"<p>before</p>{odd}<p>after</p>")


@pytest.mark.parametrize("name", CASES)
def test_it_reads_as_a_person_would_write_it(name: str) -> None:
    html, text = CASES[name]
    assert html_to_text(html) == text


TAGS = [
    "p",
    "div",
    "ul",
    "ol",
    "li",
    "table",
    "tr",
    "td",
    "th",
    "pre",
    "blockquote",
    "a href='x'",
    "b",
    "br",
    "hr",
    "img alt='i'",
    "style",
    "h1",
    "p hidden",
]


@given(
    st.lists(
        st.sampled_from([*(f"<{tag}>" for tag in TAGS), *(f"</{tag.split()[0]}>" for tag in TAGS), "word", " ", "\n", "&lt;", "<!--", "<"])
    )
)
def test_any_html_is_read_without_a_stumble(pieces: list[str]) -> None:
    text = html_to_text("".join(pieces))
    assert "\n\n\n" not in text
    assert text == text.strip("\n")


EMAIL = {"subject": Part(Markup.LINE), "html": Part(Markup.HTML, required=False), "text": Part(Markup.TEXT, required=True)}
FILES = {"t/email.subject.j2": "s", "t/email.html.j2": "<style>p { color: red }</style><p>{{ x }}</p>"}


def test_the_text_part_comes_from_the_html_unless_it_has_a_file() -> None:
    renderer = JinjaRenderer(FILES)
    content = renderer.render("t", "email", EMAIL, {"x": "<a> & b"})
    assert content["text"] == "<a> & b"
    assert list(content.parts) == ["subject", "html", "text"]
    own = JinjaRenderer({**FILES, "t/email.text.j2": "own"})
    assert own.render("t", "email", EMAIL, {"x": 1})["text"] == "own"
    without_html = renderer.render("t", "email", {name: part for name, part in EMAIL.items() if name != "html"}, {"x": "a"})
    assert dict(without_html.parts) == {"subject": "s", "text": "a"}


def test_styles_are_written_into_the_tags_unless_told_otherwise() -> None:
    assert 'style="color: red' in JinjaRenderer(FILES).render("t", "email", EMAIL, {"x": 1})["html"]
    assert JinjaRenderer(FILES, inline_css=False).render("t", "email", EMAIL, {"x": 1})["html"] == FILES["t/email.html.j2"].replace(
        "{{ x }}", "1"
    )


def test_inlining_fetches_nothing_and_keeps_values_escaped() -> None:
    links = '<link rel="stylesheet" href="http://127.0.0.1:1/x.css"><link rel="stylesheet" href="file:///etc/passwd">'
    html = links + '<style>p{color:red}</style><p title="{{ x }}">{{ x }}</p>'
    text = JinjaRenderer({**FILES, "t/email.html.j2": html}).render("t", "email", EMAIL, {"x": '"><script>'})["html"]
    assert "root:" not in text
    assert "127.0.0.1:1/x.css" in text
    tree = html5lib.parse(text, namespaceHTMLElements=False)
    assert [each.tag for each in tree.iter() if each.tag in ("p", "script")] == ["p"]


def test_a_style_sheet_that_cannot_be_read_is_left_to_the_mail_program_or_an_error() -> None:
    broken = JinjaRenderer({**FILES, "t/email.html.j2": "<style>p { color: ; } } {{ '{' }}</style><p>{{ x }}</p>"})
    try:
        assert "<p" in broken.render("t", "email", EMAIL, {"x": 1})["html"]
    except InvalidContentError as error:
        assert error.part == "html"  # noqa: PT017  # either answer is right
