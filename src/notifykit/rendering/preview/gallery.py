"""The gallery's page: every template with sample data, as people will see it, and what the check says of it.

Nothing in the page can run or load: a policy forbids scripts and everything external, mails stand in frames without any
right, and every value is escaped.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import frozen
from jinja2 import Environment, PackageLoader, StrictUndefined

from notifykit._messages import Content, Markup, Part
from notifykit.abc import Renderer
from notifykit.errors import NotifykitError, TemplateSyntaxError
from notifykit.rendering.checking import Finding, Taker, check_templates, jinja_renderer, kinds_of
from notifykit.rendering.pictures import written_in
from notifykit.rendering.preview.looks import Bubble, Card, Letter, Plain, bubble, card, in_scheme, plain
from notifykit.rendering.renderer import JinjaRenderer
from notifykit.rendering.samples import base_variables
from notifykit.rendering.shapes import Shape, find_shapes
from notifykit.rendering.strays import files_of
from notifykit.rendering.variables import Variables

__all__ = ["write_gallery"]

_ZONE = "Europe/Prague"


@frozen
class _Shown:
    """One template on one kind of channel in one locale; ``fault`` says why there is nothing to see."""

    kind: str
    locale: str | None
    letter: Letter | None = None
    bubbles: Sequence[Bubble] = ()
    card: Card | None = None
    plain: Sequence[Plain] = ()
    fault: str = ""


@frozen
class _Section:
    """A template in the gallery."""

    name: str
    anchor: str
    description: str
    lane: str
    shown: Sequence[_Shown]
    findings: Sequence[Finding]
    variables: Sequence[tuple[str, str]]
    made_up: frozenset[str]

    @property
    def kinds(self) -> Sequence[str]:
        return sorted({each.kind for each in self.shown})

    @property
    def locales(self) -> Sequence[str]:
        return sorted({each.locale for each in self.shown if each.locale is not None})


def write_gallery(
    renderer: Renderer, channels: Mapping[str, Taker], out_folder: str | os.PathLike[str], *, templates: Sequence[str] | None = None
) -> Path:
    """Write ``index.html`` into *out_folder*, which is made if need be, and return its path.

    Args:
        renderer: whose templates are shown.
        channels: those that the application has, by name.
        out_folder: where to.
        templates: only these; all of them by default.

    Raises:
        ConfigurationError: it is no JinjaRenderer.
        UnknownTemplateError: one of *templates* is not there.
        OSError: the page cannot be written.
    """
    renderer, kinds = jinja_renderer(renderer), kinds_of(channels)
    findings = check_templates(renderer, channels)
    names = renderer.templates() if templates is None else templates
    sections = [_section(renderer, name, number, kinds, findings) for number, name in enumerate(names, 1)]
    page = _environment().get_template("preview.html.j2").render(sections=sections)
    folder = Path(out_folder)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "index.html"
    path.write_text(page, encoding="utf-8", errors="replace")
    return path


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("notifykit.rendering.preview", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _section(
    renderer: JinjaRenderer, name: str, number: int, kinds: Mapping[str, Mapping[str, Part]], findings: Sequence[Finding]
) -> _Section:
    own = [each for each in findings if each.template == name]
    catalogue = renderer.catalogue
    shapes = find_shapes(catalogue.text(path) for path in files_of(catalogue, name))
    try:
        about = renderer.describe(name)
    except TemplateSyntaxError:
        return _Section(name, f"t{number}", "", "", [], own, [], frozenset())
    shown: list[_Shown] = []
    values: dict[str, Any] = {}
    for kind in sorted(renderer.kinds(name) & set(kinds), key=_order):
        for locale in (None, *catalogue.locales(name)):
            one, used = _show(renderer, name, kind, kinds[kind], locale, about.example, shapes)
            values |= used
            if locale is None or one != _Shown(**{**_facts(shown[-1]), "locale": locale}):
                shown.append(one)
    listed = [(each, str(values[each])) for each in sorted(values)]
    return _Section(name, f"t{number}", about.description, about.lane.value, shown, own, listed, frozenset(values) - set(about.example))


def _order(kind: str) -> tuple[int, str]:
    known = ("email", "telegram", "push")
    return (known.index(kind) if kind in known else len(known), kind)


def _facts(shown: _Shown) -> dict[str, Any]:
    return {name: getattr(shown, name) for name in ("kind", "letter", "bubbles", "card", "plain", "fault")}


def _show(
    renderer: JinjaRenderer,
    template: str,
    kind: str,
    parts: Mapping[str, Part],
    locale: str | None,
    example: Mapping[str, Any],
    shapes: Mapping[str, Shape],
) -> tuple[_Shown, Mapping[str, Any]]:
    """Return what is to be seen, and the variables it was made with."""
    try:
        needed = renderer.variables(template, kind, parts, locale)
        values = base_variables(example, Variables(needed.required, frozenset()), shapes)
        content = renderer.render(template, kind, parts, values, locale=locale, timezone=_ZONE)
    except NotifykitError as error:
        return _Shown(kind, locale, fault=str(error)), {}
    return _look(kind, locale, parts, content), values


def _look(kind: str, locale: str | None, parts: Mapping[str, Part], content: Content) -> _Shown:
    if kind == "email":
        html = written_in(content.get("html") or "", {each.name: each for each in content.attachments})
        letter = Letter(content.get("subject") or "", in_scheme(html, "light"), in_scheme(html, "dark"), content.get("text") or "")
        return _Shown(kind, locale, letter)
    bubbles: list[Bubble] = []
    others: list[Plain] = []
    for piece in content.pieces:
        for part, text in piece.parts.items():
            markup = parts[part].markup
            if kind == "push" and markup is Markup.JSON and (seen := card(text)) is not None:
                return _Shown(kind, locale, card=seen)
            if markup is Markup.MARKDOWN_V2 and (said := bubble(text)) is not None:
                bubbles.append(said)
            else:
                others.append(plain(part, markup, text))
    return _Shown(kind, locale, bubbles=bubbles, plain=others)
