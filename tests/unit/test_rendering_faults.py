"""Whatever goes wrong in a template is a typed error with file and line, and shows no value."""

import pickle
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from notifykit._messages import Markup, Part
from notifykit.errors import ContentTooLongError, InvalidContentError, MissingExtraError, NotifykitError, RenderError, TemplateSyntaxError
from notifykit.rendering import JinjaRenderer

SECRET = "hunter2"


def render(
    text: str, markup: Markup = Markup.TEXT, *, more: dict[str, str] | None = None, options: dict[str, Any] | None = None, **variables: Any
) -> str:
    renderer = JinjaRenderer({"t/k.p.j2": text, **(more or {})}, built_in=False, **(options or {}))
    return renderer.render("t", "k", {"p": Part(markup)}, variables)["p"]


class Hostile:
    def __str__(self) -> str:
        raise ValueError(SECRET)

    def method(self) -> str:
        raise OSError(SECRET)

    @property
    def fact(self) -> str:
        raise KeyError(SECRET)


FAULTS = [
    ("\n{{ x.nothing }}", "line 2: a str has no such attribute or element"),
    ("\n\n{{ {}[x] }}", "line 3: a dict has no such attribute or element"),
    ("{{ x.__class__ }}", "line 1: the sandbox refuses access to Python internals"),
    ("{{ x.__class__.__mro__ }}", "refuses access to Python internals"),
    ("{{ x['__class__'] }}", "refuses access to Python internals"),
    ("{{ x|map(attribute='__class__')|join }}", "refuses access to Python internals"),
    ("{{ '{0.__class__}'.format(x) }}", "refuses access to Python internals"),
    ("{{ '{k.__class__}'.format_map({'k': x}) }}", "refuses access to Python internals"),
    ("{% set v %}{0.__class__}{% endset %}{{ v.format(x) }}", "refuses access to Python internals"),
    ("{{ (x.format).__globals__ }}", "refuses access to Python internals"),
    ("{{ self._TemplateReference__context }}", "refuses access to Python internals"),
    ("{{ xs.append(1) }}", "refuses access to Python internals"),
    ("{{ d.update(a=1) }}", "refuses access to Python internals"),
    ("{{ range(1000000) }}", "OverflowError"),
    ("{{ x + 1 }}", "TypeError"),
    ("{{ 1 / 0 }}", "ZeroDivisionError"),
    ("{{ x|int // 0 }}", "ZeroDivisionError"),
    ("{{ x() }}", "TypeError"),
    ("{{ hostile }}", "ValueError"),
    ("{{ hostile.method() }}", "OSError"),
    ("{{ hostile.fact }}", "KeyError"),
    ("{{ '%d'|format(x) }}", "TypeError"),
    ("{{ '%(a)s %(b)s'|format(a=1) }}", "KeyError"),
    ("{{ x|round }}", "TypeError"),
    ("{% macro m(a) %}{{ a }}{% endmacro %}\n{{ m() }}", "line 1: parameter 'a' was not provided"),
    ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "call each other without end"),
    ("{% include 'a.j2' %}", "call each other without end"),
    ("{% extends x %}", "does not exist"),
    ("{% from 'm.j2' import nothing %}{{ nothing }}", "does not export"),
    ("{% if x is string %}{{ gone.there }}{% endif %}{% set gone = 1 %}", "needs gone"),
    ("{{ hostile.method }}", "a function or a macro cannot be shown; call it with ()"),
    ("{{ x.upper }}", "a function or a macro cannot be shown; call it with ()"),
    ("{{ xs|map('upper') }}", "what a filter such as map gives cannot be shown; go through it with for"),
    ("{% macro m() %}a{% endmacro %}{{ m }}", "a function or a macro cannot be shown; call it with ()"),
    ("{{ plain }}", "an object cannot be shown; show one of its attributes"),
    ("{{ hostile|datetime }}", "a Hostile is no date"),
    ("{{ xs|number }}", "a list is no decimal"),
]


@pytest.mark.parametrize(("text", "reason"), FAULTS, ids=[fault[0] for fault in FAULTS])
@pytest.mark.parametrize("markup", [Markup.TEXT, Markup.HTML, Markup.MARKDOWN_V2], ids=lambda each: each.value)
def test_every_fault_is_a_render_error_with_its_place_and_without_a_value(markup: Markup, text: str, reason: str) -> None:
    more = {"a.j2": "{% include 'b.j2' %}", "b.j2": "{% include 'a.j2' %}", "m.j2": ""}
    with pytest.raises(RenderError) as caught:
        render(text, markup, more=more, x=SECRET, xs=[SECRET], d={SECRET: SECRET}, hostile=Hostile(), plain=object())
    error = caught.value
    assert reason in str(error)
    assert error.template == "t"
    assert error.part == "p" or "needs" in reason
    assert SECRET not in "".join(traceback.format_exception(error))
    assert error.__cause__ is None
    assert error.__context__ is None
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_the_file_and_line_are_those_of_the_innermost_template() -> None:
    with pytest.raises(RenderError, match=r"^_deep\.j2, line 3: ZeroDivisionError"):
        render(
            "{% extends '_base.j2' %}{% block a %}{% include '_deep.j2' %}{% endblock %}",
            more={"_base.j2": "{% block a %}{% endblock %}", "_deep.j2": "\n\n{{ 1 / 0 }}"},
        )
    with pytest.raises(RenderError, match=r"^t/cs/k\.p\.j2, line 2"):
        JinjaRenderer({"t/k.p.j2": "", "t/cs/k.p.j2": "\n{{ 1 / 0 }}"}).render("t", "k", {"p": Part(Markup.TEXT)}, {}, locale="cs")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("{{ x", 1),
        ("\n{% if %}", 2),
        ("\n\n{% endfor %}", 3),
        ("{% nonsense %}", 1),
        ("\n{{ x|nonsense }}", 2),
        ("\n{{ x is nonsense }}", 2),
        ("{% block a %}{% endblock %}\n{% block a %}{% endblock %}", 2),
    ],
)
def test_a_syntax_error_names_file_and_line(text: str, line: int) -> None:
    renderer = JinjaRenderer({"t/k.p.j2": text}, built_in=False)
    for call in (renderer.check, renderer.render):
        with pytest.raises(TemplateSyntaxError, match=rf"t/k\.p\.j2, line {line}: ") as caught:
            call("t", "k", {"p": Part(Markup.TEXT)}, {"x": 1})
        assert (caught.value.line, caught.value.template, caught.value.part) == (line, "t", "p")


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ('{"a": 1,}', 1, "not JSON"),
        ('{\n"a": 1\n"b": 2}', 3, "not JSON"),
        ("", 1, "not JSON"),
        ('{"a": {{ x }}}', 1, "not JSON"),
        ('{"a": 1, "a": 2}', None, "a key stands twice"),
        ('{"a": NaN}', None, "NaN is no JSON"),
        ('{"a": 1e999}', None, "out of range"),
        ("[" * 100_000, None, "nesting too deep"),
    ],
    ids=["comma", "no comma", "empty", "unquoted", "twice", "nan", "infinite", "deep"],
)
def test_bad_json_names_its_line(text: str, line: int | None, reason: str) -> None:
    with pytest.raises(InvalidContentError, match=reason) as caught:
        render(text, Markup.JSON, x=SECRET)
    assert caught.value.line == line
    assert "t/k.p.j2" in str(caught.value)
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_json_comes_out_compact() -> None:
    assert render('{\n  "a" : [ 1, "{{ x }}" ]\n}\n', Markup.JSON, x='é"\n') == '{"a":[1,"é\\"\\n"]}'


def test_output_is_counted_while_it_is_rendered() -> None:
    with pytest.raises(ContentTooLongError, match=r"longer than 1,000 characters") as caught:
        render("{% for a in range(90000) %}{% for b in range(90000) %}{{ a }}{% endfor %}{% endfor %}", options={"max_output": 1000})
    assert (caught.value.limit, caught.value.template, caught.value.part) == (1000, "t", "p")
    assert 1000 < caught.value.length < 1100
    assert render("{{ 'x' * 1000 }}", options={"max_output": 1000}) == "x" * 1000


def test_ones_own_filters_are_there_and_what_they_return_is_escaped() -> None:
    options = {"filters": {"shout": lambda value: f"<{value}>!"}}
    assert render("{{ x|shout }}", Markup.HTML, x="a", options=options) == "&lt;a&gt;!"
    assert render("{{ x|shout }}", Markup.MARKDOWN_V2, x="a", options=options) == "<a\\>\\!"

    def fail(value: object) -> str:
        raise MissingExtraError("pip install it", extra="it")

    with pytest.raises(MissingExtraError):
        render("{{ x|shout }}", x="a", options={"filters": {"shout": fail}})


def test_a_global_of_jinja_that_reaches_out_is_not_there() -> None:
    for name in ("lipsum", "config", "environment", "context"):
        with pytest.raises(NotifykitError, match=f"needs {name}"):
            render(f"{{{{ {name}() }}}}")


def test_rendering_twice_gives_the_same_and_changes_no_value() -> None:
    values = {"xs": [1, {"a": "<"}], "d": {"k": [1]}}
    before = repr(values)
    renderer = JinjaRenderer({"t/k.p.j2": "{% for x in xs %}{{ x }}{% endfor %}{{ d }}{% set xs = [] %}"})
    first: Callable[[], str] = lambda: renderer.render("t", "k", {"p": Part(Markup.HTML)}, values)["p"]  # noqa: E731
    assert first() == first()
    assert repr(values) == before


def test_part_and_kind_names_are_the_channels_own() -> None:
    renderer = JinjaRenderer({"t/sms_gateway.body.j2": "{{ x }}!"})
    assert renderer.kinds("t") == {"sms_gateway"}
    assert renderer.render("t", "sms_gateway", {"body": Part(Markup.TEXT)}, {"x": 1}).parts == {"body": "1!"}
