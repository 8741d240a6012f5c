"""The synchronous front."""

import inspect
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import anyio
import pytest

import notifykit
from notifykit import Attachment, Filter, Message, Outbox, Recipient, Status, UnsubscribeLinks, blocking, fallback, request
from notifykit.abc import Bus
from notifykit.buses.memory import MemoryBus
from notifykit.buses.redis import RedisBus
from notifykit.buses.sqlite import SQLiteBus
from notifykit.errors import (
    BusClosedError,
    ConfigurationError,
    ForeignStoreError,
    NoAddressError,
    NotifykitError,
    PermanentError,
    UnknownRecipientError,
    UnknownTemplateError,
)
from notifykit.events import Enqueued, Event
from tests._channel import ScriptedChannel
from tests._redis import some_server, unused_name

ADA = Recipient("user:1", {"sms": "+15550001"})
PEOPLE = {"ada": ADA, "bob": Recipient("bob")}


@pytest.fixture
def channel() -> ScriptedChannel:
    return ScriptedChannel()


@pytest.fixture
def make(tmp_path: Path, channel: ScriptedChannel) -> Callable[..., blocking.Notifier]:
    (tmp_path / "hello").mkdir()
    (tmp_path / "hello" / "sms.text.j2").write_text("Hello {{ name }}")

    def make(bus: Bus | None = None, **options: Any) -> blocking.Notifier:
        return blocking.Notifier(bus or MemoryBus(), channels={"sms": channel}, templates=tmp_path, **options)

    return make


@pytest.fixture
def notifier(make: Callable[..., blocking.Notifier]) -> blocking.Notifier:
    return make()


# -- the same calls


def public(kind: type) -> dict[str, inspect.Signature]:
    """Return the signatures of the public methods of a class, without annotations."""
    found = {}
    for name, each in inspect.getmembers(kind, inspect.isroutine):
        if not name.startswith("_"):
            signature = inspect.signature(each)
            plain = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in signature.parameters.values()]
            found[name] = signature.replace(parameters=plain, return_annotation=inspect.Signature.empty)
    return found


def test_every_call_of_the_asynchronous_notifier_is_there_with_the_same_arguments() -> None:
    assert public(blocking.Notifier) == public(notifykit.Notifier)


def test_none_of_its_calls_has_to_be_awaited() -> None:
    calls = [getattr(blocking.Notifier, name) for name in public(blocking.Notifier)]
    assert not any(inspect.iscoroutinefunction(each) or inspect.isasyncgenfunction(each) for each in calls)


# -- threads


def test_enqueued_from_many_threads_each_message_is_delivered_once(notifier: blocking.Notifier, channel: ScriptedChannel) -> None:
    with notifier, ThreadPoolExecutor(8) as threads:
        receipts = list(threads.map(lambda n: notifier.enqueue(ADA, "hello", {"name": n}), range(100)))
        notifier.drain()
    assert {each.status for (each,) in receipts} == {Status.QUEUED}
    assert sorted(text for _, text in channel.sent) == sorted(f"Hello {n}" for n in range(100))


def test_opened_and_closed_from_many_threads_it_is_opened_once_and_closed_once(notifier: blocking.Notifier) -> None:
    begin = threading.Barrier(8)

    def use(number: int) -> None:
        begin.wait(10)
        notifier.open()
        notifier.enqueue(ADA, "hello", {"name": number})

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(use, range(8)))
    assert sum(each.name == "notifykit loop" for each in threading.enumerate()) == 1
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: notifier.close(), range(8)))
    assert not any(each.name == "notifykit loop" for each in threading.enumerate())


@pytest.fixture(params=["memory", "sqlite", "redis"])
def bus(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bus]:
    match request.param:
        case "memory":
            yield MemoryBus()
        case "sqlite":
            yield SQLiteBus(tmp_path / "bus.db")
        case "redis":
            with some_server() as url:
                yield RedisBus(url, name=unused_name())


def test_what_concerns_the_bus_alone_is_done_in_the_thread_that_calls(make: Callable[..., blocking.Notifier], bus: Bus) -> None:
    heard: list[tuple[str, str, str | None]] = []

    def hear(event: Event) -> None:
        if isinstance(event, Enqueued):
            heard.append((threading.current_thread().name, event.channel, event.request_id))

    with make(bus, observers=[hear]) as notifier, ThreadPoolExecutor(4, thread_name_prefix="caller") as threads:

        def call(number: int) -> None:
            with request(f"req-{number}"):
                notifier.enqueue(ADA, "hello", {"name": number})

        list(threads.map(call, range(40)))
        assert sum(depth.ready for depth in notifier.stats().depths.values()) == 40
        notifier.suppress("sms", "+15550001")
        assert notifier.enqueue(ADA, "hello", {"name": "x"})[0].status is Status.SUPPRESSED
        notifier.unsuppress("sms", "+15550001")
        assert len(notifier.cancel(Filter(channel="sms")).ids) == 40
        assert notifier.dead_letters() == []
        assert notifier.replay().ids == notifier.purge().ids == ()
    assert {name.rpartition("_")[0] for name, _, _ in heard} == {"caller"}
    assert {request_id for _, _, request_id in heard} == {f"req-{number}" for number in range(40)}


class LoopedBus(MemoryBus):
    """A third party's, which knows nothing of callers without an event loop."""

    loopless: ClassVar[bool] = False

    async def stats(self) -> Any:
        await anyio.lowlevel.checkpoint()
        return await super().stats()


def test_a_bus_that_needs_an_event_loop_gets_one(make: Callable[..., blocking.Notifier]) -> None:
    with make(LoopedBus()) as notifier:
        notifier.enqueue(ADA, "hello", {"name": "x"})
        assert sum(depth.ready for depth in notifier.stats().depths.values()) == 1


def test_a_bus_that_waits_though_it_says_it_does_not_is_told_of(make: Callable[..., blocking.Notifier]) -> None:
    class Liar(MemoryBus):
        async def stats(self) -> Any:
            class Suspended:
                def __await__(self) -> Iterator[None]:
                    yield

            await Suspended()  # type: ignore[misc]

    with make(Liar()) as notifier, pytest.raises(TypeError, match="waits for an event loop"):
        notifier.stats()


@pytest.mark.anyio
async def test_called_where_an_event_loop_runs_it_works_all_the_same(make: Callable[..., blocking.Notifier], tmp_path: Path) -> None:
    with make(SQLiteBus(tmp_path / "bus.db")) as notifier:
        assert notifier.enqueue(ADA, "hello", {"name": "x"})[0].status is Status.QUEUED
        assert sum(depth.ready for depth in notifier.stats().depths.values()) == 1


# -- recipients


def test_a_plain_function_may_find_recipients_and_is_called_where_the_caller_is(
    make: Callable[..., blocking.Notifier], channel: ScriptedChannel
) -> None:
    asked: list[tuple[str, threading.Thread]] = []

    def find(recipient_id: str) -> Recipient | None:
        asked.append((recipient_id, threading.current_thread()))
        return PEOPLE.get(recipient_id)

    with make(find_recipient=find, unsubscribe=None) as notifier:
        notifier.enqueue(["ada", ADA], "hello", {"name": "x"})
        notifier.send("ada", "hello", {"name": "x"})
        assert notifier.test_send("ada", "sms", "hello", {"name": "x"}).status is Status.SENT
        for call in (notifier.enqueue, notifier.send):
            with pytest.raises(UnknownRecipientError, match="eve"):
                call("eve", "hello", {"name": "x"})
        with pytest.raises(UnknownRecipientError, match="eve"):
            notifier.test_send("eve", "sms", "hello", {"name": "x"})
        assert {thread for _, thread in asked} == {threading.current_thread()}
        progress = notifier.campaign("june", "hello", ["ada", "eve", "bob"], {"name": "x"})
        assert (progress.enqueued, progress.refused, [who for who, _ in progress.errors]) == (1, 2, ["eve", "bob"])


@pytest.mark.parametrize("raises", [False, True])
def test_who_is_not_found_is_asked_for_once_in_the_thread_that_calls_and_refused(make: Callable[..., Any], raises: bool) -> None:
    asked: list[tuple[str, int]] = []

    def find(recipient_id: str) -> Recipient | None:
        asked.append((recipient_id, threading.get_ident()))
        if raises and recipient_id == "nobody":
            raise UnknownRecipientError("there is none", recipient_id=recipient_id)
        return PEOPLE.get(recipient_id)

    with make(find_recipient=find, unsubscribe=None) as notifier:
        progress = notifier.campaign("june", "hello", ["ada", "nobody"], {"name": "Ada"}, via=["sms"])
        assert (progress.enqueued, progress.refused, progress.errors[0][0]) == (1, 1, "nobody")
        assert asked == [(each, threading.get_ident()) for each in ("ada", "nobody")]
        for wrong in (None, ADA, "42"):
            with pytest.raises(ConfigurationError, match="several Recipients"):
                notifier.campaign("july", "hello", wrong, {"name": "Ada"})
        with pytest.raises(ConfigurationError, match="batch_size"):
            notifier.campaign("july", "hello", [ADA], {"name": "Ada"}, batch_size="x")
        with pytest.raises(ConfigurationError, match="Recipient"):
            notifier.test_send([ADA, ADA], "sms", "hello")


@pytest.mark.parametrize("who", ["ada", ADA])
def test_what_goes_into_an_outbox_needs_no_notifier_that_is_open(make: Callable[..., Any], tmp_path: Path, who: Any) -> None:
    async def find(recipient_id: str) -> Recipient | None:
        return PEOPLE.get(recipient_id)

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(tmp_path / "app.db")

    class Carrying(ScriptedChannel):
        carries_attachments = True

    outbox, channel = Outbox(connect), Carrying()
    notifier = blocking.Notifier(
        MemoryBus(),
        channels={"sms": channel},
        templates={"hello/sms.text.j2": "Hello"},
        outbox=outbox,
        find_recipient=find,
        attachments=tmp_path,
    )
    (tmp_path / "report.pdf").write_bytes(b"pdf")
    with closing(connect()) as connection:
        outbox.create(connection)
        for options in ({}, {"attachments": [Attachment("report.pdf", file="report.pdf")]}):
            (receipt,) = notifier.enqueue(who, "hello", connection=connection, **options)
            assert receipt.status is Status.QUEUED
        connection.commit()
    with notifier:
        notifier.drain()
    assert len(channel.sent) == 2


def test_an_asynchronous_function_may_find_recipients_too(make: Callable[..., blocking.Notifier], tmp_path: Path) -> None:
    async def find(recipient_id: str) -> Recipient | None:
        await anyio.lowlevel.checkpoint()
        return PEOPLE.get(recipient_id)

    with make(SQLiteBus(tmp_path / "bus.db"), find_recipient=find) as notifier:
        assert notifier.enqueue("ada", "hello", {"name": "x"})[0].status is Status.QUEUED
        with pytest.raises(NoAddressError):
            notifier.enqueue("bob", "hello", {"name": "x"})
        with pytest.raises(UnknownRecipientError):
            notifier.enqueue("eve", "hello", {"name": "x"})


def test_an_asynchronous_notifier_may_be_driven_and_without_a_way_to_find_them_ids_are_refused(tmp_path: Path) -> None:
    driven = notifykit.Notifier(MemoryBus(), channels={"sms": ScriptedChannel()})
    with blocking.Notifier(driven) as notifier, pytest.raises(ConfigurationError, match="find_recipient"):
        notifier.enqueue("ada", "entry_failure")


# -- campaigns


def test_a_campaign_reads_its_recipients_in_the_calling_thread_a_batch_at_a_time(make: Callable[..., blocking.Notifier]) -> None:
    read: list[threading.Thread] = []
    behind: list[int] = []
    enqueued = 0

    def people() -> Iterator[Recipient]:
        for number in range(10):
            read.append(threading.current_thread())
            behind.append(number - enqueued)
            yield Recipient(f"user:{number}", {"sms": f"+{number}"})

    def note(progress: Any) -> None:
        nonlocal enqueued
        enqueued = progress.enqueued

    with make(unsubscribe=None) as notifier:
        progress = notifier.campaign("june", "hello", people(), {"name": "x"}, batch_size=2, on_progress=note)
    assert (progress.enqueued, progress.recipients) == (10, 10)
    assert set(read) == {threading.current_thread()}
    assert max(behind) < 8  # it was not read to its end first


def test_a_campaign_that_fails_says_why_wherever_it_failed(make: Callable[..., blocking.Notifier]) -> None:
    def broken() -> Iterator[Recipient]:
        yield ADA
        raise LookupError("the database is away")

    with make(unsubscribe=None) as notifier:
        with pytest.raises(UnknownTemplateError):
            notifier.campaign("june", "helo", [ADA] * 5000, {"name": "x"}, batch_size=1)
        with pytest.raises(ConfigurationError, match="name"):
            notifier.campaign("", "hello", [ADA], {"name": "x"})
        with pytest.raises(LookupError, match="away"):
            notifier.campaign("june", "hello", broken(), {"name": "x"}, batch_size=1)
        assert notifier.campaign("june", "hello", [], {"name": "x"}).recipients == 0
        assert notifier.campaign("june", "hello", [ADA], {"name": "x"}).duplicates == 1


def test_a_campaign_can_be_held_up_and_called_off(make: Callable[..., blocking.Notifier]) -> None:
    with make(unsubscribe=None) as notifier:
        notifier.campaign("june", "hello", [ADA], {"name": "x"})
        notifier.pause_campaign("june")
        assert (notifier.campaign_status("june").state, notifier.campaign_status("june").waiting) == ("paused", 1)
        notifier.resume_campaign("june")
        assert notifier.cancel_campaign("june") == 1
        assert notifier.campaign_status("june").waiting == 0


def test_an_operator_has_every_call(make: Callable[..., blocking.Notifier], channel: ScriptedChannel) -> None:
    with make(unsubscribe=UnsubscribeLinks("https://acme.example/u", "k" * 20)) as notifier:
        (receipt,) = notifier.enqueue(ADA, "hello", {"name": "x"}, delay=timedelta(hours=1))
        waiting = notifier.receipt(receipt.message_id)
        assert waiting is not None
        assert waiting.status is Status.QUEUED
        assert notifier.advance(Filter()).ids == (receipt.message_id,)
        assert notifier.health().bus_reachable
        notifier.check()
        notifier.suppress("sms", "+15550001", "complaint")
        assert [each.reason for each in notifier.suppressions("sms").entries] == ["complaint"]
        notifier.unsubscribe_recipient("user:1", "sms")
        notifier.resubscribe_recipient("user:1", "sms")
        with pytest.raises(NotifykitError):
            notifier.unsubscribe("no token")
        with pytest.raises(ConfigurationError, match="outbox"):
            notifier.relay()


def test_an_attachment_may_be_found_by_a_function_that_waits(
    make: Callable[..., blocking.Notifier], channel: ScriptedChannel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ScriptedChannel, "carries_attachments", True)

    async def find(file: str) -> bytes:
        await anyio.lowlevel.checkpoint()
        return b"bill"

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(tmp_path / "shop.db")

    outbox = Outbox(connect)
    bill = Attachment("bill.pdf", file="81.pdf")
    with make(attachments=find, outbox=outbox) as notifier, closing(connect()) as shop:
        outbox.create(shop)
        assert notifier.enqueue(ADA, "hello", {"name": "x"}, attachments=[bill])[0].status is Status.QUEUED
        assert notifier.enqueue(ADA, "hello", {"name": "x"}, attachments=[bill], connection=shop)[0].status is Status.QUEUED
        shop.commit()
        assert notifier.relay() == 1


# -- sending and working


def test_send_answers_with_receipts(notifier: blocking.Notifier) -> None:
    with notifier:
        (receipt,) = notifier.send(ADA, "hello", {"name": "Ada"})
    assert (receipt.status, receipt.provider_id) == (Status.SENT, "sms-0")


def test_a_test_send_answers_with_its_receipt_and_how_long_it_took(notifier: blocking.Notifier, channel: ScriptedChannel) -> None:
    channel.script = [None, PermanentError("no")]
    with notifier:
        receipt = notifier.test_send(ADA, "sms", "hello", {"name": "Ada"})
        assert (receipt.status, receipt.provider_id) == (Status.SENT, "sms-0")
        assert receipt.delivery_time_ms is not None
        failed = notifier.test_send(ADA, "sms", "hello", {"name": "Ada"})
    assert failed.status is Status.FAILED
    with pytest.raises(PermanentError):
        failed.raise_for_status()


def test_a_worker_runs_in_a_thread_until_it_is_stopped(notifier: blocking.Notifier, channel: ScriptedChannel) -> None:
    taken = threading.Event()

    async def tell(message: object) -> None:
        taken.set()

    channel.script = [tell]
    with notifier:
        worker = threading.Thread(target=notifier.run)
        worker.start()
        notifier.enqueue(ADA, "hello", {"name": "Ada"})
        assert taken.wait(10)
        notifier.stop()
        worker.join(10)
        assert not worker.is_alive()


def test_a_worker_in_the_main_thread_is_stopped_by_a_signal_and_hurried_by_a_second(
    notifier: blocking.Notifier, channel: ScriptedChannel
) -> None:
    cut_off: list[str] = []

    async def hang(message: Message) -> str:
        signal.raise_signal(signal.SIGTERM)
        try:
            await anyio.sleep(0.0)
            signal.raise_signal(signal.SIGINT)
            await anyio.sleep_forever()
        finally:
            cut_off.append(message.id)
        raise AssertionError

    before = signal.getsignal(signal.SIGTERM)
    channel.script = [hang]
    with notifier:
        (receipt,) = notifier.enqueue(ADA, "hello", {"name": "Ada"})
        notifier.run(signals=True)
    assert cut_off == [receipt.message_id]
    assert signal.getsignal(signal.SIGTERM) is before


def test_errors_come_through_and_a_closed_notifier_says_so(notifier: blocking.Notifier) -> None:
    with notifier:
        with pytest.raises(UnknownTemplateError):
            notifier.enqueue(ADA, "helo", {"name": "Ada"})
        assert notifier.campaign("june", "hello", [ADA], {"name": "x"}).enqueued == 1
        assert notifier.cancel(Filter()).ids
        assert notifier.dead_letters() == []
        assert not any(depth.ready for depth in notifier.stats().depths.values())
    with pytest.raises(BusClosedError, match="not open"):
        notifier.stats()
    notifier.close()


def test_what_cannot_be_opened_leaves_no_thread_behind_and_may_be_tried_again(
    make: Callable[..., blocking.Notifier], tmp_path: Path
) -> None:
    (tmp_path / "bus.db").write_text("this is no database, but a letter to my aunt")
    notifier = make(SQLiteBus(tmp_path / "bus.db"))
    with pytest.raises(ForeignStoreError):
        notifier.open()
    assert not any(each.name == "notifykit loop" for each in threading.enumerate())
    (tmp_path / "bus.db").unlink()
    with notifier:
        assert notifier.enqueue(ADA, "hello", {"name": "x"})[0].status is Status.QUEUED


def test_it_cannot_be_closed_from_its_own_event_loop(notifier: blocking.Notifier, channel: ScriptedChannel) -> None:
    refused: list[BaseException] = []

    async def close(message: object) -> None:
        try:
            notifier._loop.stop()  # type: ignore[union-attr]
        except ConfigurationError as error:
            refused.append(error)

    channel.script = [close]
    with notifier:
        notifier.send(ADA, "hello", {"name": "x"})
    assert len(refused) == 1


def test_an_event_loop_that_cannot_be_made_says_why(notifier: blocking.Notifier, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("too many open files")

    monkeypatch.setattr(anyio, "run", refuse)
    with pytest.raises(OSError, match="too many open files"):
        notifier.open()


SCRIPT = """
import os, sys
from notifykit import Recipient, blocking
notifier = blocking.Notifier(sys.argv[1], channels={"email": "console://email"})
ada = Recipient("user:1", {"email": "ada@example.com"})
facts = dict(side="buy", symbol="A", quantity=1, price=1, reason="r", order_id=1, occurred_at="now")
notifier.open()
notifier.enqueue(ada, "entry_failure", facts)
"""


@pytest.mark.parametrize("url", ["memory://", "sqlite:///bus.db"])
def test_one_that_nobody_closed_keeps_no_interpreter_from_ending(tmp_path: Path, url: str) -> None:
    subprocess.run([sys.executable, "-c", SCRIPT, url], cwd=tmp_path, check=True, timeout=15)


FORKED = """
import warnings
from notifykit.errors import BusClosedError
warnings.simplefilter("ignore")  # Python 3.12 warns of forking with threads, which is what this is about
child = os.fork()
if child == 0:
    try:
        notifier.stats()
    except BusClosedError:
        notifier.open()
        notifier.enqueue(ada, "entry_failure", facts)
        notifier.send(ada, "entry_failure", facts)
        notifier.close()
        os._exit(7)
_, status = os.waitpid(child, 0)
assert os.waitstatus_to_exitcode(status) == 7
assert sum(depth.ready for depth in notifier.stats().depths.values()) == 2
notifier.close()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
def test_a_forked_child_opens_it_anew_and_the_parent_goes_on(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", SCRIPT + FORKED, "sqlite:///bus.db"], cwd=tmp_path, check=True, timeout=15)


def test_a_send_refuses_what_only_the_queue_can_keep_and_goes_on_along_a_fallback() -> None:
    channels = {"first": ScriptedChannel(PermanentError("no")), "second": ScriptedChannel()}
    both = Recipient("user:1", {"first": "+11", "second": "+12"})
    with blocking.Notifier(MemoryBus(), channels=channels, templates={"hello/sms.text.j2": "Hello"}) as notifier:
        with pytest.raises(ConfigurationError, match="Use enqueue"):
            notifier.send(both, "hello", idempotency_key="k")  # type: ignore[call-arg]
        receipts = notifier.send(both, "hello", via=fallback("first", "second"))
    assert [(each.channel, each.status) for each in receipts] == [("first", Status.FAILED), ("second", Status.SENT)]
