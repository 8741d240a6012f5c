"""How a law is written down: a plain async function with a name and a docstring."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias, TypeVar

from notifykit.testing.conformance._channel_case import ChannelCase, Situation
from notifykit.testing.conformance._markup_case import MakeRenderer, MarkupCase
from notifykit.testing.conformance._stand import MakeStore

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
    "ledger_law",
    "markup_law",
    "needed",
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
_situations: dict[str, tuple[Situation, ...]] = {}


def bus_law(needs: str = "") -> Callable[[Law], Law]:
    """Write a law of the bus into the book. *needs* names the trait without which it says nothing."""
    return _writer(BUS_LAWS, needs)


def ledger_law(needs: str = "") -> Callable[[Law], Law]:
    """Write a law of the ledger into the book."""
    return _writer(LEDGER_LAWS, needs)


def channel_law(*meets: Situation, needs: str = "") -> Callable[[ChannelLaw], ChannelLaw]:
    """Write a law of channels into the book. It says nothing of a channel that never *meets* these situations."""
    return _writer(CHANNEL_LAWS, needs, meets)


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


def situations() -> Mapping[str, tuple[Situation, ...]]:
    """Return, by law, the situations that it is about."""
    return _situations


def _writer(book: dict[str, F], needs: str, meets: tuple[Situation, ...] = ()) -> Callable[[F], F]:
    def write(law: F) -> F:
        assert law.__doc__, "a law says what it means"
        assert law.__name__ not in _needs, "a law has a name of its own"
        book[law.__name__] = law
        _needs[law.__name__] = needs
        _situations[law.__name__] = meets
        return law

    return write
