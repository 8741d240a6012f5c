"""Metrics for Prometheus, by ``prometheus-client``: the extra ``prometheus``.

``Notifier(observers=[observer()])`` counts what this process does, and ``watch(notifier.bus)`` shows what lies on the bus. No label
is an address, a recipient or a variable: they are names of channels, lanes, events and reasons.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from weakref import WeakKeyDictionary

import attrs

from notifykit._claims import Counters, Stats
from notifykit._messages import Lane
from notifykit.abc import Bus
from notifykit.errors import ConfigurationError, MissingExtraError
from notifykit.events import (
    BusRecovered,
    BusUnreachable,
    ChannelDown,
    ChannelRecovered,
    Died,
    Event,
    MessageEvent,
    Observer,
)
from notifykit.telemetry._depths import EVERY, each_look

try:
    from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
    from prometheus_client.registry import Collector
except ModuleNotFoundError as _error:
    raise MissingExtraError('metrics for Prometheus need: pip install "notifykit[prometheus]"', extra="prometheus") from _error

__all__ = ["METRICS", "observer", "watch"]

METRICS: Mapping[str, tuple[str, tuple[str, ...], str]] = {
    "notifykit_events_total": ("counter", ("event", "channel", "lane"), "What happened in this process"),
    "notifykit_dead_letters_total": ("counter", ("reason", "channel", "lane"), "Messages that this process made dead letters"),
    "notifykit_delivery_seconds": ("histogram", ("outcome", "channel", "lane"), "From the call of a channel to its answer"),
    "notifykit_channel_down": ("gauge", ("channel",), "1 while this process holds a channel that cannot be used"),
    "notifykit_bus_down": ("gauge", (), "1 while a worker of this process cannot reach its bus"),
    "notifykit_bus_messages": ("gauge", ("state", "channel", "lane"), "Messages on the bus"),
    "notifykit_bus_oldest_ready_seconds": ("gauge", ("channel", "lane"), "Age of the message that has been ready longest"),
    "notifykit_bus_held": ("gauge", ("reason", "channel"), "1 while a channel, or a lane of it, is held"),
    "notifykit_bus_transitions_total": ("counter", ("transition", "channel", "lane"), "What happened to messages since the store was made"),
}
"""Every metric: its kind, its labels, and what it says."""

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
_STATES = ("ready", "scheduled", "claimed", "dead")


def observer(registry: CollectorRegistry = REGISTRY) -> Observer:
    """Return the observer that counts events on *registry*; the same one for the same registry."""
    if registry not in _observers:
        _observers[registry] = _Observer(registry)
    return _observers[registry]


async def watch(bus: Bus, every: timedelta = EVERY, registry: CollectorRegistry = REGISTRY) -> None:
    """Show on *registry* what lies on *bus*, looking *every* so often, until cancelled; run it beside the worker.

    While the bus cannot be reached, its metrics are absent.

    Raises: ConfigurationError when that registry shows a bus already.
    """
    shown = _Shown()
    try:
        registry.register(shown)
    except ValueError as error:
        raise ConfigurationError("this registry watches a bus already: give each bus a registry of its own") from error
    try:
        await each_look(bus, shown.take, every)
    finally:
        registry.unregister(shown)


class _Observer:
    """Counts events."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def labelled(name: str) -> tuple[str, str, tuple[str, ...]]:
            _, labels, says = METRICS[name]
            return name, says, labels

        self._events = Counter(*labelled("notifykit_events_total"), registry=registry)
        self._dead = Counter(*labelled("notifykit_dead_letters_total"), registry=registry)
        self._times = Histogram(*labelled("notifykit_delivery_seconds"), registry=registry, buckets=_BUCKETS)
        self._channel_down = Gauge(*labelled("notifykit_channel_down"), registry=registry)
        self._bus_down = Gauge(*labelled("notifykit_bus_down"), registry=registry)

    def __call__(self, event: Event, /) -> None:
        """Count *event*."""
        channel = getattr(event, "channel", "")
        lane = event.lane.value if isinstance(event, MessageEvent) else ""
        self._events.labels(type(event).__name__, channel, lane).inc()
        time = getattr(event, "delivery_time_ms", None)
        if time is not None:
            outcome = "failed" if getattr(event, "error", "") else "delivered"
            self._times.labels(outcome, channel, lane).observe(time / 1000)
        match event:
            case Died(reason=reason):
                self._dead.labels(reason.value, channel, lane).inc()
            case ChannelDown() | ChannelRecovered():
                self._channel_down.labels(channel).set(isinstance(event, ChannelDown))
            case BusUnreachable() | BusRecovered():
                self._bus_down.set(isinstance(event, BusUnreachable))


_observers: WeakKeyDictionary[CollectorRegistry, _Observer] = WeakKeyDictionary()


class _Shown(Collector):
    """The stats of a bus, as they were at the last look."""

    def __init__(self) -> None:
        self._stats: Stats | None = None

    def take(self, stats: Stats | None) -> None:
        """Remember *stats*; None when they are not known."""
        self._stats = stats

    def describe(self) -> Iterable[Metric]:
        """Name the metrics without looking."""
        return _families(Stats({}, {}))

    def collect(self) -> Iterable[Metric]:
        """Return the metrics of the last look."""
        return _families(self._stats) if self._stats is not None else ()


def _families(stats: Stats) -> Iterator[Metric]:
    depths = _gauge("notifykit_bus_messages")
    oldest = _gauge("notifykit_bus_oldest_ready_seconds")
    for (channel, lane), depth in stats.depths.items():
        for state in _STATES:
            depths.add_metric((state, *_names(channel, lane)), getattr(depth, state))
        age = depth.oldest_ready
        oldest.add_metric(_names(channel, lane), age.total_seconds() if age is not None else 0.0)
    held = _gauge("notifykit_bus_held")
    for reason, channel in {(each.reason, each.channel) for each in stats.holds}:
        held.add_metric((reason, channel), 1)
    name = "notifykit_bus_transitions_total"
    transitions = CounterMetricFamily(name, METRICS[name][2], labels=METRICS[name][1])
    for (channel, lane), counters in stats.counters.items():
        for field in attrs.fields(Counters):
            transitions.add_metric((field.name, *_names(channel, lane)), getattr(counters, field.name))
    yield from (depths, oldest, held, transitions)


def _gauge(name: str) -> GaugeMetricFamily:
    _, labels, says = METRICS[name]
    return GaugeMetricFamily(name, says, labels=labels)


def _names(channel: str, lane: Lane) -> tuple[str, str]:
    return channel, lane.value
