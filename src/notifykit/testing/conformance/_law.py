"""How a law is written down: a plain async function with a name and a docstring."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from notifykit.testing.conformance._stand import MakeStore

__all__ = ["BUS_LAWS", "LEDGER_LAWS", "Law", "bus_law", "ledger_law", "needed"]

Law: TypeAlias = Callable[[MakeStore], Awaitable[None]]

BUS_LAWS: dict[str, Law] = {}
"""The laws of a bus by name."""
LEDGER_LAWS: dict[str, Law] = {}
"""The laws of a bus's ledger by name."""
_needs: dict[str, str] = {}


def bus_law(needs: str = "") -> Callable[[Law], Law]:
    """Write a law of the bus into the book. *needs* names the trait without which it says nothing."""
    return _writer(BUS_LAWS, needs)


def ledger_law(needs: str = "") -> Callable[[Law], Law]:
    """Write a law of the ledger into the book."""
    return _writer(LEDGER_LAWS, needs)


def needed(name: str) -> str:
    """Return the trait that the law of this name needs, empty if none."""
    return _needs.get(name, "")


def _writer(book: dict[str, Law], needs: str) -> Callable[[Law], Law]:
    def write(law: Law) -> Law:
        assert law.__doc__, "a law says what it means"
        book[law.__name__] = law
        _needs[law.__name__] = needs
        return law

    return write
