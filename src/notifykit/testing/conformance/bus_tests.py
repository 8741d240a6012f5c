"""The laws of a bus as a pytest class: one thin method for each law, to be selected, overridden or expected to fail."""

from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar

import pytest

from notifykit.testing.conformance import (
    laws_arguments,
    laws_cancelling,
    laws_change,
    laws_claim,
    laws_enqueue,
    laws_heartbeat,
    laws_holds,
    laws_leases,
    laws_ledger,
    laws_loopless,
    laws_reading,
    laws_settle,
    laws_sharing,
)
from notifykit.testing.conformance._law import BUS_LAWS, LEDGER_LAWS, Law, not_about
from notifykit.testing.conformance._stand import Connect, Traits

__all__ = ["BusTests"]

BOOKS = (
    laws_enqueue,
    laws_claim,
    laws_leases,
    laws_heartbeat,
    laws_settle,
    laws_reading,
    laws_change,
    laws_holds,
    laws_arguments,
    laws_sharing,
    laws_cancelling,
    laws_loopless,
    laws_ledger,
)
"""The modules that hold the laws, in the order of the reference page."""


class BusTests:
    """Every law of the bus and of its ledger, on each event loop. Subclass it, and say how to make a store.

    Attributes:
        traits: what the bus promises beyond the contract.
        has_ledger: False for a bus without one; the ledger's laws are then skipped.
    """

    traits: ClassVar[Traits] = Traits()
    has_ledger: ClassVar[bool] = True
    pytestmark: ClassVar[pytest.MarkDecorator] = pytest.mark.anyio

    def make_store(self) -> AbstractAsyncContextManager[Connect]:
        """Make a fresh, empty store; it gives a function that connects a new bus to it, with the clock it is given."""
        raise NotImplementedError("say in your test class how to make a store")

    @pytest.fixture(params=["asyncio", "trio"])
    def anyio_backend(self, request: pytest.FixtureRequest) -> str:
        """Run each law on each event loop that the bus promises, and the law of those that it does not on the others."""
        loop = str(request.param)
        if reason := not_about(request.function.__name__.removeprefix("test_"), self.traits, loop):
            pytest.skip(reason)
        return loop


def _test(name: str, law: Law, of_ledger: bool) -> Callable[[BusTests], Coroutine[Any, Any, None]]:
    async def test(self: BusTests) -> None:
        if reason := not_about(name, self.traits):
            pytest.skip(reason)
        if of_ledger and not self.has_ledger:
            pytest.skip("the bus has no ledger")
        await law(self.make_store)

    test.__name__, test.__qualname__, test.__doc__ = f"test_{name}", f"BusTests.test_{name}", law.__doc__
    return test


for _name, _law in BUS_LAWS.items():
    setattr(BusTests, f"test_{_name}", _test(_name, _law, of_ledger=False))
for _name, _law in LEDGER_LAWS.items():
    setattr(BusTests, f"test_ledger_{_name}", _test(_name, _law, of_ledger=True))
