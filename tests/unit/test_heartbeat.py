"""Heartbeats that a blocked event loop cannot silence."""

import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from notifykit import Lane
from notifykit._claims import Envelope
from notifykit.buses.sqlite import SQLiteBus

pytestmark = pytest.mark.anyio

LEASE = timedelta(milliseconds=300)


async def test_a_lease_outlives_an_event_loop_that_is_blocked_for_longer(tmp_path: Path) -> None:
    async with SQLiteBus(tmp_path / "bus.db") as bus:
        await bus.enqueue([Envelope(id="1", channel="sms", lane=Lane.TRANSACTIONAL)])
        claimed = await bus.claim("sms", {Lane.TRANSACTIONAL: 1}, 1, LEASE)
        async with bus.heartbeat(lambda: claimed.claims, LEASE):
            end = claimed.claims[0].lease_until + LEASE
            while datetime.now(UTC) < end:
                time.sleep(0.01)  # noqa: ASYNC251 - the loop is blocked on purpose
            again = await bus.claim("sms", {Lane.TRANSACTIONAL: 1}, 1, LEASE)
        assert again.claims == ()
        stored = await bus.get("1")
        assert stored is not None
        assert stored.takeovers == 0


async def test_a_heart_stops_with_its_context_and_survives_a_bus_that_is_away(tmp_path: Path, caplog: Any) -> None:
    asked = threading.Event()

    def claims() -> Any:
        asked.set()
        return claimed.claims

    async with SQLiteBus(tmp_path / "bus.db") as bus:
        await bus.enqueue([Envelope(id="1", channel="sms", lane=Lane.TRANSACTIONAL)])
        claimed = await bus.claim("sms", {Lane.TRANSACTIONAL: 1}, 1, timedelta(minutes=1))
        await bus.close()
        async with bus.heartbeat(claims, timedelta(milliseconds=30)):
            assert asked.wait(10)
            asked.clear()
            assert asked.wait(10), "it goes on after a failed beat"
    assert "leases could not be extended: BusClosedError" in caplog.text
