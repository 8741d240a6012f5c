"""Metrics for Prometheus: exact, and absent where nothing is known."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from notifykit import ChannelPolicy, Lane, Notifier, Reason, Recipient, RetryPolicy, constant
from notifykit.buses.memory import MemoryBus
from notifykit.buses.sqlite import SQLiteBus
from notifykit.errors import ConfigurationError, PermanentError, TransientError
from notifykit.events import BusRecovered, BusUnreachable, ChannelDown, ChannelRecovered, Delivered, Died, Retried, Skipped
from notifykit.telemetry.prometheus import METRICS, observer, watch
from tests._channel import ScriptedChannel

pytestmark = pytest.mark.anyio

ADA = Recipient("user:1", {"sms": "+15550001"})
BOB = Recipient("user:2", {"sms": "+15550002"})
FACTS = {"message_id": "m-1", "channel": "sms", "lane": Lane.TRANSACTIONAL}
HERE = {"channel": "sms", "lane": "transactional"}


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def make(tmp_path: Path, registry: CollectorRegistry) -> Callable[..., Notifier]:
    (tmp_path / "hello").mkdir()
    (tmp_path / "hello" / "sms.text.j2").write_text("Hello")

    def make(channel: ScriptedChannel, bus: MemoryBus | SQLiteBus | None = None) -> Notifier:
        policy = ChannelPolicy(concurrency=1, retry=RetryPolicy(max_attempts=3, backoff=constant(timedelta(0))))
        return Notifier(
            bus or MemoryBus(),
            channels={"sms": channel},
            policies={"sms": policy},
            templates=tmp_path,
            observers=[observer(registry)],
            unsubscribe=None,
        )

    return make


async def test_what_the_counters_say_is_what_the_bus_counted(make: Callable[..., Notifier], registry: CollectorRegistry) -> None:
    channel = ScriptedChannel(TransientError("busy"), PermanentError("no"), *[None] * 3, *[TransientError("busy")] * 3)
    async with make(channel) as notifier:
        for _ in range(2):
            await notifier.enqueue([ADA, BOB], "hello", idempotency_key="once")
        await notifier.drain()
        await notifier.campaign("june", "hello", [ADA, BOB])
        await notifier.drain()
        counters = (await notifier.stats()).counters

    def count(event: str, lane: Lane) -> float:
        return registry.get_sample_value("notifykit_events_total", {"event": event, "channel": "sms", "lane": lane.value}) or 0

    for lane in Lane:
        said = [count(each, lane) for each in ("Enqueued", "Duplicate", "Delivered", "Retried", "Died")]
        bus = counters["sms", lane]
        assert said == [bus.enqueued, bus.duplicates, bus.acked, bus.retried, bus.died]
        assert bus.enqueued == 2
        failed, delivered = (
            registry.get_sample_value("notifykit_delivery_seconds_count", {"outcome": outcome, "channel": "sms", "lane": lane.value}) or 0
            for outcome in ("failed", "delivered")
        )
        assert (failed, delivered) == (bus.retried + bus.died, bus.acked)
    dead = {"channel": "sms", "lane": "transactional", "reason": Reason.REJECTED.value}
    assert registry.get_sample_value("notifykit_dead_letters_total", dead) == 1


async def test_a_send_past_the_queue_is_counted_and_timed_too(make: Callable[..., Notifier], registry: CollectorRegistry) -> None:
    async with make(ScriptedChannel(PermanentError("no"))) as notifier:
        await notifier.send([ADA, BOB], "hello")
    assert registry.get_sample_value("notifykit_events_total", {"event": "Sent", **HERE}) == 2
    assert registry.get_sample_value("notifykit_delivery_seconds_count", {"outcome": "failed", **HERE}) == 1
    assert registry.get_sample_value("notifykit_delivery_seconds_count", {"outcome": "delivered", **HERE}) == 1


def test_delivery_times_are_seconds_in_their_buckets(registry: CollectorRegistry) -> None:
    tell = observer(registry)
    for each in (4.0, 40.0, 400.0):
        tell(Delivered(**FACTS, delivery_time_ms=each))
    tell(Retried(**FACTS, error="TransientError: busy", delay=timedelta(0), delivery_time_ms=1.0))
    tell(Died(**FACTS, reason=Reason.EXPIRED))  # nobody was called
    where = {"outcome": "delivered", **HERE}
    assert registry.get_sample_value("notifykit_delivery_seconds_sum", where) == pytest.approx(0.444)
    buckets = {le: registry.get_sample_value("notifykit_delivery_seconds_bucket", {**where, "le": le}) for le in ("0.005", "0.05", "+Inf")}
    assert buckets == {"0.005": 1, "0.05": 2, "+Inf": 3}
    assert registry.get_sample_value("notifykit_delivery_seconds_count", {"outcome": "failed", **HERE}) == 1


def test_what_is_down_is_shown_until_it_recovers(registry: CollectorRegistry) -> None:
    tell = observer(registry)
    tell(ChannelDown(channel="sms", error="no", retry_after=timedelta(seconds=1)))
    tell(BusUnreachable(error="no"))
    assert registry.get_sample_value("notifykit_channel_down", {"channel": "sms"}) == 1
    assert registry.get_sample_value("notifykit_bus_down") == 1
    tell(ChannelRecovered(channel="sms"))
    tell(BusRecovered())
    tell(Skipped(recipient_id="user:1", channel="sms"))
    assert registry.get_sample_value("notifykit_channel_down", {"channel": "sms"}) == 0
    assert registry.get_sample_value("notifykit_bus_down") == 0
    assert registry.get_sample_value("notifykit_events_total", {"event": "Skipped", "channel": "sms", "lane": ""}) == 1


def test_a_second_observer_of_a_registry_is_the_first(registry: CollectorRegistry) -> None:
    assert observer(registry) is observer(registry)
    assert observer(registry) is not observer(CollectorRegistry())


class _Looked:
    """A bus that says when somebody has looked at it."""

    def __init__(self, bus: Any) -> None:
        self._bus = bus
        self.looked = anyio.Event()

    async def stats(self) -> Any:
        try:
            return await self._bus.stats()
        finally:
            self.looked.set()


async def test_the_queue_is_shown_as_long_as_it_is_watched_and_can_be_reached(
    make: Callable[..., Notifier], registry: CollectorRegistry, tmp_path: Path
) -> None:
    bus = SQLiteBus(tmp_path / "bus.db")

    async def look() -> None:
        """Watch for one look more."""
        looked = _Looked(bus)
        tasks.start_soon(watch, looked, timedelta(hours=1), registry)
        await looked.looked.wait()
        await anyio.wait_all_tasks_blocked()

    async with make(ScriptedChannel(), bus) as notifier:
        await notifier.enqueue([ADA, BOB], "hello")
        await notifier.enqueue(ADA, "hello", delay=timedelta(hours=1))
        await bus.hold("sms", None, datetime(2100, 1, 1, tzinfo=UTC), "maintenance")
        async with anyio.create_task_group() as tasks:
            await look()
            assert registry.get_sample_value("notifykit_bus_messages", {"state": "ready", **HERE}) == 2
            assert registry.get_sample_value("notifykit_bus_messages", {"state": "scheduled", **HERE}) == 1
            assert (registry.get_sample_value("notifykit_bus_oldest_ready_seconds", HERE) or -1) >= 0
            assert registry.get_sample_value("notifykit_bus_held", {"reason": "maintenance", "channel": "sms"}) == 1
            assert registry.get_sample_value("notifykit_bus_transitions_total", {"transition": "enqueued", **HERE}) == 3
            with pytest.raises(ConfigurationError, match="registry of its own"):
                await watch(bus, registry=registry)
            tasks.cancel_scope.cancel()
        assert b"notifykit_bus_messages" not in generate_latest(registry)
    async with anyio.create_task_group() as tasks:  # the bus is closed
        await look()
        assert b"notifykit_bus_messages{" not in generate_latest(registry)
        tasks.cancel_scope.cancel()


async def test_every_metric_is_of_the_table_with_its_kind_and_labels(make: Callable[..., Notifier], registry: CollectorRegistry) -> None:
    async with make(ScriptedChannel(PermanentError("no"))) as notifier:
        await notifier.enqueue([ADA, BOB], "hello")
        await notifier.drain()
        await notifier.bus.hold("sms", None, datetime(2100, 1, 1, tzinfo=UTC), "maintenance")
        tell = observer(registry)
        tell(ChannelDown(channel="sms", error="no", retry_after=timedelta(seconds=1)))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watch, notifier.bus, timedelta(hours=1), registry)
            await anyio.wait_all_tasks_blocked()
            found = list(registry.collect())
            tasks.cancel_scope.cancel()
    kinds = {each.name + ("_total" if each.type == "counter" else ""): each.type for each in found}
    assert kinds == {name: kind for name, (kind, _, _) in METRICS.items()}
    labels = {
        each.name + ("_total" if each.type == "counter" else ""): {label for sample in each.samples for label in sample.labels} - {"le"}
        for each in found
    }
    assert labels == {name: set(names) for name, (_, names, _) in METRICS.items()}
