"""Traces and metrics for OpenTelemetry, by its API: the extra ``otel``.

``Notifier(observers=[observer()])`` makes a span where a message is enqueued and one for each attempt to send it, which is its
child, in whatever process that happens: the W3C trace context travels in the message. ``watch(notifier.bus)`` measures what lies on
the bus. Names follow the semantic conventions for messaging, 1.27 and later. No attribute is an address or a variable, and no
exception is recorded with its text unless it is notifykit's own.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta

from attrs import evolve

from notifykit._claims import Stats
from notifykit._messages import Message
from notifykit.abc import Bus
from notifykit.errors import MissingExtraError, NotifykitError
from notifykit.events import Enqueued, Event, MessageEvent
from notifykit.telemetry._depths import EVERY, each_look

try:
    from opentelemetry import metrics, trace
    from opentelemetry.context import Context
    from opentelemetry.trace import Span, SpanKind, Status, StatusCode
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
except ModuleNotFoundError as _error:
    raise MissingExtraError('traces for OpenTelemetry need: pip install "notifykit[otel]"', extra="otel") from _error

__all__ = ["METRICS", "observer", "watch"]

METRICS: Mapping[str, tuple[str, str, str]] = {
    "messaging.client.sent.messages": ("counter", "{message}", "Messages put on the bus"),
    "messaging.process.duration": ("histogram", "s", "From the call of a channel to its answer"),
    "notifykit.events": ("counter", "{event}", "What happened in this process, by event, channel and lane"),
    "notifykit.bus.messages": ("gauge", "{message}", "Messages on the bus, by state, channel and lane"),
    "notifykit.bus.oldest_ready": ("gauge", "s", "Age of the message that has been ready longest, by channel and lane"),
}
"""Every metric: its kind, its unit, and what it says."""

_CONTEXT = TraceContextTextMapPropagator()
_STATES = ("ready", "scheduled", "claimed", "dead")


def observer(
    tracer_provider: trace.TracerProvider | None = None, meter_provider: metrics.MeterProvider | None = None
) -> "OpenTelemetryObserver":
    """Return the observer that makes spans and measures; by default with the global providers."""
    return OpenTelemetryObserver(tracer_provider, meter_provider)


async def watch(bus: Bus, every: timedelta = EVERY, meter_provider: metrics.MeterProvider | None = None) -> None:
    """Measure what lies on *bus*, looking *every* so often, until cancelled; run it beside the worker.

    While the bus cannot be reached, nothing is reported of it.
    """
    latest: list[Stats | None] = [None]
    meter = metrics.get_meter("notifykit", meter_provider=meter_provider)
    for name, measured in {"notifykit.bus.messages": _depths, "notifykit.bus.oldest_ready": _ages}.items():
        _, unit, says = METRICS[name]
        meter.create_observable_gauge(name, [_reading(latest, measured)], unit, says)
    await each_look(bus, lambda stats: latest.__setitem__(0, stats), every)


class OpenTelemetryObserver:
    """Counts and times events, and is a Tracer: it stands around the enqueueing and the sending of messages."""

    def __init__(self, tracer_provider: trace.TracerProvider | None, meter_provider: metrics.MeterProvider | None) -> None:
        self._tracer = trace.get_tracer("notifykit", tracer_provider=tracer_provider)
        meter = metrics.get_meter("notifykit", meter_provider=meter_provider)
        self._sent = meter.create_counter("messaging.client.sent.messages", *METRICS["messaging.client.sent.messages"][1:])
        self._events = meter.create_counter("notifykit.events", *METRICS["notifykit.events"][1:])
        self._times = meter.create_histogram("messaging.process.duration", *METRICS["messaging.process.duration"][1:])

    def __call__(self, event: Event, /) -> None:
        """Count *event*, and note how long its delivery took."""
        channel = getattr(event, "channel", "")
        lane = event.lane.value if isinstance(event, MessageEvent) else ""
        self._events.add(1, {"event": type(event).__name__, "channel": channel, "lane": lane})
        where = {"messaging.system": "notifykit", "messaging.destination.name": channel, "notifykit.lane": lane}
        if isinstance(event, Enqueued):
            self._sent.add(1, {**where, "messaging.operation.name": "enqueue"})
        time = getattr(event, "delivery_time_ms", None)
        if time is not None:
            failed = {"error.type": event.error.partition(":")[0]} if getattr(event, "error", "") else {}  # type: ignore[union-attr]
            self._times.record(time / 1000, {**where, "messaging.operation.name": "send", **failed})

    @contextmanager
    def enqueueing(self, messages: Sequence[Message]) -> Iterator[Sequence[Message]]:
        """Make a producer span for each message, which lasts until the bus has it, and put its context into the message."""
        operation = "send" if len(messages) == 1 else "create"
        with ExitStack() as spans:
            traced = []
            for each in messages:
                name = f"enqueue {each.channel}"
                attributes = _attributes(each, "enqueue", operation)
                span = self._tracer.start_span(name, kind=SpanKind.PRODUCER, attributes=attributes)
                spans.enter_context(_ending(span))
                carrier: dict[str, str] = {}
                _CONTEXT.inject(carrier, trace.set_span_in_context(span))
                traced.append(evolve(each, trace=carrier) if carrier else each)
            yield traced

    @contextmanager
    def sending(self, message: Message) -> Iterator[None]:
        """Make a span for one attempt: of a consumer, the child of the enqueueing, or of a client where it is sent at once."""
        queued = bool(message.trace)
        context = _CONTEXT.extract(message.trace, Context()) if queued else None
        kind = SpanKind.CONSUMER if queued else SpanKind.CLIENT
        attributes = _attributes(message, "send", "process" if queued else "send")
        span = self._tracer.start_span(f"send {message.channel}", context, kind, attributes)
        with _ending(span), trace.use_span(span, record_exception=False, set_status_on_exception=False):
            yield


def _attributes(message: Message, name: str, operation: str) -> dict[str, str]:
    found = {
        "messaging.system": "notifykit",
        "messaging.operation.name": name,
        "messaging.operation.type": operation,
        "messaging.destination.name": message.channel,
        "messaging.message.id": message.id,
        "notifykit.lane": message.lane.value,
        "notifykit.template": message.template,
        "notifykit.group": message.group,
        "notifykit.request_id": message.request_id,
    }
    return {name: value for name, value in found.items() if value is not None}


@contextmanager
def _ending(span: Span) -> Iterator[None]:
    """End *span*, marked as failed by what is raised; only our own errors are sure to tell no secret."""
    try:
        yield
    except BaseException as error:
        span.set_attribute("error.type", type(error).__qualname__)
        span.set_status(Status(StatusCode.ERROR, str(error) if isinstance(error, NotifykitError) else None))
        raise
    finally:
        span.end()


def _reading(
    latest: Sequence[Stats | None], measured: Callable[[Stats], Iterator[metrics.Observation]]
) -> Callable[[metrics.CallbackOptions], Iterable[metrics.Observation]]:
    def read(_: metrics.CallbackOptions) -> Iterable[metrics.Observation]:
        (stats,) = latest
        return list(measured(stats)) if stats is not None else []

    return read


def _depths(stats: Stats) -> Iterator[metrics.Observation]:
    for (channel, lane), depth in stats.depths.items():
        for state in _STATES:
            yield metrics.Observation(getattr(depth, state), {"state": state, "channel": channel, "lane": lane.value})


def _ages(stats: Stats) -> Iterator[metrics.Observation]:
    for (channel, lane), depth in stats.depths.items():
        age = depth.oldest_ready.total_seconds() if depth.oldest_ready is not None else 0.0
        yield metrics.Observation(age, {"channel": channel, "lane": lane.value})
