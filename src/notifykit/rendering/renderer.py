"""The renderer: template files and variables in, content out."""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

from attrs import define, evolve, field
from jinja2 import Template

from notifykit._messages import Content, Lane, Markup, Part
from notifykit.abc import Renderer
from notifykit.errors import ConfigurationError, MissingPartError, MissingVariablesError, NotifykitError, TemplateSyntaxError
from notifykit.rendering.catalogue import Catalogue, Loader
from notifykit.rendering.css import inline_css
from notifykit.rendering.description import Description, parse_description
from notifykit.rendering.environment import MarkupEnvironment
from notifykit.rendering.faults import TooLongError, to_render_error
from notifykit.rendering.html import HTML
from notifykit.rendering.json import JSON
from notifykit.rendering.language import InvalidTextError, Language
from notifykit.rendering.line import LINE
from notifykit.rendering.localization import LOCAL_FILTERS, in_place
from notifykit.rendering.markdown_v2 import MARKDOWN_V2
from notifykit.rendering.overflow import Overflow, carried
from notifykit.rendering.plain_text import html_to_text
from notifykit.rendering.sources import Source, SourceLike, built_in_templates, to_source
from notifykit.rendering.text import TEXT
from notifykit.rendering.variables import Variables, find_variables

__all__ = ["JinjaRenderer"]

T = TypeVar("T")
_Files: TypeAlias = "dict[str, tuple[Markup, str]]"

LANGUAGES: Mapping[Markup, Language] = {
    Markup.HTML: HTML,
    Markup.TEXT: TEXT,
    Markup.LINE: LINE,
    Markup.MARKDOWN_V2: MARKDOWN_V2,
    Markup.JSON: JSON,
}


@define(slots=False)
class _Loaded:
    """Everything that is made from the files as they were at one moment."""

    catalogue: Catalogue
    environments: Mapping[Markup, MarkupEnvironment]
    variables: dict[tuple[Markup, str], Variables] = field(factory=dict)
    descriptions: dict[str, Description] = field(factory=dict)


class JinjaRenderer(Renderer):
    """Renders Jinja templates; every value is escaped for the markup of its part.

    Args:
        sources: folders, ``package:NAME/FOLDER``, ``importlib.resources.files(…)`` or mappings of paths to texts; the first
            that has a file wins, and notifykit's own templates come last.
        built_in: whether notifykit's own templates are there.
        auto_reload: look for changed files at every call; for development.
        inline_css: write style sheets into the tags of HTML parts, where css-inline is installed.
        filters: more filters for all templates, by name; what they return is escaped.
        max_source: bytes of one template file.
        max_output: characters of one rendered part, counted while it is rendered.

    Raises:
        ConfigurationError: (at the first use) a folder does not exist.
    """

    def __init__(
        self,
        *sources: SourceLike,
        built_in: bool = True,
        auto_reload: bool = False,
        inline_css: bool = True,
        filters: Mapping[str, Callable[..., Any]] | None = None,
        max_source: int = 256 * 1024,
        max_output: int = 1_000_000,
    ) -> None:
        self._sources: Sequence[Source] = [*map(to_source, sources), *([built_in_templates()] if built_in else [])]
        self._auto_reload = auto_reload
        self._inline_css = inline_css
        self._filters = dict(filters or {})
        self._max_source = max_source
        self._max_output = max_output
        self._lock = threading.Lock()
        self._now: _Loaded | None = None

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
        loaded = self._load()
        loaded.catalogue.pairs(template)
        return self._description(loaded, template)

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
        loaded = self._load()
        chain = loaded.catalogue.chain(locale)
        files, derived = self._files(loaded, template, kind, parts)
        there = {part for each, part in loaded.catalogue.pairs(template) if each == kind}.union(derived)
        _check_overflow(self._description(loaded, template), kind, parts, there)
        found = [self._variables(loaded, template, part, markup, Loader.full_name(path, chain)) for part, (markup, path) in files.items()]
        required = frozenset(name for each in found for name in each.required)
        optional = frozenset(name for each in found for name in each.optional)
        return Variables(required, optional - required).without(self._description(loaded, template).optional)

    def check(self, template: str, kind: str, parts: Mapping[str, Part], variables: Mapping[str, Any], locale: str | None = None) -> None:
        """Find what can be known to be wrong before rendering."""
        missing = sorted(name for name in self.variables(template, kind, parts, locale).required if name not in variables)
        if missing:
            raise MissingVariablesError(f"{template} on {kind} needs {', '.join(missing)}", template, "", tuple(missing))

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
        self.check(template, kind, parts, variables, locale)
        loaded = self._load()
        chain = loaded.catalogue.chain(locale)
        files, derived = self._files(loaded, template, kind, parts)
        description = self._description(loaded, template)
        values = dict.fromkeys(description.optional) | dict(variables)
        rendered: dict[str, str] = {}
        with in_place(locale, timezone):
            for part, (markup, path) in files.items():
                check = parts[part].check if part in parts else None
                rendered[part] = self._part(loaded, template, part, markup, Loader.full_name(path, chain), values, check)
        for part in derived:
            rendered[part] = html_to_text(rendered["html"])
        sent = {part: _carried(description, kind, part, parts[part], rendered[part]) for part in parts if part in rendered}
        return _content(sent)

    def _part(
        self,
        loaded: _Loaded,
        template: str,
        part: str,
        markup: Markup,
        name: str,
        values: dict[str, Any],
        check: Callable[[str], object] | None,
    ) -> str:
        environment = loaded.environments[markup]

        def render() -> str:
            text = environment.language.finish(self._run(environment.get_template(name), values))
            if check is not None:
                _fits(check, text)
            return inline_css(text) if markup is Markup.HTML and self._inline_css else text

        return _guarded(render, template, part, name.rpartition("|")[2])

    def _run(self, template: Template, values: dict[str, Any]) -> str:
        pieces: list[str] = []
        length = 0
        for piece in template.root_render_func(template.new_context(values)):
            length += len(piece)
            if length > self._max_output:
                raise TooLongError(length, self._max_output)
            pieces.append(piece)
        return "".join(pieces)

    def _files(self, loaded: _Loaded, template: str, kind: str, parts: Mapping[str, Part]) -> tuple[_Files, Sequence[str]]:
        """Return markup and path of each part that has files, and the parts that are derived from the HTML."""
        pairs = loaded.catalogue.pairs(template)
        files = {part: (parts[part].markup, f"{template}/{kind}.{part}.j2") for part in parts if (kind, part) in pairs}
        absent = [part for part in parts if part not in files]
        derived = [part for part in absent if parts[part].markup is Markup.TEXT and (kind, "html") in pairs]
        for part in absent:
            if parts[part].required and part not in derived:
                raise MissingPartError(f"{template} has no file {kind}.{part}.j2, which the channel requires", template, part)
        if derived:
            files.setdefault("html", (Markup.HTML, f"{template}/{kind}.html.j2"))
        return files, derived

    def _variables(self, loaded: _Loaded, template: str, part: str, markup: Markup, name: str) -> Variables:
        key = (markup, name)
        if key not in loaded.variables:
            environment = loaded.environments[markup]
            loaded.variables[key] = _guarded(lambda: find_variables(environment, name), template, part, name.rpartition("|")[2])
        return loaded.variables[key]

    def _description(self, loaded: _Loaded, template: str) -> Description:
        if template not in loaded.descriptions:
            found = loaded.catalogue.find(f"{template}/template.toml", ())
            text = found[0].source.read(found[0].path).decode() if found else ""
            loaded.descriptions[template] = parse_description(template, f"{template}/template.toml", text)
        return loaded.descriptions[template]

    def _load(self) -> _Loaded:
        now = self._now
        if now is not None and not self._auto_reload:
            return now
        with self._lock:
            listed = [(source, source.paths()) for source in self._sources]
            if self._now is None or self._now.catalogue.sources != listed:
                catalogue = Catalogue(listed)
                loader = Loader(catalogue, self._max_source)
                filters = {**LOCAL_FILTERS, **self._filters}
                self._now = _Loaded(catalogue, {each: MarkupEnvironment(LANGUAGES[each], loader, filters) for each in LANGUAGES})
            return self._now


def _fits(check: Callable[[str], object], text: str) -> None:
    """Ask the channel whether a part that has a form of its own is right."""
    try:
        check(text)
    except ConfigurationError as error:
        raise InvalidTextError(error.message) from None


def _carried(description: Description, kind: str, part: str, declared: Part, text: str) -> tuple[str, ...]:
    """Return the pieces that are sent of a rendered part."""
    if declared.limit is None:
        return (text,)
    name = f"{kind}.{part}"
    overflow = description.overflow.get(name, Overflow.ERROR)
    call = lambda: carried(LANGUAGES[declared.markup], text, declared.limit, overflow)  # noqa: E731
    return _guarded(call, description.name, part, f"{description.name}/{name}.j2")


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


def _content(sent: Mapping[str, tuple[str, ...]]) -> Content:
    """Put the pieces together: a part that is in one piece stands in each of them."""
    number = max((len(pieces) for pieces in sent.values()), default=1)
    first, *rest = [
        Content({part: pieces[min(place, len(pieces) - 1)] for part, pieces in sent.items()}, place + 1, total=number)
        for place in range(number)
    ]
    return evolve(first, rest=tuple(rest))


def _guarded(call: Callable[[], T], template: str, part: str, file: str) -> T:
    """Return what *call* returns, or raise its error as a RenderError with nothing chained to it."""
    wrong: NotifykitError
    try:
        return call()
    except Exception as error:
        wrong = to_render_error(error, template, part, file)
    raise wrong
