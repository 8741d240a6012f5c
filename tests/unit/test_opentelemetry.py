"""Traces that follow a message from its enqueueing to its sending, and metrics, by the real SDK of OpenTelemetry."""

import logging
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from notifykit import (
    Address,
    Attachment,
    ChannelPolicy,
    Content,
    Lane,
    Message,
    Notifier,
    Part,
    Recipient,
    RetryPolicy,
    constant,
    fallback,
    request,
)
from notifykit._notifier.tracing import Traced
from notifykit.abc import Channel
from notifykit.buses.memory import MemoryBus
from notifykit.buses.sqlite import SQLiteBus
from notifykit.errors import AddressMovedError, BusClosedError, PermanentError, TransientError
from notifykit.telemetry.opentelemetry import METRICS, observer, watch
from tests._channel import ScriptedChannel

pytestmark = pytest.mark.anyio

ADA = Recipient("user:1", {"sms": "+15550001", "other": "+15550001"})
BOB = Recipient("user:2", {"sms": "+15550002"})


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracers(spans: InMemorySpanExporter) -> TracerProvider:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    return provider


@pytest.fixture
def reader() -> InMemoryMetricReader:
    return InMemoryMetricReader()


@pytest.fixture
def meters(reader: InMemoryMetricReader) -> Iterator[MeterProvider]:
    provider = MeterProvider([reader])
    yield provider
    provider.shutdown()


@pytest.fixture
def make(tmp_path: Path, tracers: TracerProvider, meters: MeterProvider) -> Callable[..., Notifier]:
    (tmp_path / "hello").mkdir()
    (tmp_path / "hello" / "sms.text.j2").write_text("Hello")

    def make(*channels: ScriptedChannel, **options: Any) -> Notifier:
        named = dict(zip(("sms", "other"), channels, strict=False))
        policies = dict.fromkeys(named, ChannelPolicy(concurrency=1, retry=RetryPolicy(backoff=constant(timedelta(0)))))
        options = {"bus": MemoryBus(), "observers": [observer(tracers, meters)], "unsubscribe": None, **options}
        return Notifier(channels=named, policies=policies, templates=tmp_path, **options)

    return make


def named(spans: InMemorySpanExporter, name: str) -> list[ReadableSpan]:
    return [each for each in spans.get_finished_spans() if each.name == name]


def parent(span: ReadableSpan) -> int | None:
    return span.parent.span_id if span.parent else None


async def test_the_trace_goes_with_the_message_to_the_process_that_sends_it(
    make: Callable[..., Notifier], spans: InMemorySpanExporter, tracers: TracerProvider, tmp_path: Path
) -> None:
    inside: list[Any] = []

    async def send(message: Message) -> str:
        inside.append(trace.get_current_span().get_span_context().span_id)
        return "id"

    async with make(ScriptedChannel(), bus=SQLiteBus(tmp_path / "bus.db")) as application:
        with tracers.get_tracer("application").start_as_current_span("POST /orders"), request("req-7"):
            (receipt,) = await application.enqueue(ADA, "hello", via=["sms"])
    async with make(ScriptedChannel(TransientError("busy"), send), bus=SQLiteBus(tmp_path / "bus.db")) as worker:
        await worker.drain()

    (asked,), (enqueued,), (failed, sent) = (named(spans, name) for name in ("POST /orders", "enqueue sms", "send sms"))
    assert parent(enqueued) == asked.context.span_id
    assert parent(failed) == parent(sent) == enqueued.context.span_id
    assert len({each.context.trace_id for each in (asked, enqueued, failed, sent)}) == 1
    assert inside == [sent.context.span_id]  # so that what the HTTP client makes is its child
    assert [each.kind for each in (enqueued, failed, sent)] == [SpanKind.PRODUCER, SpanKind.CONSUMER, SpanKind.CONSUMER]
    common = {
        "messaging.system": "notifykit",
        "messaging.destination.name": "sms",
        "messaging.message.id": receipt.message_id,
        "notifykit.lane": "transactional",
        "notifykit.template": "hello",
        "notifykit.request_id": "req-7",
    }
    assert dict(enqueued.attributes or {}) == {**common, "messaging.operation.name": "enqueue", "messaging.operation.type": "send"}
    assert dict(sent.attributes or {}) == {**common, "messaging.operation.name": "send", "messaging.operation.type": "process"}
    assert dict(failed.attributes or {}) == {**dict(sent.attributes or {}), "error.type": "TransientError"}
    assert (failed.status.status_code, failed.status.description) == (StatusCode.ERROR, "busy")


class Courier(ScriptedChannel):
    """Carries files, and says of each message what it is rendered to."""

    carries_attachments = True

    def __init__(self) -> None:
        super().__init__()
        self.rendered: list[str] = []
        self.files: list[tuple[str, bytes | None]] = []

    def parts_for(self, message: Message) -> Mapping[str, Part]:
        self.rendered.append(message.id)
        return self.parts

    async def send(self, address: Address, content: Content, message: Message) -> str | None:
        self.files += [(each.name, each.data) for each in message.attachments]
        return await super().send(address, content, message)


@pytest.mark.parametrize("at_once", [True, False])
async def test_a_traced_channel_sends_what_it_would_send_untraced(make: Callable[..., Notifier], at_once: bool) -> None:
    channel = Courier()
    async with make(channel) as notifier:
        put = notifier.send if at_once else notifier.enqueue
        (receipt,) = await put(ADA, "hello", via=["sms"], attachments=[Attachment("a.txt", b"file")])
        if not at_once:
            await notifier.drain()
    assert channel.files == [("a.txt", b"file")]
    assert receipt.message_id in channel.rendered


def test_a_traced_channel_leaves_nothing_to_the_class_above() -> None:
    owners = {"from_url", "open", "close"}  # who made it makes, opens and closes it
    own = vars(Traced).keys() | vars(Traced(ScriptedChannel(), [])).keys()
    assert {name for name in (*vars(Channel), *Channel.__annotations__) if not name.startswith("_")} - owners - own == set()


async def test_each_message_of_a_batch_has_a_creation_of_its_own(make: Callable[..., Notifier], spans: InMemorySpanExporter) -> None:
    async with make(ScriptedChannel()) as notifier:
        await notifier.campaign("june", "hello", [ADA, BOB], via=["sms"])
        await notifier.drain()
    enqueued, sent = named(spans, "enqueue sms"), named(spans, "send sms")
    assert {each.context.span_id for each in enqueued} == {parent(each) for each in sent}
    assert len({each.context.trace_id for each in sent}) == 2
    assert {(each.attributes or {})["messaging.operation.type"] for each in enqueued} == {"create"}
    assert {(each.attributes or {})["notifykit.group"] for each in sent} == {"june"}


async def test_a_fallback_stays_in_the_trace(make: Callable[..., Notifier], spans: InMemorySpanExporter) -> None:
    async with make(ScriptedChannel(PermanentError("no")), ScriptedChannel()) as notifier:
        await notifier.enqueue(ADA, "hello", via=fallback("sms", "other"))
        await notifier.drain()
    (enqueued,), (first,), (second,) = (named(spans, name) for name in ("enqueue sms", "send sms", "send other"))
    assert parent(first) == parent(second) == enqueued.context.span_id


async def test_an_address_that_moved_stays_in_the_trace(make: Callable[..., Notifier], spans: InMemorySpanExporter) -> None:
    channel = ScriptedChannel(AddressMovedError("moved", new_address="+15550009"))
    async with make(channel) as notifier:
        await notifier.enqueue(ADA, "hello", via=["sms"])
        await notifier.drain()
    assert [address for address, _ in channel.sent] == ["+15550009"]
    (enqueued,), (first, second) = named(spans, "enqueue sms"), named(spans, "send sms")
    assert parent(first) == parent(second) == enqueued.context.span_id


@pytest.mark.parametrize(("module", "package"), [("opentelemetry", "opentelemetry"), ("prometheus", "prometheus_client")])
def test_without_its_package_an_integration_says_what_to_install(module: str, package: str) -> None:
    tried = f"import sys; sys.modules[{package!r}] = None\ntry:\n    import notifykit.telemetry.{module}"
    code = f"{tried}\nexcept ImportError as error:\n    print(error)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=15)
    assert 'pip install "notifykit[' in done.stdout


async def test_a_send_past_the_queue_is_a_span_of_the_caller(
    make: Callable[..., Notifier], spans: InMemorySpanExporter, tracers: TracerProvider
) -> None:
    async with make(ScriptedChannel()) as notifier:
        with tracers.get_tracer("application").start_as_current_span("asked"):
            await notifier.send(ADA, "hello", via=["sms"])
    (asked,), (sent,) = named(spans, "asked"), named(spans, "send sms")
    assert (parent(sent), sent.kind) == (asked.context.span_id, SpanKind.CLIENT)


async def test_what_the_bus_did_not_take_is_a_failed_span(make: Callable[..., Notifier], spans: InMemorySpanExporter) -> None:
    notifier = make(ScriptedChannel())
    with pytest.raises(BusClosedError):
        await notifier.enqueue(ADA, "hello", via=["sms"])
    (enqueued,) = named(spans, "enqueue sms")
    assert (enqueued.status.status_code, (enqueued.attributes or {})["error.type"]) == (StatusCode.ERROR, "BusClosedError")


async def test_a_foreign_exception_leaves_its_type_and_not_its_text(make: Callable[..., Notifier], spans: InMemorySpanExporter) -> None:
    async with make(ScriptedChannel(ValueError("+15550001 hunter2"))) as notifier:
        await notifier.send(ADA, "hello", via=["sms"])
    (sent,) = named(spans, "send sms")
    assert (sent.attributes or {})["error.type"] == "ValueError"
    assert "hunter2" not in sent.to_json()
    assert sent.events == ()


class _Broken:
    """A tracer that fails wherever it is asked to."""

    def __init__(self, *places: str) -> None:
        self.places = places

    def __call__(self, event: object, /) -> None:
        pass

    def _at(self, place: str) -> None:
        if place in self.places:
            raise LookupError(place)

    @contextmanager
    def enqueueing(self, messages: Sequence[Message]) -> Iterator[Sequence[Message]]:
        self._at("entering")
        yield messages
        self._at("leaving")

    @contextmanager
    def sending(self, message: Message) -> Iterator[None]:
        self._at("entering")
        try:
            yield
        except PermanentError:
            self._at("raising")  # else it swallows the error
        self._at("leaving")


@pytest.mark.parametrize("place", ["entering", "leaving", "raising", "nowhere"])
async def test_a_tracer_that_fails_costs_nothing_but_a_log_line(
    make: Callable[..., Notifier], caplog: pytest.LogCaptureFixture, place: str
) -> None:
    channel = ScriptedChannel(None, PermanentError("no"))
    with caplog.at_level(logging.ERROR, "notifykit"):
        async with make(channel, observers=[_Broken(place)]) as notifier:
            await notifier.enqueue([ADA, BOB], "hello", via=["sms"])
            await notifier.drain()
            counters = (await notifier.stats()).counters["sms", Lane.TRANSACTIONAL]
    assert (counters.acked, counters.died) == (1, 1)
    assert ("a tracer failed" in caplog.text) == (place != "nowhere")


def read(reader: InMemoryMetricReader) -> dict[str, Any]:
    data = reader.get_metrics_data()
    return {} if data is None else {m.name: m for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics}


def points(metric: Any) -> dict[frozenset[Any], Any]:
    return {frozenset((point.attributes or {}).items()): point for point in metric.data.data_points}


async def test_metrics_count_time_and_measure(make: Callable[..., Notifier], reader: InMemoryMetricReader, meters: MeterProvider) -> None:
    async with make(ScriptedChannel(TransientError("busy"))) as notifier:
        await notifier.enqueue([ADA, BOB], "hello", via=["sms"])
        await notifier.drain()
        await notifier.enqueue(ADA, "hello", via=["sms"])
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watch, notifier.bus, timedelta(hours=1), meters)
            await anyio.wait_all_tasks_blocked()
            found = read(reader)
            tasks.cancel_scope.cancel()
    assert {name: (each.unit, each.description) for name, each in found.items()} == {name: each[1:] for name, each in METRICS.items()}
    where = {("messaging.system", "notifykit"), ("messaging.destination.name", "sms"), ("notifykit.lane", "transactional")}
    (sent,) = points(found["messaging.client.sent.messages"]).items()
    assert (sent[0], sent[1].value) == (frozenset({*where, ("messaging.operation.name", "enqueue")}), 3)
    times = points(found["messaging.process.duration"])
    process = {*where, ("messaging.operation.name", "send")}
    assert times[frozenset(process)].count == 2
    assert times[frozenset({*process, ("error.type", "TransientError")})].count == 1
    events = {dict(key)["event"]: point.value for key, point in points(found["notifykit.events"]).items()}
    assert events == {"Enqueued": 3, "Retried": 1, "Delivered": 2}
    lane = ("lane", "transactional")
    depths = {dict(key)["state"]: point.value for key, point in points(found["notifykit.bus.messages"]).items() if lane in key}
    assert depths == {"ready": 1, "scheduled": 0, "claimed": 0, "dead": 0}
    assert not {"notifykit.bus.messages", "notifykit.bus.oldest_ready"} & set(read(reader))  # nobody watches any more
