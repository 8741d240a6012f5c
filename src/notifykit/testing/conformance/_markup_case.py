"""What a markup's laws stand on: a function that renders, and an oracle that reads what was rendered as its readers' programs do."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from attrs import field, frozen

from notifykit._messages import Markup, Part
from notifykit.abc import Renderer

__all__ = ["CONSTRUCTS", "SPECIAL", "MakeRenderer", "MarkupCase", "Oracle", "Reading"]


@frozen
class Reading:
    """What the reader's program makes of a text.

    Attributes:
        text: what a person sees.
        structure: what beside the text there is, in whatever form: tags, entities, keys. Equal for equal structure.
    """

    text: str
    structure: Any = None


Oracle: TypeAlias = Callable[[str], Reading]
"""Reads a text as its markup's own parser does, another one than the renderer's; raises ValueError where that refuses it."""

MakeRenderer: TypeAlias = Callable[[Mapping[str, str]], Renderer]
"""Makes a renderer for templates given as a mapping of file names to sources."""

SPECIAL: Mapping[Markup, str] = {
    Markup.HTML: "<>&\"'/=` ;!-",
    Markup.TEXT: "<>&_*\\",
    Markup.LINE: "<>&_*\\:",
    Markup.MARKDOWN_V2: "_*[]()~`>#+-=|{}.!\\",
    Markup.JSON: "\"\\/{}[]:,<>&'",
}
"""The characters that a markup, or one that is easily taken for it, gives a meaning."""

CONSTRUCTS: Mapping[str, str] = {
    "output": "{{ x }}",
    "macro": "{% macro m(v) %}{{ v }}{% endmacro %}{{ m(x) }}",
    "macro given a macro": "{% macro m(v) %}{{ v }}{% endmacro %}{{ m(m(x)) }}",
    "set": "{% set v = x %}{{ v }}",
    "set block": "{% set v %}{{ x }}{% endset %}{{ v }}",
    "set block twice": "{% set v %}{{ x }}{% endset %}{% set w %}{{ v }}{% endset %}{{ w }}",
    "tilde": "{{ x ~ '' }}",
    "loop": "{% for v in [x] %}{{ v }}{% endfor %}",
    "join": "{{ [x]|join }}",
    "replace": "{{ 'q'|replace('q', x) }}",
    "conditional": "{{ x if true else 'no' }}",
    "default": "{{ x|default('no') }}",
    "call": "{% macro m() %}{{ caller() }}{% endmacro %}{% call m() %}{{ x }}{% endcall %}",
    "attribute": "{{ {'k': x}.k }}",
}
"""Ways in which a Jinja template shows the variable ``x`` once. Another template language has others."""


@frozen(kw_only=True)
class MarkupCase:
    """A markup of a renderer on trial.

    Attributes:
        markup: which one.
        make: makes a renderer.
        oracle: reads what was rendered.
        constructs: by name, sources that show the variable ``x`` once.
        contexts: by name, sources that show ``x`` inside the markup's own formatting, such as ``<b>{{ x }}</b>``.
        frame: what a whole part needs around such a source, which stands for ``@``.
        special: the characters to try alone and in pairs.
        normal: what a reader is meant to see of a value, where that is not the value itself.
    """

    markup: Markup
    make: MakeRenderer
    oracle: Oracle
    constructs: Mapping[str, str] = CONSTRUCTS
    contexts: Mapping[str, str] = field(factory=dict)
    frame: str = "@"
    special: str = field(default="")
    normal: Callable[[str], str] = field(factory=lambda: str)

    @property
    def signs(self) -> str:
        """The characters that have a meaning."""
        return self.special or SPECIAL[self.markup]

    def renders(self, source: str, **variables: Any) -> str:
        """Render *source* in its frame as the only part of a template."""
        renderer = self.make({"t/k.part.j2": self.frame.replace("@", source)})
        return renderer.render("t", "k", {"part": Part(self.markup)}, variables)["part"]

    def reads(self, text: str) -> Reading:
        """Read what was rendered; hold that the oracle takes it."""
        try:
            return self.oracle(text)
        except ValueError as error:
            raise AssertionError(f"what was rendered is not valid: {text[:200]!r}: {error}") from error
