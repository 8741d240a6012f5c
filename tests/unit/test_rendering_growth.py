"""A template cannot take the machine: loops, macros, widths, numbers and texts on the way have an end, which is an error of its own."""

from decimal import Decimal
from typing import Any

import pytest

from notifykit._messages import Markup, Part
from notifykit.errors import ContentTooLongError, RenderError
from notifykit.rendering import JinjaRenderer

ROUNDS = "its loops and macros go on for too long"
WIDE = "a width is at most 9,999"
LARGE = "a number grows too large"


def render(text: str, markup: Markup = Markup.TEXT, **variables: Any) -> str:
    renderer = JinjaRenderer({"t/k.p.j2": text}, built_in=False, max_output=10_000, max_steps=5_000)
    return renderer.render("t", "k", {"p": Part(markup)}, variables)["p"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{% for a in range(100) %}{% for b in range(100) %}{% endfor %}{% endfor %}", ROUNDS),
        ("{% for a in range(90000) %}{% endfor %}", ROUNDS),
        ("{% for a in range(90000)|map('string') %}{% endfor %}", ROUNDS),
        ("{% for a in range(90000)|select %}{{ loop.index if 0 }}{% endfor %}", ROUNDS),
        ("{% for a in [1, 2] recursive %}{% if loop.depth < 20 %}{{ loop([1, 2]) }}{% endif %}{% endfor %}", ROUNDS),
        ("{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(30) }}", ROUNDS),
        ("{{ 'x'|center(n) }}", WIDE),
        ("{{ 'x'.ljust(n) }}{{ 'x'.rjust(n) }}", WIDE),
        ("{{ 'x'.zfill(n) }}", WIDE),
        ("{{ 'x\ty'.expandtabs(n) }}", WIDE),
        ("{{ (1).to_bytes(n, 'big') }}", WIDE),
        ("{{ 'x'|indent(n, first=true) }}", WIDE),
        ("{{ [1]|batch(n, 0)|list }}", WIDE),
        ("{{ [1]|slice(n)|list }}", WIDE),
        ("{{ 1.5|round(n, 'ceil') }}", WIDE),
        ("{{ '%99999d'|format(1) }}", WIDE),
        ("{{ '%.99999f' % 1.5 }}", WIDE),
        ("{{ '{:>99999}'.format(1) }}", WIDE),
        ("{{ '{:{w}}'.format(1, w=n) }}", WIDE),
        ("{{ '{v:{w}}'.format_map({'v': 1, 'w': n}) }}", WIDE),
        ("{{ '%*d' % (n, 1) }}", "a width stands in the format"),
        ("{{ '%.*f'|format(n, 1.5) }}", "a width stands in the format"),
        ("{{ 2 ** n }}", LARGE),
        ("{% set ns = namespace(v=9) %}{% for a in range(40) %}{% set ns.v = ns.v * ns.v %}{% endfor %}", LARGE),
        ("{{ huge|int }}", LARGE),
    ],
)
def test_what_would_go_on_or_grow_without_end_is_refused(text: str, reason: str) -> None:
    for markup in (Markup.TEXT, Markup.MARKDOWN_V2):
        with pytest.raises(RenderError, match=r"^t/k\.p\.j2(, line 1)?: ") as caught:
            render(text, markup, n=10**9, huge=Decimal("1e999999999"))
        assert reason in str(caught.value)
        assert (caught.value.template, caught.value.part) == ("t", "p")


@pytest.mark.parametrize(
    "text",
    [
        "{% set x = 'x' * n %}",
        "{% set x = n * 'x' %}",
        "{% set x = [1] * n %}",
        "{% set ns = namespace(v='x') %}{% for a in range(40) %}{% set ns.v = ns.v + ns.v %}{% endfor %}",
        "{% set ns = namespace(v='x') %}{% for a in range(40) %}{% set ns.v = ns.v ~ ns.v %}{% endfor %}",
        "{% set ns = namespace(v=[1]) %}{% for a in range(40) %}{% set ns.v = ns.v + ns.v %}{% endfor %}",
        "{% set ns = namespace(v='x') %}{% for a in range(40) %}{% set ns.v %}{{ ns.v }}{{ ns.v }}{% endset %}{% endfor %}",
        "{% macro m(v) %}{{ v * 2 }}{% endmacro %}{% set n = namespace(v='x') %}{% for a in range(40) %}{% set n.v = m(n.v) %}{% endfor %}",
        "{% set x = ('a' * 5000)|replace('a', 'b' * 5000) %}",
        "{% set x = ('a' * 5000).replace('a', 'b' * 5000) %}",
        "{% set v %}{{ 'a' * 5000 }}{% endset %}{% set x = v.replace('a', 'b' * 5000) %}",
        "{% set x = ('a' * 5000)|replace('', 'b' * 5000) %}",
        "{% set x = range(5000)|join('b' * 5000) %}",
        "{% set x = ('b' * 5000).join(['a'] * 5000) %}",
    ],
)
def test_a_text_on_the_way_is_no_longer_than_the_output_may_be(text: str) -> None:
    for markup in (Markup.TEXT, Markup.MARKDOWN_V2):
        with pytest.raises(ContentTooLongError) as caught:
            render(text + "z", markup, n=10**9)
        assert caught.value.limit == 10_000


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("{% for a in range(70) %}{% for b in range(70) %}{% endfor %}{% endfor %}ok", "ok"),
        ("{% for a in [1, [2]] recursive %}{{ a if a is number else loop(a) }}{% endfor %}", "12"),
        ("{% for a in [1, 2, 3]|map('string') %}{{ a }}{{ '' if loop.last else ',' }}{% endfor %}", "1,2,3"),
        ("{% for k, v in {'a': 1}.items() if v %}{{ k }}{{ loop.length }}{% endfor %}", "a1"),
        ("{% for a in [] %}{% else %}none{% endfor %}", "none"),
        ("{{ 'x'|center(5) }}{{ 'x'.ljust(3) }}|{{ '%5.1f'|format(2.25) }}|{{ '{:>4}'.format(7) }}", "  x  x  |  2.2|   7"),
        ("{{ 2 ** 10 }} {{ 3 * 4 }} {{ 'ab' * 2 }} {{ [1] * 2 }} {{ 1.5 * 2 }} {{ 2 ** -1 }} {{ 7 % 4 }}", "1024 12 abab [1, 1] 3.0 0.5 3"),
        ("{{ '100%% of 2026' % () }}{{ '%s 123456' % 'in' }}{{ '12345 {}'.format('x') }}", "100% of 2026in 12345612345 x"),
        (
            "{{ 1234567|int }} {{ '12345'|int }} {{ price|int }} {{ 12345|round }} {{ [1, 2, 3]|batch(2)|list }}",
            "1234567 12345 64250 12345 [[1, 2], [3]]",
        ),
        ("{{ 'aaa'|replace('a', 'bb', 1) }}{{ 'a.b'.replace('.', '') }}", "bbaaab"),
    ],
)
def test_what_is_usual_passes(text: str, shown: str) -> None:
    assert render(text, price=Decimal("64250.50")) == shown


def test_what_one_message_took_is_not_counted_against_the_next_one() -> None:
    renderer = JinjaRenderer({"t/k.p.j2": "{% for a in range(900) %}{% endfor %}x"}, built_in=False, max_steps=1_000)
    for _ in range(3):
        assert renderer.render("t", "k", {"p": Part(Markup.TEXT)}, {})["p"] == "x"
