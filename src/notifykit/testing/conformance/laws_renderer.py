"""Laws of a renderer: what it says about templates before and when they are rendered."""

from notifykit._messages import Lane, Markup, Part
from notifykit.errors import MissingPartError, MissingVariablesError, RenderError, UnknownTemplateError
from notifykit.testing.conformance._law import renderer_law
from notifykit.testing.conformance._markup_case import MakeRenderer

__all__: list[str] = []

PARTS = {"subject": Part(Markup.LINE), "text": Part(Markup.TEXT), "extra": Part(Markup.TEXT, required=False)}
FILES = {
    "hello/email.subject.j2": "Hello {{ name }}",
    "hello/email.text.j2": "{{ name }} has {{ count }}",
    "hello/sms.text.j2": "Hi {{ name }}",
    "half/email.subject.j2": "Half",
}


@renderer_law
async def kinds_are_those_that_there_are_files_for(make: MakeRenderer) -> None:
    """The kinds of a template are the first words of its files' names."""
    renderer = make(FILES)
    assert renderer.kinds("hello") == {"email", "sms"}
    assert renderer.kinds("half") == {"email"}


@renderer_law
async def an_unknown_template_is_an_error_everywhere(make: MakeRenderer) -> None:
    """Every method raises UnknownTemplateError, which lists the known ones, for a template that is not there."""
    renderer = make(FILES)
    for call in (
        lambda: renderer.kinds("helo"),
        lambda: renderer.lane("helo"),
        lambda: renderer.example("helo"),
        lambda: renderer.check("helo", "email", PARTS, {}),
        lambda: renderer.render("helo", "email", PARTS, {}),
    ):
        try:
            call()
        except UnknownTemplateError as error:
            listed = "hello" in error.known
        else:
            raise AssertionError("no UnknownTemplateError was raised")
        assert listed, "the error does not list the templates that there are"


@renderer_law
async def all_missing_variables_are_named_at_once(make: MakeRenderer) -> None:
    """``check`` names every variable that any part needs and that was not given, before anything is rendered."""
    renderer = make(FILES)
    named: tuple[str, ...] = ()
    try:
        renderer.check("hello", "email", PARTS, {})
    except MissingVariablesError as error:
        named = error.variables
    assert set(named) == {"name", "count"}, f"missing are name and count; the error names {named}"
    renderer.check("hello", "email", PARTS, {"name": "Ada", "count": 3, "more": "is fine"})
    renderer.check("hello", "sms", {"text": Part(Markup.TEXT)}, {"name": "Ada"})


@renderer_law
async def a_missing_part_is_found_before_rendering(make: MakeRenderer) -> None:
    """A part that the channel requires and the template lacks is a MissingPartError; one that is not required is left out."""
    renderer = make(FILES)
    for call in (lambda: renderer.check("half", "email", PARTS, {}), lambda: renderer.render("half", "email", PARTS, {})):
        try:
            call()
        except MissingPartError as error:
            part = error.part
        else:
            raise AssertionError("no MissingPartError was raised")
        assert part in ("text", ""), "the error names another part"
    content = renderer.render("hello", "email", PARTS, {"name": "Ada", "count": 3})
    assert dict(content.parts) == {"subject": "Hello Ada", "text": "Ada has 3"}
    assert content.get("extra") is None


@renderer_law
async def rendering_without_a_variable_is_an_error(make: MakeRenderer) -> None:
    """What ``check`` would have found is a RenderError when it is rendered all the same."""
    try:
        content = make(FILES).render("hello", "email", PARTS, {"name": "Ada"})
    except RenderError:
        return
    raise AssertionError(f"it was rendered: {dict(content.parts)}")


@renderer_law
async def a_template_has_a_lane_and_examples(make: MakeRenderer) -> None:
    """Unless its author says otherwise a template is transactional, and has whatever examples there are."""
    renderer = make(FILES)
    assert renderer.lane("hello") is Lane.TRANSACTIONAL
    assert isinstance(dict(renderer.example("hello")), dict)
