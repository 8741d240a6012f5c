"""What rendering a template on a channel takes, found out once: files, compiled templates, variables, what is done with long parts."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias, TypeVar

from attrs import define, field, frozen
from jinja2 import Template

from notifykit._messages import Markup, Part
from notifykit.errors import MissingPartError, NotifykitError, TemplateSyntaxError
from notifykit.rendering.catalogue import Catalogue, Loader
from notifykit.rendering.description import Description, parse_description
from notifykit.rendering.environment import MarkupEnvironment
from notifykit.rendering.faults import to_render_error
from notifykit.rendering.html import HTML
from notifykit.rendering.json import JSON
from notifykit.rendering.language import Language
from notifykit.rendering.line import LINE
from notifykit.rendering.markdown_v2 import MARKDOWN_V2
from notifykit.rendering.overflow import Overflow
from notifykit.rendering.text import TEXT
from notifykit.rendering.variables import Variables, find_variables

__all__ = ["LANGUAGES", "Loaded", "Plan", "PlannedPart", "guarded"]

T = TypeVar("T")
_Files: TypeAlias = "dict[str, tuple[Markup, str]]"
_Plans: TypeAlias = "dict[tuple[str, str, str | None], tuple[Mapping[str, Part] | None, Plan | None]]"

LANGUAGES: Mapping[Markup, Language] = {
    Markup.HTML: HTML,
    Markup.TEXT: TEXT,
    Markup.LINE: LINE,
    Markup.MARKDOWN_V2: MARKDOWN_V2,
    Markup.JSON: JSON,
}
_MOST_PLANS = 4096


@frozen
class PlannedPart:
    """One part that is rendered; *declared* is None where only another part is made from it, *locale* is its file's."""

    name: str
    path: str
    markup: Markup
    language: Language
    template: Template
    declared: Part | None
    overflow: Overflow
    locale: str | None = None


@frozen
class Plan:
    """What it takes to render one template on one kind of channel; *derived* are the parts that are made from the HTML."""

    description: Description
    parts: Sequence[PlannedPart]
    derived: Mapping[str, tuple[Part, Overflow]]
    variables: Variables


@define(slots=False)
class Loaded:
    """Everything that is made from the files as they were at one moment."""

    catalogue: Catalogue
    environments: Mapping[Markup, MarkupEnvironment]
    _variables: dict[tuple[Markup, str], Variables] = field(factory=dict)
    _descriptions: dict[str, Description] = field(factory=dict)
    _plans: _Plans = field(factory=dict)

    def plan(self, template: str, kind: str, parts: Mapping[str, Part], locale: str | None) -> Plan:
        """Return the plan, which is made once.

        Raises: UnknownTemplateError, MissingPartError, TemplateSyntaxError, RenderError.
        """
        key = (template, kind, locale if isinstance(locale, str) else None)
        known, plan = self._plans.get(key, (None, None))
        if plan is None or known != parts:
            plan = self._plan(template, kind, self.catalogue.chain(locale), parts)
            if len(self._plans) >= _MOST_PLANS:
                self._plans.clear()
            self._plans[key] = dict(parts), plan
        return plan

    def describe(self, template: str) -> Description:
        """Return what the template's ``template.toml`` says.

        Raises: UnknownTemplateError, TemplateSyntaxError.
        """
        self.catalogue.pairs(template)
        if template not in self._descriptions:
            path = f"{template}/template.toml"
            found = self.catalogue.find(path, ())
            raw = guarded(lambda: found[0].source.read(found[0].path), template, "", path) if found else b""
            self._descriptions[template] = parse_description(template, path, raw)
        return self._descriptions[template]

    def _plan(self, template: str, kind: str, chain: tuple[str, ...], parts: Mapping[str, Part]) -> Plan:
        files, derived = self._files(template, kind, parts)
        description = self.describe(template)
        there = {part for each, part in self.catalogue.pairs(template) if each == kind}.union(derived)
        _check_overflow(description, kind, parts, there)
        overflow = {part: description.overflow.get(f"{kind}.{part}", Overflow.ERROR) for part in parts}
        planned: list[PlannedPart] = []
        found: list[Variables] = []
        for part, (markup, path) in files.items():
            name = Loader.full_name(path, chain)
            environment = self.environments[markup]
            found.append(self._needed(environment, template, part, markup, name))
            compiled = environment.get_template(name)
            over = overflow.get(part, Overflow.ERROR)
            locale = self.catalogue.find(path, chain)[0].locale
            planned.append(PlannedPart(part, path, markup, environment.language, compiled, parts.get(part), over, locale))
        required = frozenset(name for each in found for name in each.required)
        optional = frozenset(name for each in found for name in each.optional)
        variables = Variables(required, optional - required).without(description.optional)
        return Plan(description, planned, {part: (parts[part], overflow[part]) for part in derived}, variables)

    def _files(self, template: str, kind: str, parts: Mapping[str, Part]) -> tuple[_Files, Sequence[str]]:
        """Return markup and path of each part that has files, and the parts that are derived from the HTML."""
        pairs = self.catalogue.pairs(template)
        files = {part: (parts[part].markup, f"{template}/{kind}.{part}.j2") for part in parts if (kind, part) in pairs}
        absent = [part for part in parts if part not in files]
        derived = [part for part in absent if parts[part].markup is Markup.TEXT and (kind, "html") in pairs]
        for part in absent:
            if parts[part].required and part not in derived:
                raise MissingPartError(f"{template} has no file {kind}.{part}.j2, which the channel requires", template, part)
        if kind == "email" and {"html", "text"} <= parts.keys() and files.keys().isdisjoint({"html", "text"}):
            raise MissingPartError(
                f"{template} has neither email.html.j2 nor email.text.j2: a mail needs one of them, or both", template, "text"
            )
        if derived:
            files.setdefault("html", (Markup.HTML, f"{template}/{kind}.html.j2"))
        return files, derived

    def _needed(self, environment: MarkupEnvironment, template: str, part: str, markup: Markup, name: str) -> Variables:
        key = (markup, name)
        if key not in self._variables:
            self._variables[key] = guarded(lambda: find_variables(environment, name), template, part, name.rpartition("|")[2])
        return self._variables[key]


def _check_overflow(description: Description, kind: str, parts: Mapping[str, Part], there: set[str]) -> None:
    """Refuse an ``overflow`` that cannot be: of a part that is not *there* or cannot be cut, or of two parts that are split."""
    path = f"{description.name}/template.toml"
    chosen = {name.partition(".")[2]: each for name, each in description.overflow.items() if name.startswith(f"{kind}.")}
    for part, overflow in chosen.items():
        if part not in there:
            raise TemplateSyntaxError(f"{path}: overflow names {kind}.{part}, which the template does not have", description.name, part)
        if overflow is not Overflow.ERROR and part in parts and LANGUAGES[parts[part].markup].body is None:
            text = f"{path}: {kind}.{part} is {parts[part].markup.value}, which cannot be cut: its overflow is an error"
            raise TemplateSyntaxError(text, description.name, part)
    if list(chosen.values()).count(Overflow.SPLIT) > 1:
        raise TemplateSyntaxError(f"{path}: only one part of {kind} can be split", description.name)


def guarded(call: Callable[[], T], template: str, part: str, file: str) -> T:
    """Return what *call* returns, or raise its error as a RenderError with nothing chained to it."""
    wrong: NotifykitError
    try:
        return call()
    except Exception as error:
        wrong = to_render_error(error, template, part, file)
    raise wrong
