"""Which variables a template needs is known before it is rendered: all of them, and no false alarms."""

import pytest

from notifykit._messages import Markup, Part
from notifykit.errors import MissingVariablesError, RenderError, TemplateSyntaxError
from notifykit.rendering import JinjaRenderer

TEXT = {"text": Part(Markup.TEXT)}
SHARED = {
    "_piece.j2": "{{ piece }}",
    "_piece_with_own.j2": "{% set own = 1 %}{{ own }}{{ piece }}",
    "_macros.j2": "{% macro m(a, b=c) %}{{ a }}{{ b }}{% endmacro %}{% set word = given %}",
    "_base.j2": "{{ title }}{% block body %}{{ base_body }}{% endblock %}{% block foot %}{{ foot }}{% endblock %}",
    "_middle.j2": "{% extends '_base.j2' %}{% block body %}{{ middle }}{{ super() }}{% endblock %}",
    "_looping.j2": "{% for each in each_of %}{% block row scoped %}{{ each }}{% endblock %}{% endfor %}",
    "_unscoped.j2": "{% for each in each_of %}{% block row %}{{ each }}{% endblock %}{% endfor %}",
    "_self.j2": "{{ again }}{% include '_other.j2' %}",
    "_other.j2": "{% include '_self.j2' ignore missing %}",
}

CASES = [
    ("{{ a }} {{ b.c }} {{ d['e'] }} {{ f() }}", "a b d f", ""),
    ("plain", "", ""),
    ("{{ range(3)|join }}{{ dict(a=1).a }}{{ namespace().x|default(1) }}", "", ""),
    # guards
    ("{{ a if a is defined else 'x' }}", "", "a"),
    ("{{ a if a is defined and a.b else c }}", "c", "a"),
    ("{% if a is defined %}{{ a }}{% endif %}", "", "a"),
    ("{% if a is not defined %}x{% else %}{{ a }}{% endif %}", "", "a"),
    ("{% if a is undefined %}x{% elif b %}{{ a }}{% else %}{{ a }}{% endif %}", "b", "a"),
    ("{% if a is defined or b %}{{ a }}{% endif %}", "a b", ""),
    ("{% if a is undefined or a.b %}x{% endif %}", "", "a"),
    ("{% if a is defined and b is defined %}{{ a }}{{ b }}{% else %}{{ a }}{% endif %}", "a", "b"),
    ("{% if not (a is defined or b is defined) %}x{% endif %}", "", "a b"),
    ("{{ a|default('x') }}{{ b|d(c) }}", "c", "a b"),
    ("{{ a.b|default('x') }}", "a", ""),
    ("{{ a|default('x')|upper }}{{ a|upper }}", "a", ""),
    ("{% if a is defined %}{{ a }}{% endif %}{{ a }}", "a", ""),
    ("{% if a is number %}{% endif %}", "a", ""),
    # set and scopes
    ("{% set a = b %}{{ a }}", "b", ""),
    ("{% set a %}{{ b }}{% endset %}{{ a }}", "b", ""),
    ("{% set a | replace('c', 'd') %}{{ b }}{% endset %}{{ a }}", "b", ""),
    ("{{ a }}{% set a = 1 %}", "a", ""),
    ("{% set a = a|default(1) %}{{ a }}", "", "a"),
    ("{% if a is not defined %}{% set a = 1 %}{% endif %}{{ a }}", "", "a"),
    ("{% if b %}{% set a = 1 %}{% else %}{% set a = 2 %}{% endif %}{{ a }}", "b", ""),
    ("{% if b %}{% set a = 1 %}{% endif %}{{ a }}", "a b", ""),
    ("{% set a, b = c %}{{ a }}{{ b }}", "c", ""),
    ("{% set ns = namespace(x=a) %}{% set ns.x = b %}{{ ns.x }}", "a b", ""),
    ("{% with a = b, c = 1 %}{{ a }}{{ c }}{% endwith %}{{ c }}", "b c", ""),
    ("{% filter replace(a, b) %}{{ c }}{% endfilter %}", "a b c", ""),
    # loops
    ("{% for x in xs %}{{ x }}{{ loop.index }}{% endfor %}", "xs", ""),
    ("{% for x in xs %}{{ y }}{% else %}{{ z }}{% endfor %}{{ x }}", "xs y z x", ""),
    ("{% for k, v in m.items() if v is defined and w %}{{ k }}{{ v }}{% endfor %}", "m w", ""),
    ("{% for x in xs %}{% set y = x %}{{ y }}{% endfor %}{{ y }}", "xs y", ""),
    ("{% for x in xs recursive %}{{ loop(x.children) }}{% endfor %}", "xs", ""),
    # macros
    ("{% macro m(a, b=c) %}{{ a }}{{ b }}{{ d }}{% endmacro %}{{ m(e) }}", "c d e", ""),
    ("{% macro m(a, b=a) %}{{ varargs }}{{ kwargs }}{{ caller() }}{% endmacro %}{{ m(1) }}", "", ""),
    ("{% macro m() %}{{ caller(1) }}{% endmacro %}{% call(x) m() %}{{ x }}{{ y }}{% endcall %}", "y", ""),
    ("{% macro m(n) %}{{ m(n - 1) if n }}{% endmacro %}{{ m(a) }}", "a", ""),
    # other files
    ("{% include '_piece.j2' %}", "piece", ""),
    ("{% set piece = 1 %}{% include '_piece.j2' %}", "", ""),
    ("{% if piece is defined %}{% include '_piece.j2' %}{% endif %}", "", "piece"),
    ("{% include '_piece_with_own.j2' %}{{ own }}", "own piece", ""),
    ("{% include '_piece.j2' without context %}", "", ""),
    ("{% include ['_gone.j2', '_piece.j2'] %}", "piece", ""),
    ("{% include '_gone.j2' ignore missing %}", "", ""),
    ("{% include name ignore missing %}", "name", ""),
    ("{% import '_macros.j2' as m %}{{ m.m(a) }}", "a", ""),
    ("{% from '_macros.j2' import m as n, word %}{{ n(a) }}{{ word }}", "a", ""),
    ("{% from '_macros.j2' import m with context %}{{ m(a) }}", "a c given", ""),
    ("{% include '_self.j2' %}", "again", ""),
    # layouts
    ("{% extends '_base.j2' %}", "title base_body foot", ""),
    ("{% extends '_base.j2' %}{% block body %}{{ own }}{% endblock %}{{ nowhere }}", "title own foot", ""),
    ("{% extends '_base.j2' %}{% block body %}{{ own }}{{ super() }}{% endblock %}", "title own base_body foot", ""),
    ("{% extends '_middle.j2' %}{% block body %}{{ own }}{{ super() }}{% endblock %}", "title own middle base_body foot", ""),
    ("{% extends '_middle.j2' %}{% block foot %}{% endblock %}", "title middle base_body", ""),
    ("{% extends '_base.j2' %}{% set title = a %}{% block body %}{{ title }}{% endblock %}", "a foot", ""),
    ("{% extends '_base.j2' %}{% block unknown %}{{ never }}{% endblock %}", "title base_body foot", ""),
    ("{% extends '_base.j2' %}{% block body %}{% set q = 1 %}{{ q }}{% endblock %}{% block foot %}{{ q }}{% endblock %}", "title q", ""),
    ("{% extends '_looping.j2' %}{% block row %}{{ each }}{% endblock %}", "each_of", ""),
    ("{% extends '_looping.j2' %}", "each_of", ""),
    ("{% extends '_unscoped.j2' %}", "each_of each", ""),
    ("{% extends '_base.j2' %}{% from '_macros.j2' import m %}{% block body %}{{ m(1) }}{{ self.foot() }}{% endblock %}", "title foot", ""),
]


def renderer(text: str, **more: str) -> JinjaRenderer:
    return JinjaRenderer({"t/k.text.j2": text, **SHARED, **{name.replace("__", "/"): each for name, each in more.items()}}, built_in=False)


@pytest.mark.parametrize(("text", "required", "optional"), CASES, ids=[case[0] for case in CASES])
def test_exactly_the_variables_that_are_needed_are_required(text: str, required: str, optional: str) -> None:
    found = renderer(text).variables("t", "k", TEXT)
    assert found.required == frozenset(required.split())
    assert found.optional == frozenset(optional.split())


@pytest.mark.parametrize("text", [case[0] for case in CASES if not any(each in case[0] for each in ("()", "macro", "without context"))])
def test_what_the_check_lets_pass_never_stumbles_over_an_undefined_variable(text: str) -> None:
    made = renderer(text)
    values = {name: _Anything() for name in made.variables("t", "k", TEXT).required}
    try:
        made.render("t", "k", TEXT, values)
    except RenderError as error:
        reason = str(error)
    else:
        reason = ""
    assert "not defined" not in reason


class _Anything(dict):  # type: ignore[type-arg]
    """Has any element, is any collection of two."""

    def __missing__(self, key: object) -> str:
        return "1"

    def __str__(self) -> str:
        return "1"


def test_all_missing_variables_of_all_parts_are_named_in_one_error() -> None:
    made = JinjaRenderer(
        {"t/k.text.j2": "{{ b }}{{ a }}", "t/k.subject.j2": "{{ c }}{{ a }}", "t/other.text.j2": "{{ d }}"}, built_in=False
    )
    parts = {"subject": Part(Markup.LINE), "text": Part(Markup.TEXT)}
    for call in (made.check, made.render):
        with pytest.raises(MissingVariablesError, match="t on k needs a, b, c") as caught:
            call("t", "k", parts, {"x": 1})
        assert caught.value.variables == ("a", "b", "c")
    with pytest.raises(MissingVariablesError) as caught:
        made.check("t", "k", parts, {"a": 1, "c": None})
    assert caught.value.variables == ("b",)
    made.check("t", "k", parts, {"a": 1, "b": 1, "c": 1, "more": 1})


def test_a_variable_that_the_description_calls_optional_is_none_when_absent() -> None:
    made = renderer("{% if a %}{{ a }}{% else %}without{% endif %}", **{"t__template.toml": 'optional = ["a"]'})
    made.check("t", "k", TEXT, {})
    assert made.render("t", "k", TEXT, {})["text"] == "without"
    assert made.render("t", "k", TEXT, {"a": 1})["text"] == "1"
    assert made.variables("t", "k", TEXT).optional == {"a"}


def test_the_check_compiles_everything_that_is_referred_to() -> None:
    with pytest.raises(TemplateSyntaxError, match=r"_broken\.j2, line 2") as caught:
        renderer("{% include '_broken.j2' %}", **{"_broken.j2": "\n{% if %}"}).check("t", "k", TEXT, {})
    assert caught.value.line == 2
    with pytest.raises(RenderError, match="does not exist"):
        renderer("{% include '_gone.j2' %}").check("t", "k", TEXT, {})
    with pytest.raises(RenderError, match="does not exist"):
        renderer("{% extends '_gone.j2' %}").check("t", "k", TEXT, {})


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("\n{{ x|bolt }}", "t/k.text.j2, line 2: no filter of text is named 'bolt'; did you mean bold?"),
        ("{{ 'x'|spoiler }}", "line 1: no filter of text is named 'spoiler'"),
        ("\n{% include '_peice.j2' %}", "t/k.text.j2, line 2: it refers to '_peice.j2', which does not exist; did you mean '_piece.j2'?"),
        ("{% extends '_bas.j2' %}", "it refers to '_bas.j2', which does not exist; did you mean '_base.j2'?"),
        ("{% from '_macro.j2' import m %}", "did you mean '_macros.j2'?"),
        ("{% import 'quite/other.j2' as m %}", "it refers to 'quite/other.j2', which does not exist"),
        (
            "{% include 't/k.text.j2' %}",
            "it refers to 't/k.text.j2', its own name, which means the next file",
        ),
        ("{{ carrier }}{{ order }}", "t on k needs carrier, order; is carriers meant for carrier?"),
    ],
)
def test_a_misspelt_name_is_answered_with_the_nearest_known_one(text: str, hint: str) -> None:
    with pytest.raises(RenderError) as caught:
        renderer(text, **{"_piece.j2": ""}).check("t", "k", TEXT, {"x": "hunter2", "carriers": "hunter2"})
    assert hint in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_variables_are_found_in_the_file_of_the_locale() -> None:
    made = renderer("{{ a }}", **{"t__cs__k.text.j2": "{{ b }}"})
    assert made.variables("t", "k", TEXT, "cs-CZ").required == {"b"}
    assert made.variables("t", "k", TEXT, "de").required == {"a"}
