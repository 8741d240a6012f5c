"""The laws of a renderer and of its markups as a pytest class."""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, ClassVar

import pytest

from notifykit._messages import Markup
from notifykit.abc import Renderer
from notifykit.testing.conformance import laws_markup, laws_renderer
from notifykit.testing.conformance._law import MARKUP_LAWS, RENDERER_LAWS, MarkupLaw, RendererLaw
from notifykit.testing.conformance._markup_case import CONSTRUCTS, MarkupCase, Oracle, Reading

__all__ = ["RendererTests"]

RENDERER_BOOKS = (laws_renderer, laws_markup)
"""The modules that hold the laws, in the order of the reference page."""


def _as_it_is(text: str) -> Reading:
    return Reading(text)


class RendererTests:
    """Every law of a renderer, and every law of each of its markups. Subclass it, and say how to make a renderer.

    Attributes:
        oracles: by markup, what reads a rendered text as its readers' programs do. A markup without one is not tried.
        contexts: by markup, sources that show the variable ``x`` inside formatting.
        constructs: sources that show the variable ``x`` once, in the renderer's template language.
        frames: by markup, what a whole part needs around a source, which stands for ``@``.
        normal: by markup, what a reader is meant to see of a value, where that is not the value itself.
    """

    oracles: ClassVar[Mapping[Markup, Oracle]] = {Markup.TEXT: _as_it_is, Markup.LINE: _as_it_is}
    contexts: ClassVar[Mapping[Markup, Mapping[str, str]]] = {}
    constructs: ClassVar[Mapping[str, str]] = CONSTRUCTS
    frames: ClassVar[Mapping[Markup, str]] = {}
    normal: ClassVar[Mapping[Markup, Callable[[str], str]]] = {}
    pytestmark: ClassVar[pytest.MarkDecorator] = pytest.mark.anyio

    def make_renderer(self, files: Mapping[str, str]) -> Renderer:
        """Make a renderer of templates given as a mapping of file names, such as ``hello/email.text.j2``, to sources."""
        raise NotImplementedError("say in your test class how to make a renderer")

    @pytest.fixture
    def anyio_backend(self) -> str:
        """Rendering awaits nothing: one event loop is as good as another."""
        return "asyncio"

    def case(self, markup: Markup) -> MarkupCase:
        """Return a markup on trial."""
        if markup not in self.oracles:
            pytest.skip(f"there is no oracle for {markup}")
        return MarkupCase(
            markup=markup,
            make=self.make_renderer,
            oracle=self.oracles[markup],
            constructs=self.constructs,
            contexts=self.contexts.get(markup, {}),
            frame=self.frames.get(markup, "@"),
            normal=self.normal.get(markup, str),
        )


def _markup_test(name: str, law: MarkupLaw) -> Callable[..., Coroutine[Any, Any, None]]:
    @pytest.mark.parametrize("markup", list(Markup), ids=lambda each: each.value)
    async def test(self: RendererTests, markup: Markup) -> None:
        await law(self.case(markup))

    test.__name__, test.__qualname__, test.__doc__ = f"test_{name}", f"RendererTests.test_{name}", law.__doc__
    return test


def _renderer_test(name: str, law: RendererLaw) -> Callable[[RendererTests], Coroutine[Any, Any, None]]:
    async def test(self: RendererTests) -> None:
        await law(self.make_renderer)

    test.__name__, test.__qualname__, test.__doc__ = f"test_{name}", f"RendererTests.test_{name}", law.__doc__
    return test


for _name, _law in RENDERER_LAWS.items():
    setattr(RendererTests, f"test_{_name}", _renderer_test(_name, _law))
for _name, _each in MARKUP_LAWS.items():
    setattr(RendererTests, f"test_{_name}", _markup_test(_name, _each))
