"""The law of a bus that synchronous callers reach without an event loop."""

from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, TypeVar, cast

import anyio.to_thread

from notifykit._claims import Action, Extended, Filter, Settled
from notifykit._outcomes import Ack, Settlement
from notifykit.abc import Window
from notifykit.testing.conformance._law import bus_law
from notifykit.testing.conformance._stand import BOTH, EMAIL, LEASE, SECOND, MakeStore, Stand, fresh

__all__: list[str] = []

T = TypeVar("T")


def _straight(operation: Coroutine[Any, Any, T]) -> T:
    """Drive *operation* to its end, which must come without suspending once."""
    try:
        operation.send(None)
    except StopIteration as end:
        return cast("T", end.value)
    operation.close()
    raise AssertionError(f"{operation} suspended, though nobody runs an event loop")


@bus_law()
async def a_loopless_bus_answers_where_no_event_loop_runs(make: MakeStore) -> None:
    """A bus that says ``loopless`` does every operation, and its ledger's, in a plain thread, however many there are."""
    async with fresh(make) as stand:
        if stand.bus.loopless:
            for turn in range(20):  # one that lets other tasks run now and then must not do so here
                await anyio.to_thread.run_sync(_use, stand, turn)
            assert await stand.taken() == []


def _use(stand: Stand, turn: int) -> None:
    bus: Any = stand.bus
    first, second = f"{turn}-a", f"{turn}-b"
    assert [each.id for each in _straight(bus.enqueue([stand.envelope(first), stand.envelope(second)]))] == [first, second]
    (claim,) = _straight(bus.claim(EMAIL, BOTH, 1, LEASE)).claims
    assert _straight(bus.extend([claim], LEASE)) in ([Extended.DONE], (Extended.DONE,))
    assert list(_straight(bus.settle([Settlement(claim, Ack())]))) == [Settled.DONE]
    assert _straight(bus.get(second)).envelope.id == second
    assert len(_straight(bus.find(Filter(), 10)).messages) == 1
    _straight(bus.hold(EMAIL, None, stand.later(hours=1), "law"))
    _straight(bus.hold(EMAIL, None, None, "law"))
    assert _straight(bus.change(Filter(), Action.CANCEL)).ids == (second,)
    assert sum(each.ready for each in _straight(bus.stats()).depths.values()) == 0
    if bus.ledger is not None:
        _straight(bus.ledger.put(f"law:{turn}", b"x", stand.later(hours=1)))
        assert _straight(bus.ledger.get([f"law:{turn}"])) == {f"law:{turn}": b"x"}
        assert f"law:{turn}" in _straight(bus.ledger.keys("law:"))
        window = Window(f"law:{turn}", 1, timedelta(minutes=1))
        assert _straight(bus.ledger.acquire([window])) is None
        assert _straight(bus.ledger.room([window])).places == 0
    stand.clock.advance(SECOND)
