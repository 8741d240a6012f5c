"""Formats of MarkdownV2 composed in any way: any nesting parses, neighbours stay apart, nothing empty is left."""

from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from attrs import frozen
from hypothesis import example, given, settings
from hypothesis import strategies as st
from telegram_reader import read

from notifykit._messages import Markup, Part
from notifykit.errors import RenderError
from notifykit.rendering import JinjaRenderer, html, markdown_v2, text
from notifykit.rendering.markdown_v2_reading import read as read_ours
from tests._examples import several

PARTS = {"text": Part(Markup.MARKDOWN_V2)}
NAMES = {
    "bold": "Bold",
    "italic": "Italic",
    "underline": "Underline",
    "strike": "Strikethrough",
    "spoiler": "Spoiler",
    "code": "Code",
    "pre": "Pre",
    'pre("c++")': "PreCode",
    "quote": "BlockQuote",
    "quote(true)": "ExpandableBlockQuote",
    'link("https://a.example/_(x)?*")': "TextUrl",
    "mention(7)": "MentionName",
}
FUNCTIONS: dict[str, Callable[[object], markdown_v2.MarkdownV2Fragment]] = {
    "": markdown_v2.MarkdownV2Fragment.escape,
    "bold": markdown_v2.bold,
    "italic": markdown_v2.italic,
    "underline": markdown_v2.underline,
    "strike": markdown_v2.strike,
    "spoiler": markdown_v2.spoiler,
    "code": markdown_v2.code,
    "pre": markdown_v2.pre,
    'pre("c++")': lambda value: markdown_v2.pre(value, "c++"),
    "quote": markdown_v2.quote,
    "quote(true)": lambda value: markdown_v2.quote(value, expandable=True),
    'link("https://a.example/_(x)?*")': lambda value: markdown_v2.link(value, "https://a.example/_(x)?*"),
    "mention(7)": lambda value: markdown_v2.mention(value, 7),
}
CODE = ("Code", "Pre", "PreCode")
GROUPS = {"PreCode": "Pre", "ExpandableBlockQuote": "BlockQuote", "MentionName": "TextUrl"}
"""Kinds that are one to whoever asks whether a format is there already."""


@frozen
class Node:
    """A value in a format, or several pieces in one; no format at all is the empty name."""

    name: str
    inner: "str | tuple[Node, ...]"

    def template(self) -> str:
        if isinstance(self.inner, str):
            return f"{{{{ {self.inner!r}{'|' if self.name else ''}{self.name} }}}}"
        pieces = "".join(each.template() for each in self.inner)
        return f"{{% filter {self.name} %}}{pieces}{{% endfilter %}}" if self.name else pieces

    def fragment(self) -> markdown_v2.MarkdownV2Fragment:
        """Make by functions what the template makes by filters."""
        inner = self.inner if isinstance(self.inner, str) else markdown_v2.MarkdownV2Fragment("").join([e.fragment() for e in self.inner])
        return FUNCTIONS[self.name](inner)

    def markdown(self) -> str:
        return markdown_v2.MARKDOWN_V2.finish(str(self.fragment()))

    def text(self) -> str:
        return self.inner if isinstance(self.inner, str) else "".join(each.text() for each in self.inner)

    def chars(self, around: tuple[str, ...] = ()) -> Iterator[tuple[str, frozenset[str]]]:
        """Yield each character with the formats that it is meant to have."""
        if self.name and self.text().strip() and not _needless(NAMES[self.name], around):
            around = (*around, NAMES[self.name])
        if isinstance(self.inner, str):
            yield from ((char, frozenset(around)) for char in self.inner)
        else:
            for each in self.inner:
                yield from each.chars(around)

    def blocks(self, around: tuple[str, ...] = ()) -> Iterator[str]:
        """Yield each format that is meant to be an entity of its own."""
        if self.name and self.text().strip() and not _needless(NAMES[self.name], around):
            yield NAMES[self.name]
            around = (*around, NAMES[self.name])
        if not isinstance(self.inner, str):
            for each in self.inner:
                yield from each.blocks(around)


def _needless(name: str, around: tuple[str, ...]) -> bool:
    group = GROUPS.get(name, name)
    return any(each in CODE or GROUPS.get(each, each) == group for each in around)


VALUES = st.lists(st.sampled_from(["a", "b", " ", "\n", *"_*[]()~`>#+-=|{}.!\\", "é", "😀", "**>", "||", "__"]), max_size=6).map("".join)
NODES: st.SearchStrategy[Node] = st.recursive(
    st.builds(Node, st.sampled_from(["", *NAMES]), VALUES),
    lambda inner: st.builds(Node, st.sampled_from(["", *NAMES]), st.lists(inner, min_size=1, max_size=4).map(tuple)),
    max_leaves=8,
)


def rendered(template: str, **variables: object) -> str:
    renderer = JinjaRenderer({"t/telegram.text.j2": template}, built_in=False)
    return renderer.render("t", "telegram", PARTS, variables)["text"]


def units(value: str) -> int:
    return len(value.encode("utf-16-le")) // 2


def seen(markdown: str) -> list[tuple[str, frozenset[str]]]:
    shown = read(markdown)
    styles, place, found = shown.styles(), 0, []
    for char in shown.text:
        found.append((char, styles[place]))
        place += units(char)
    return found


def visible(chars: list[tuple[str, frozenset[str]]]) -> list[tuple[str, frozenset[str]]]:
    return [each for each in chars if not each[0].isspace()]


@settings(max_examples=several(150), deadline=None)
@given(nodes=st.lists(NODES, max_size=4).map(tuple))
@example(nodes=(Node("quote", "a"), Node("quote", "b")))
@example(nodes=(Node("quote(true)", (Node("spoiler", "\na"),)), Node("code", "\nb")))
@example(nodes=(Node("", "\n"), Node("quote", "a"), Node("", "\n"), Node("quote", "b"), Node("", "\n\nc")))
def test_any_composition_parses_and_says_what_was_meant(nodes: tuple[Node, ...]) -> None:
    tree = Node("", (Node("", "A"), *nodes, Node("", "Z")))
    markdown = tree.markdown()
    shown = read(markdown)
    assert shown.text.replace("\n", "") == tree.text().replace("\n", "")
    assert visible(seen(markdown)) == visible(list(tree.chars()))
    # neighbours are not one: as many blocks as were meant; a style that a quotation interrupts, or its twin follows, may be more or fewer
    kinds = Counter(kind for kind, _, _ in shown.entities)
    assert {kind: kinds[kind] for kind in ("BlockQuote", "ExpandableBlockQuote")} == {
        kind: [*tree.blocks()].count(kind) for kind in ("BlockQuote", "ExpandableBlockQuote")
    }
    assert read_ours(markdown).text == shown.text


@settings(max_examples=several(10), deadline=None)
@given(node=NODES)
def test_a_template_composes_as_the_functions_do(node: Node) -> None:
    assert rendered(f"A{node.template()}Z") == Node("", (Node("", "A"), node, Node("", "Z"))).markdown()


@settings(max_examples=several(80), deadline=None)
@given(nodes=st.lists(NODES, max_size=3).map(tuple))
def test_a_quotation_is_made_of_whole_lines_and_adds_no_more_lines_than_it_needs(nodes: tuple[Node, ...]) -> None:
    tree = Node("", (Node("", "A\n"), *nodes, Node("", "\nZ")))
    shown = read(tree.markdown())
    written = shown.text.encode("utf-16-le")
    quotes = [(start, end) for kind, start, end in shown.spans if "BlockQuote" in kind]
    for start, end in quotes:
        assert written[2 * start - 2 : 2 * start] == "\n".encode("utf-16-le")
        assert written[2 * end - 2 : 2 * end] == "\n".encode("utf-16-le")
    assert shown.text.count("\n") <= tree.text().count("\n") + 2 * len(quotes)


@pytest.mark.parametrize(
    ("template", "markdown"),
    [
        ("A{{ x|quote }}Z", "A\n>x\n>y\nZ"),
        ("A\n{{ x|quote }}\nZ", "A\n>x\n>y\nZ"),
        ("{{ x|quote }}{{ x|quote }}", ">x\n>y\n**>x\n>y"),
        ("{{ x|quote }}\n\n{{ x|quote }}", ">x\n>y\n\n>x\n>y"),
        ("{{ x|quote(expandable=true) }}z", ">x\n>y||\nz"),
        ("{{ 'x'|spoiler|quote(true) }}", ">||x||||"),
        ("{{ 'x'|quote|bold }}z", "*>x\n*z"),
        ("{{ '\n x\n'|quote }}", "> x"),
        ("{{ ''|quote }}{{ ' \n'|quote }}z", "z"),
        (">mine\n{{ x|quote }}\n>mine again", ">mine\n**>x\n>y\n**>mine again"),
        ("{% filter quote %}*a*\n{{ x }}{% endfilter %}", ">*a*\n>x\n>y"),
        ("{% filter quote %}`a\nb`\n{{ x|pre }}c{% endfilter %}", ">`a\nb`\n>```\nx\ny```c"),
        ("{{ 'a\n'|pre }}{{ 'x'|quote }}", "```\na\n```\n>x"),
        ("{{ 'x'|quote }}{{ '\na'|code }}", ">x\n`\na`"),
        ("```\na{{ x|quote }}{{ x|bold }}```{{ 'z'|quote }}", "```\nax\nyx\ny```\n>z"),
        ("`a\\``{{ 'x'|quote }}", "`a\\``\n>x"),
        ("```py\n`a`\n```{{ 'x'|bold }}", "```py\n`a`\n```*x*"),
    ],
)
def test_a_quotation_fits_itself_in(template: str, markdown: str) -> None:
    written = rendered(template, x="x\ny")
    assert written == markdown
    assert read(written)


def test_fragments_are_made_by_functions_too_and_compose_with_values() -> None:
    made = markdown_v2.bold("1.5") + " & " + markdown_v2.link(markdown_v2.italic("a_b"), "https://a.example/")
    shown = read(rendered("{{ x }}{{ y }}", x=made, y=markdown_v2.quote(markdown_v2.pre("z", "py"), expandable=True)))
    assert shown.text == "1.5 & a_b\nz"
    assert [kind for kind, _, _ in shown.entities] == ["Bold", "TextUrl", "Italic", "ExpandableBlockQuote", "PreCode"]
    assert html.quote(html.bold("<")) == f'<blockquote style="{html._QUOTATION}"><strong>&lt;</strong></blockquote>'
    assert html.quote("a\n<") == f'<blockquote style="{html._QUOTATION}">a<br>\n&lt;</blockquote>'
    assert html.quote(" ") == " "
    assert text.quote("a\n\nb\n") == "> a\n>\n> b"
    assert text.quote("") == ""


@pytest.mark.parametrize("id", [0, -1, 1 << 40, 10**21, "x", "", True, 1.0, None, "７"])
def test_who_cannot_be_a_telegram_user_cannot_be_mentioned(id: object) -> None:
    with pytest.raises(RenderError, match="a Telegram user id, which is a number"):
        rendered("{{ 'a'|mention(id) }}", id=id)


@pytest.mark.parametrize("id", [1, "42", (1 << 40) - 1])
def test_a_telegram_user_is_mentioned(id: object) -> None:
    assert read(rendered("{{ 'a'|mention(id) }}", id=id)).entities == (("MentionName", "a", str(id)),)
