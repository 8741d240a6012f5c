"""The check of all templates before they are deployed: each on every channel in every locale, with data of many sorts."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import attrs
from attrs import field, frozen

from notifykit._messages import Part
from notifykit._notifications import Notification, template_name
from notifykit.abc import Channel, Renderer
from notifykit.errors import (
    ConfigurationError,
    ContentTooLongError,
    InvalidContentError,
    MissingExtraError,
    MissingPartError,
    NotifykitError,
    RenderError,
    UnknownTemplateError,
)
from notifykit.rendering.inspection import NO_TEXT, Severity, inspect
from notifykit.rendering.pictures import misspelt
from notifykit.rendering.renderer import JinjaRenderer
from notifykit.rendering.samples import Sample, samples
from notifykit.rendering.shapes import Shape, find_shapes
from notifykit.rendering.strays import files_of, find_homeless, find_strays

__all__ = ["Finding", "Taker", "check_templates", "jinja_renderer", "kinds_of"]

_NUMBER = re.compile(r"\d[\d,]*")

Taker: TypeAlias = "Channel | type[Channel] | tuple[str, Mapping[str, Part]]"
"""What takes content: a channel, its class, or a kind with its parts."""


@frozen
class Finding:
    """Something that is wrong with a template.

    Attributes:
        template, kind, part: where; empty where it concerns all of them.
        locale: in which it shows, if only there.
        severity: ``error`` if messages will fail, ``warning`` if some may or look wrong.
        text: what is wrong and what to do; shows no value.
    """

    template: str
    kind: str = ""
    part: str = ""
    locale: str | None = None
    severity: Severity = "error"
    text: str = ""

    def __str__(self) -> str:
        where = ".".join(each for each in (self.kind, self.part) if each)
        place = " ".join(each for each in (self.template, where, f"[{self.locale}]" if self.locale else "") if each)
        return f"{self.severity}: {place}: {self.text}"


def check_templates(renderer: Renderer, channels: Mapping[str, Taker], notifications: Sequence[type[Notification]] = ()) -> list[Finding]:
    """Render everything with its examples and with made-up data, and return what is wrong, by template.

    Args:
        renderer: whose templates are checked.
        channels: those that the application has, by name.
        notifications: its notification classes, whose fields must cover what their templates need.

    Raises:
        ConfigurationError: it is no JinjaRenderer.
    """
    renderer, kinds = jinja_renderer(renderer), kinds_of(channels)
    found = [Finding("", severity="warning", text=f"{path}: {why}") for path, why in find_homeless(renderer.catalogue)]
    for template in renderer.templates():
        found += sorted(_Check(renderer, template, kinds).run(), key=lambda each: each.severity)  # errors first
    for notification in notifications:
        found += _check_class(renderer, notification, kinds)
    return list(dict.fromkeys(found))


def jinja_renderer(renderer: Renderer) -> JinjaRenderer:
    """Return *renderer*, whose files can be looked into.

    Raises:
        ConfigurationError: its files are not known.
    """
    if isinstance(renderer, JinjaRenderer):
        return renderer
    raise ConfigurationError(f"the templates of a JinjaRenderer can be checked and shown, not those of a {type(renderer).__name__}")


def kinds_of(channels: Mapping[str, Taker]) -> dict[str, Mapping[str, Part]]:
    """Return the parts that each kind of channel takes; those of several channels of one kind together."""
    kinds: dict[str, Mapping[str, Part]] = {}
    for channel in channels.values():
        kind, parts = channel if isinstance(channel, tuple) else (channel.kind, channel.parts)
        kinds[kind] = {**kinds.get(kind, {}), **parts}
    return kinds


@frozen
class _Check:
    """The check of one template."""

    renderer: JinjaRenderer
    template: str
    kinds: Mapping[str, Mapping[str, Part]]
    seen: dict[tuple[str, str, str], None] = field(factory=dict)

    def run(self) -> Iterator[Finding]:
        catalogue = self.renderer.catalogue
        for path, why in find_strays(catalogue, self.template, self.kinds):
            yield Finding(self.template, severity="warning", text=f"{path}: {why}")
        try:
            example = self.renderer.describe(self.template).example
        except RenderError as error:
            yield Finding(self.template, text=_words(error))
            return
        shapes = find_shapes(catalogue.text(path) for path in files_of(catalogue, self.template))
        for kind in sorted(self.renderer.kinds(self.template) & set(self.kinds)):
            yield from self._kind(kind, example, shapes)

    def _kind(self, kind: str, example: Mapping[str, Any], shapes: Mapping[str, Shape]) -> Iterator[Finding]:
        pairs = self.renderer.catalogue.pairs(self.template)
        if kind == "email" and not pairs & {("email", "html"), ("email", "text")}:
            yield Finding(self.template, kind, text="an e-mail needs email.html.j2, email.text.j2 or both")
        for part, declared in self.kinds[kind].items():
            if (kind, part) not in pairs and not declared.required:
                continue
            for locale in (None, *self.renderer.catalogue.locales(self.template)):
                yield from self._part(kind, part, declared, locale, example, shapes)

    def _part(
        self, kind: str, part: str, declared: Part, locale: str | None, example: Mapping[str, Any], shapes: Mapping[str, Shape]
    ) -> Iterator[Finding]:
        try:
            variables = self.renderer.variables(self.template, kind, {part: declared}, locale)
        except MissingPartError as error:
            yield from self._once(Finding(self.template, kind, part, None, "error", error.message))
            return
        except RenderError as error:
            yield from self._once(Finding(self.template, kind, part, locale, "error", self._hint(error, kind, part, locale)))
            return
        for sample in samples(example, variables, shapes):
            for severity, text in self._try(kind, part, declared, locale, sample):
                said = f"{text} (with {sample.name})" if sample.name else text
                yield from self._once(Finding(self.template, kind, part, locale, severity, said), text)

    def _try(self, kind: str, part: str, declared: Part, locale: str | None, sample: Sample) -> Iterator[tuple[Severity, str]]:
        try:
            content = self.renderer.render(self.template, kind, {part: declared}, sample.variables, locale=locale, timezone="Europe/Prague")
        except ContentTooLongError as error:
            if "size" in sample.topics:
                yield "error" if not sample.name else "warning", error.message
            return
        except InvalidContentError as error:
            if "empty" in sample.topics or error.message.rpartition(": ")[2] != NO_TEXT:
                yield "error", error.message
            return
        except (RenderError, MissingExtraError) as error:
            yield "error" if sample.certain else "warning", _words(error)
            return
        for name, near in misspelt(self.renderer.catalogue, content.get(part) or "", content.attachments):
            yield "error", f"cid:{name} is no picture of the template's; did you mean cid:{near}?"
        for piece in content.pieces:
            for severity, topic, text in inspect(declared.markup, kind, piece.parts.get(part, "")):
                if topic in sample.topics:
                    yield severity if sample.certain or topic == "structure" else "warning", text

    def _once(self, finding: Finding, text: str = "") -> Iterator[Finding]:
        """Yield what was not said of this part before, with other data or in another locale."""
        key = (finding.kind, finding.part, _NUMBER.sub("#", text or finding.text))
        if key not in self.seen:
            self.seen[key] = None
            yield finding

    def _hint(self, error: RenderError, kind: str, part: str, locale: str | None) -> str:
        path = f"{self.template}/{kind}.{part}.j2"
        if locale is None and path not in self.renderer.catalogue.paths:
            return f"{path} is missing: the part is there in some locales only, and other people get none"
        return _words(error)


def _check_class(renderer: JinjaRenderer, notification: type[Any], kinds: Mapping[str, Mapping[str, Part]]) -> Iterator[Finding]:
    """Compare the fields of a notification class with what its template needs on every channel."""
    named_by: Any = template_name  # cached: takes what is hashable, which a class is
    template, named = str(named_by(notification)), f"class {notification.__name__}"
    try:
        pairs = renderer.catalogue.pairs(template)
    except UnknownTemplateError as error:
        near = f", did you mean {error.known[0]}?" if error.known else ""
        yield Finding(template, text=f"{named}: there is no template of this name{near}")
        return
    fields = _fields(notification)
    if fields is None:
        yield Finding(template, text=f"{named} must be an attrs class or a dataclass")
        return
    for kind in sorted({kind for kind, _ in pairs} & set(kinds)):
        try:
            needed = renderer.variables(template, kind, kinds[kind]).required
        except RenderError:
            continue
        if missing := sorted(needed - fields):
            yield Finding(template, kind, text=f"{named} lacks the fields {', '.join(missing)}")


def _fields(notification: type[Any]) -> set[str] | None:
    if attrs.has(notification):
        return {each.name for each in attrs.fields(notification)}
    dataclass: Mapping[str, Any] | None = getattr(notification, "__dataclass_fields__", None)
    return None if dataclass is None else set(dataclass)


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, NotifykitError) else f"{type(error).__name__} when it was read"
