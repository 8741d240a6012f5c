"""The renderer: template files and variables in, content out."""

import threading
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from itertools import islice
from typing import Any, TypeAlias

from attrs import evolve
from jinja2 import Template

from notifykit._attachments import Attachment
from notifykit._messages import Content, Lane, Markup, Part
from notifykit.abc import Renderer
from notifykit.errors import ConfigurationError, MissingVariablesError, NotifykitError
from notifykit.rendering.catalogue import Catalogue, Loader
from notifykit.rendering.css import inline_css
from notifykit.rendering.description import Description
from notifykit.rendering.environment import MarkupEnvironment, new_context
from notifykit.rendering.faults import TooLongError, to_render_error
from notifykit.rendering.growth import allow, settle
from notifykit.rendering.language import InvalidTextError
from notifykit.rendering.localization import LOCAL_FILTERS, come_back, go_to
from notifykit.rendering.overflow import carried
from notifykit.rendering.pictures import find_pictures
from notifykit.rendering.plain_text import html_to_text
from notifykit.rendering.plans import LANGUAGES, Loaded, Plan, PlannedPart, guarded
from notifykit.rendering.sources import Source, SourceLike, built_in_templates, to_source
from notifykit.rendering.text import TEXT
from notifykit.rendering.variables import Variables

__all__ = ["JinjaRenderer"]

Filter: TypeAlias = Callable[..., Any]

_COUNTED_TOGETHER = 64
"""Pieces of output that are taken before their length is added up."""


class JinjaRenderer(Renderer):
    """Renders Jinja templates; every value is escaped for the markup of its part.

    Args:
        sources: folders, ``package:NAME/FOLDER``, ``importlib.resources.files(…)`` or mappings of paths to texts; the first
            that has a file wins, and notifykit's own templates come last.
        built_in: whether notifykit's own templates are there.
        auto_reload: look for changed files at every call; for development.
        inline_css: write style sheets into the tags of HTML parts, where css-inline is installed.
        filters: more filters for all templates, by name; or one for each markup. What they return is escaped, unless it is a
            fragment, as ``notifykit.rendering.html.bold(value)`` makes one.
        max_source: bytes of one template file.
        max_output: characters of one rendered part, counted while it is rendered, and of each text or list on the way to it.
        max_steps: rounds of loops and calls of macros in one message.

    Raises:
        ConfigurationError: (at the first use) a folder does not exist.
    """

    def __init__(
        self,
        *sources: SourceLike,
        built_in: bool = True,
        auto_reload: bool = False,
        inline_css: bool = True,
        filters: Mapping[str, Filter | Mapping[Markup, Filter]] | None = None,
        max_source: int = 256 * 1024,
        max_output: int = 1_000_000,
        max_steps: int = 1_000_000,
    ) -> None:
        self._sources: Sequence[Source] = [*map(to_source, sources), *([built_in_templates()] if built_in else [])]
        self._auto_reload = auto_reload
        self._inline_css = inline_css
        self._filters = dict(filters or {})
        self._max_source = max_source
        self._max_output = max_output
        self._max_steps = max_steps
        self._lock = threading.Lock()
        self._now: Loaded | None = None

    @property
    def catalogue(self) -> Catalogue:
        """The files that it renders from, as they are now."""
        return self._load().catalogue

    def kinds(self, template: str) -> frozenset[str]:
        """Return the channel kinds that *template* has files for."""
        return frozenset(kind for kind, _ in self._load().catalogue.pairs(template))

    def templates(self) -> Sequence[str]:
        """Return the names of all templates, sorted."""
        return list(self._load().catalogue.templates)

    def describe(self, template: str) -> Description:
        """Return what the template's ``template.toml`` says; an empty description if there is none.

        Raises: UnknownTemplateError, TemplateSyntaxError.
        """
        return self._load().describe(template)

    def lane(self, template: str) -> Lane:
        """Return the lane that its ``template.toml`` names."""
        return self.describe(template).lane

    def example(self, template: str) -> Mapping[str, Any]:
        """Return the example variables of its ``template.toml``."""
        return self.describe(template).example

    def variables(self, template: str, kind: str, parts: Mapping[str, Part], locale: str | None = None) -> Variables:
        """Return the variables that *template* needs on a channel of this *kind*, and those that it can do without.

        Raises: as :meth:`check`, but for MissingVariablesError.
        """
        return self._load().plan(template, kind, parts, locale).variables

    def check(self, template: str, kind: str, parts: Mapping[str, Part], variables: Mapping[str, Any], locale: str | None = None) -> None:
        """Find what can be known to be wrong before rendering."""
        _check_variables(self._load().plan(template, kind, parts, locale), kind, variables)

    def render(
        self,
        template: str,
        kind: str,
        parts: Mapping[str, Part],
        variables: Mapping[str, Any],
        *,
        locale: str | None = None,
        timezone: str | None = None,
    ) -> Content:
        """Return the content of one notification; every value escaped by the markup of its part."""
        loaded = self._load()
        plan = loaded.plan(template, kind, parts, locale)
        _check_variables(plan, kind, variables)
        pictures: list[Attachment] = []
        values = {**dict.fromkeys(plan.description.optional), **variables}
        rendered: dict[str, str] = {}
        sent: dict[str, tuple[str, ...]] = {}
        budget = allow(self._max_steps, self._max_output)
        try:
            for part in plan.parts:
                place = go_to(locale, timezone, part.locale)
                try:
                    text, pieces = self._part(plan.description, part, values)
                finally:
                    come_back(place)
                rendered[part.name] = text
                if part.declared is not None:
                    sent[part.name] = pieces
                    if part.markup is Markup.HTML and "cid:" in text:
                        pictures += find_pictures(loaded.catalogue, template, kind, text, loaded.catalogue.chain(locale))
        finally:
            settle(budget)
        for name, (declared, overflow) in plan.derived.items():
            text = html_to_text(rendered["html"])
            call = lambda t=text, d=declared, o=overflow: carried(TEXT, t, d.limit, o)  # noqa: E731
            sent[name] = guarded(call, template, name, f"{template}/{kind}.html.j2")
        return _content({name: sent[name] for name in parts if name in sent}, tuple(pictures))

    def _part(self, description: Description, part: PlannedPart, values: dict[str, Any]) -> tuple[str, tuple[str, ...]]:
        """Return the text of a part, and the pieces that are sent of it."""
        wrong: NotifykitError
        try:
            text = part.language.finish(self._run(part.template, values))
            if part.declared is not None and part.declared.check is not None:
                _fits(part.declared.check, text)
            if part.markup is Markup.HTML and self._inline_css:
                text = inline_css(text)
            limit = part.declared.limit if part.declared is not None else None
            return text, ((text,) if limit is None else carried(part.language, text, limit, part.overflow))
        except Exception as error:
            wrong = to_render_error(error, description.name, part.name, part.path)
        raise wrong

    def _run(self, template: Template, values: dict[str, Any]) -> str:
        pieces: list[str] = []
        length = 0
        output = iter(template.root_render_func(new_context(template, values)))
        while some := list(islice(output, _COUNTED_TOGETHER)):
            length += sum(map(len, some))
            if length > self._max_output:
                raise TooLongError(length, self._max_output)
            pieces += some
        return "".join(pieces)

    def _filters_for(self, markup: Markup) -> Mapping[str, Filter]:
        own = {name: each.get(markup) if isinstance(each, Mapping) else each for name, each in self._filters.items()}
        return {**LOCAL_FILTERS, **{name: each for name, each in own.items() if each is not None}}

    def _load(self) -> Loaded:
        now = self._now
        if now is not None and not self._auto_reload:
            return now
        with self._lock:
            listed = [(source, source.paths()) for source in self._sources]
            if self._now is None or self._now.catalogue.sources != listed:
                catalogue = Catalogue(listed)
                loader = Loader(catalogue, self._max_source)
                made = {each: MarkupEnvironment(LANGUAGES[each], loader, self._filters_for(each)) for each in LANGUAGES}
                self._now = Loaded(catalogue, made)
            return self._now


def _fits(check: Callable[[str], object], text: str) -> None:
    """Ask the channel whether a part that has a form of its own is right."""
    try:
        check(text)
    except ConfigurationError as error:
        raise InvalidTextError(error.message) from None


def _check_variables(plan: Plan, kind: str, variables: Mapping[str, Any]) -> None:
    missing = [name for name in plan.variables.required if name not in variables]
    if missing:
        template, names = plan.description.name, tuple(sorted(missing))
        spare = sorted(set(variables) - plan.variables.required - plan.variables.optional)
        near = [f"is {given[0]} meant for {name}?" for name in names if (given := get_close_matches(name, spare, 1, 0.75))]
        raise MissingVariablesError("; ".join([f"{template} on {kind} needs {', '.join(names)}", *near]), template, "", names)


def _content(sent: Mapping[str, tuple[str, ...]], pictures: tuple[Attachment, ...]) -> Content:
    """Put the pieces together: a part that is in one piece stands in each of them."""
    number = max(map(len, sent.values()), default=1)
    if number == 1:
        return Content({part: pieces[0] for part, pieces in sent.items()}, attachments=pictures)
    first, *rest = [
        Content({part: pieces[min(place, len(pieces) - 1)] for part, pieces in sent.items()}, place + 1, total=number)
        for place in range(number)
    ]
    return evolve(first, rest=tuple(rest), attachments=pictures)
