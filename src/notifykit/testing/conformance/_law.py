"""How a law is written down: a plain async function with a name and a docstring."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias, TypeVar

from notifykit.testing.conformance._channel_case import ChannelCase, ChannelTraits, Situation
from notifykit.testing.conformance._markup_case import MakeRenderer, MarkupCase
from notifykit.testing.conformance._stand import MakeStore, Traits

__all__ = [
    "BUS_LAWS",
    "CHANNEL_LAWS",
    "HTTP_LAWS",
    "LEDGER_LAWS",
    "MARKUP_LAWS",
    "RENDERER_LAWS",
    "ChannelLaw",
    "Law",
    "MarkupLaw",
    "RendererLaw",
    "bus_law",
    "channel_law",
    "http_law",
    "lacked",
    "ledger_law",
    "markup_law",
    "needed",
    "not_about",
    "renderer_law",
    "situations",
]

Law: TypeAlias = Callable[[MakeStore], Awaitable[None]]
ChannelLaw: TypeAlias = Callable[[ChannelCase], Awaitable[None]]
MarkupLaw: TypeAlias = Callable[[MarkupCase], Awaitable[None]]
RendererLaw: TypeAlias = Callable[[MakeRenderer], Awaitable[None]]
F = TypeVar("F", bound=Callable[..., Any])

BUS_LAWS: dict[str, Law] = {}
"""The laws of a bus by name."""
LEDGER_LAWS: dict[str, Law] = {}
"""The laws of a bus's ledger by name."""
CHANNEL_LAWS: dict[str, ChannelLaw] = {}
"""The laws of every channel by name."""
HTTP_LAWS: dict[str, ChannelLaw] = {}
"""The further laws of a channel that speaks HTTP by name."""
RENDERER_LAWS: dict[str, RendererLaw] = {}
"""The laws of a renderer by name."""
MARKUP_LAWS: dict[str, MarkupLaw] = {}
"""The laws of each of its markups by name."""
_needs: dict[str, str] = {}
_lacks: dict[str, str] = {}
_situations: dict[str, tuple[Situation, ...]] = {}


def bus_law(needs: str = "", lacks: str = "") -> Callable[[Law], Law]:
    """Write a law of the bus into the book. *needs* names the trait without which it says nothing, *lacks* the one with which."""
    return _writer(BUS_LAWS, needs, lacks=lacks)


def ledger_law(needs: str = "") -> Callable[[Law], Law]:
    """Write a law of the ledger into the book."""
    return _writer(LEDGER_LAWS, needs)


def channel_law(*meets: Situation, needs: str = "", lacks: str = "") -> Callable[[ChannelLaw], ChannelLaw]:
    """Write a law of channels into the book. It says nothing of a channel that never *meets* these situations."""
    return _writer(CHANNEL_LAWS, needs, meets, lacks)


def http_law(*meets: Situation, needs: str = "") -> Callable[[ChannelLaw], ChannelLaw]:
    """Write a law of channels that speak HTTP into the book."""
    return _writer(HTTP_LAWS, needs, meets)


def renderer_law(law: RendererLaw) -> RendererLaw:
    """Write a law of renderers into the book."""
    return _writer(RENDERER_LAWS, "")(law)


def markup_law(law: MarkupLaw) -> MarkupLaw:
    """Write a law of markups into the book."""
    return _writer(MARKUP_LAWS, "")(law)


def needed(name: str) -> str:
    """Return the trait that the law of this name needs, empty if none."""
    return _needs.get(name, "")


def lacked(name: str) -> str:
    """Return the trait whose lack the law of this name is about, empty if it is about none."""
    return _lacks.get(name, "")


def not_about(name: str, traits: Traits | ChannelTraits, loop: str = "") -> str:
    """Return why the law of this name says nothing of what has *traits*, on *loop* if one is given; empty if it does."""
    about_loops = lacked(name) == "loops"
    if loop:
        return f"its traits {'' if about_loops else 'do not '}promise {loop}" if (loop in traits.loops) is about_loops else ""
    if (trait := needed(name)) and not getattr(traits, trait):
        return f"its traits do not promise {trait}"
    if (trait := lacked(name)) and not about_loops and getattr(traits, trait):
        return f"its traits promise {trait}"
    return ""


def situations() -> Mapping[str, tuple[Situation, ...]]:
    """Return, by law, the situations that it is about."""
    return _situations


def _writer(book: dict[str, F], needs: str, meets: tuple[Situation, ...] = (), lacks: str = "") -> Callable[[F], F]:
    def write(law: F) -> F:
        assert law.__doc__, "a law says what it means"
        assert law.__name__ not in _needs, "a law has a name of its own"
        book[law.__name__] = law
        _needs[law.__name__], _lacks[law.__name__] = needs, lacks
        _situations[law.__name__] = meets
        return law

    return write
