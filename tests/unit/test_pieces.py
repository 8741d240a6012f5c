"""A notification in several pieces is one delivery: a retry goes on where the last attempt stopped, whatever stopped it."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import anyio
import pytest

from notifykit import (
    ChannelPolicy,
    Content,
    Delivery,
    Lane,
    Markup,
    Message,
    Notifier,
    Part,
    Recipient,
    RetryPolicy,
    Status,
    constant,
    fallback,
)
from notifykit._outcomes import Ack, Bury, Outcome, Reason, Release, Retry
from notifykit._worker.pieces import Sent, resumable, resumed
from notifykit.buses.memory import MemoryBus
from notifykit.channels.telegram import TelegramChannel
from notifykit.errors import (
    AddressMovedError,
    BusUnavailableError,
    ChannelUnavailableError,
    OutcomeUnknownError,
    PermanentError,
    RateLimitedError,
    TransientError,
)
from notifykit.events import Delivered, Event, Postponed, Released, Retried
from tests._channel import ScriptedChannel
from tests._http_server import HttpServer, Step, reply_json, reset_without_answer, silence

ADA = Recipient("user:1", {"telegram": 42, "sms": "+15550001"})
AT_ONCE = RetryPolicy(backoff=constant(timedelta(0)))
NO_LIMITS = ChannelPolicy(limits="")
THREE = Content({"text": "a"}, 1, (Content({"text": "b"}, 2), Content({"text": "c"}, 3)))
NOW = datetime(2026, 5, 1, tzinfo=UTC)

# -- the pure part


def test_what_was_sent_comes_back_from_its_progress() -> None:
    sent = Sent(THREE).and_next("7").and_next(None)
    assert resumed(sent.progress, THREE) == sent
    assert [each["text"] for each in sent.left] == ["c"]
    assert (sent.provider_id, sent.and_next("9").provider_id, Sent(THREE).provider_id) == ("7", "7,9", None)


@pytest.mark.parametrize("progress", [b"", b"[]", b"5", b"null", b"half", b"\xff", b'["another digest","7"]', b'["","7","8","9","10"]'])
def test_a_progress_that_means_nothing_starts_anew(progress: bytes) -> None:
    assert resumed(progress, THREE) == Sent(THREE)


def test_what_renders_otherwise_by_now_starts_anew() -> None:
    progress = Sent(THREE).and_next("7").progress
    assert resumed(progress, Content({"text": "A"}, 1, THREE.rest)).provider_ids == ()
    assert resumed(progress, Content({"text": "a"}, 1, (Content({"text": "B"}, 2),))).provider_ids == ("7",)


@pytest.mark.parametrize(
    ("outcome", "kept"),
    [
        (Retry(NOW, "x", b"old"), Retry(NOW, "x", Sent(THREE, ("7",)).progress)),
        (Release(NOW), Release(NOW, Sent(THREE, ("7",)).progress)),
        (Bury(Reason.REJECTED), Bury(Reason.REJECTED)),
        (Ack(), Release(None, Sent(THREE, ("7", None)).progress)),
    ],
)
def test_an_outcome_keeps_what_was_sent(outcome: Outcome, kept: Outcome) -> None:
    assert resumable(outcome, Sent(THREE, ("7",))) == kept


def test_an_outcome_is_left_alone_when_nothing_or_all_was_sent() -> None:
    for outcome in (Retry(NOW, "x", b"old"), Release(NOW)):
        assert resumable(outcome, Sent(THREE)) == outcome
    for provider_ids in (("7", "8"), ("7", "8", "9")):
        assert resumable(Ack(), Sent(THREE, provider_ids)) == Ack()


# -- through Telegram's channel, on a real socket

LONG = [f"{letter * 3990}\\." for letter in "abc"]


def fine(number: int) -> Step:
    return reply_json(200, {"ok": True, "result": {"message_id": number}})


def refusal(status: int, **parameters: Any) -> Step:
    return reply_json(status, {"ok": False, "error_code": status, "description": "x", "parameters": parameters})


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with HttpServer() as server:
        yield server


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def templates(tmp_path: Path) -> Path:
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "telegram.text.j2").write_text("{% for each in lines %}*{{ each }}*\n{% endfor %}")
    (tmp_path / "report" / "sms.text.j2").write_text("{{ lines|join(' ') }}")
    (tmp_path / "report" / "template.toml").write_text('[overflow]\ntelegram.text = "split"\nsms.text = "split"\n')
    return tmp_path


Make = Callable[..., Notifier]


@pytest.fixture
def make(templates: Path, events: list[Event], server: HttpServer) -> Make:
    def notifier(**options: Any) -> Notifier:
        patience = timedelta(seconds=2)
        channel = TelegramChannel("123456:AAF-secret", base_url=server.url, timeout=patience, connect_timeout=patience)
        options = {"retry": AT_ONCE, "policies": {"telegram": NO_LIMITS}} | options
        return Notifier(MemoryBus(), channels={"telegram": channel}, templates=templates, observers=[events.append], **options)

    return notifier


def texts(server: HttpServer) -> list[str]:
    return [each.json["text"][1:4] for each in server.requests]


def lines() -> dict[str, Any]:
    return {"lines": [each.replace("\\", "") for each in LONG]}


FAILURES: dict[str, tuple[Step, type[Event]]] = {
    "429": (refusal(429, retry_after=0.1), Released),
    "500": (refusal(500), Retried),
    "lost": (reset_without_answer, Retried),
    "silence": (silence, Retried),
    "wrong token": (refusal(401), Released),
}


@pytest.mark.anyio
@pytest.mark.parametrize(("step", "event"), FAILURES.values(), ids=FAILURES)
async def test_a_retry_sends_only_what_was_not_sent(
    make: Make, events: list[Event], server: HttpServer, step: Step, event: type[Event]
) -> None:
    server.plays(fine(1), step, fine(2), fine(3))
    async with make() as notifier:
        await notifier.enqueue(ADA, "report", lines())
        await notifier.drain()
    assert texts(server) == ["aaa", "bbb", "bbb", "ccc"]
    assert all(each.json["text"].endswith("\\.*") and each.json["parse_mode"] == "MarkdownV2" for each in server.requests)
    assert [type(each) for each in events if isinstance(each, Delivered | Retried | Released)] == [event, Delivered]
    (delivered,) = [each for each in events if isinstance(each, Delivered)]
    assert delivered.provider_id == "1,2,3"


@pytest.mark.anyio
async def test_each_attempt_goes_on_from_the_last(make: Make, events: list[Event], server: HttpServer) -> None:
    server.plays(refusal(500), fine(1), refusal(500), fine(2), refusal(500), fine(3))
    async with make() as notifier:
        await notifier.enqueue(ADA, "report", lines())
        await notifier.drain()
    assert texts(server) == ["aaa", "aaa", "bbb", "bbb", "ccc", "ccc"]
    assert [each.provider_id for each in events if isinstance(each, Delivered)] == ["1,2,3"]


@pytest.mark.anyio
async def test_a_send_at_once_sends_all_pieces(make: Make, server: HttpServer) -> None:
    server.plays(fine(1), fine(2), fine(3))
    async with make() as notifier:
        (receipt,) = await notifier.send(ADA, "report", lines())
        assert (receipt.status, receipt.provider_id) == (Status.SENT, "1,2,3")
        server.plays(fine(4), refusal(500))
        (receipt,) = await notifier.send(ADA, "report", lines())
        assert (receipt.status, receipt.provider_id, type(receipt.error)) == (Status.FAILED, "4", TransientError)
    assert texts(server) == ["aaa", "bbb", "ccc", "aaa", "bbb"]


@pytest.mark.anyio
async def test_a_send_at_once_without_room_for_all_sends_nothing(make: Make, server: HttpServer) -> None:
    server.plays(fine(1))
    async with make(policies={"telegram": ChannelPolicy(limits="2/hour")}) as notifier:
        (receipt,) = await notifier.send(ADA, "report", lines())
    assert isinstance(receipt.error, RateLimitedError)
    assert server.requests == []


# -- through the worker, with a scripted provider


class ShortMessages(ScriptedChannel):
    parts: ClassVar[Any] = {"text": Part(Markup.TEXT, limit=3)}


def short(templates: Path, events: list[Event], channel: ShortMessages, **options: Any) -> Notifier:
    options = {"retry": AT_ONCE} | options
    return Notifier(
        options.pop("bus", None) or MemoryBus(), channels={"sms": channel}, templates=templates, observers=[events.append], **options
    )


async def deliver(notifier: Notifier, **options: Any) -> None:
    async with notifier:
        await notifier.enqueue(ADA, "report", {"lines": ["one", "two", "six"]}, **options)
        await notifier.drain()


def words(channel: ShortMessages) -> list[str]:
    return [text for _, text in channel.sent]


@pytest.mark.anyio
@pytest.mark.parametrize(
    "error",
    [TransientError(), RateLimitedError(retry_after=timedelta(0)), OutcomeUnknownError(), ChannelUnavailableError(), ValueError()],
    ids=repr,
)
async def test_whatever_stops_it_the_rest_follows(templates: Path, events: list[Event], error: Exception) -> None:
    channel = ShortMessages(None, error)
    await deliver(short(templates, events, channel))
    assert words(channel) == ["one", "two", "six"]


@pytest.mark.anyio
async def test_a_time_limit_holds_for_each_piece_and_keeps_those_before(templates: Path, events: list[Event]) -> None:
    async def never(_: Message) -> str | None:
        await anyio.sleep_forever()
        raise AssertionError

    channel = ShortMessages(None, never)
    await deliver(short(templates, events, channel, policies={"sms": ChannelPolicy(send_timeout=timedelta(seconds=1))}))
    assert words(channel) == ["one", "two", "six"]


@pytest.mark.anyio
async def test_each_piece_takes_its_place_in_the_limits_and_waiting_costs_no_attempt(templates: Path, events: list[Event]) -> None:
    channel = ShortMessages()
    await deliver(short(templates, events, channel, policies={"sms": ChannelPolicy(limits="2/second")}))
    assert words(channel) == ["one", "two", "six"]
    assert len([each for each in events if isinstance(each, Postponed)]) == 1
    assert [each.attempt for each in events if isinstance(each, Delivered)] == [1]


@pytest.mark.anyio
async def test_an_unknown_piece_that_is_assumed_sent_is_followed_by_the_rest(templates: Path, events: list[Event]) -> None:
    channel = ShortMessages(None, OutcomeUnknownError())
    await deliver(short(templates, events, channel, retry=RetryPolicy(unknown_transactional="assume_sent")))
    assert words(channel) == ["one", "six"]
    assert [(each.attempt, each.provider_id) for each in events if isinstance(each, Delivered)] == [(1, "sms-0,sms-1")]


@pytest.mark.anyio
async def test_an_at_most_once_message_whose_first_piece_went_is_never_sent_again(templates: Path, events: list[Event]) -> None:
    channel = ShortMessages(None, TransientError())
    await deliver(short(templates, events, channel), delivery=Delivery.AT_MOST_ONCE)
    assert words(channel) == ["one"]
    begins = ShortMessages(TransientError())
    await deliver(short(templates, events, begins), delivery=Delivery.AT_MOST_ONCE)
    assert words(begins) == ["one", "two", "six"]


@pytest.mark.anyio
@pytest.mark.parametrize("error", [PermanentError("no"), AddressMovedError("moved", new_address="+15550002")], ids=repr)
async def test_a_direct_send_at_most_once_whose_first_piece_went_goes_nowhere_else(templates: Path, error: Exception) -> None:
    channel, other = ShortMessages(None, error), ShortMessages()
    async with Notifier(MemoryBus(), channels={"sms": channel, "other": other}, templates=templates) as notifier:
        whole = {"lines": ["one", "two", "six"]}
        (receipt,) = await notifier.send(ADA, "report", whole, via=fallback("sms", "other"), delivery=Delivery.AT_MOST_ONCE)
    assert (receipt.status, receipt.error, receipt.provider_id) == (Status.UNKNOWN, error, "sms-0")
    assert (words(channel), words(other)) == (["one"], [])
    begins = ShortMessages(error)
    async with Notifier(MemoryBus(), channels={"sms": begins, "other": other}, templates=templates) as notifier:
        await notifier.send(ADA, "report", whole, via=fallback("sms", "other"), delivery=Delivery.AT_MOST_ONCE)
    assert words(begins) + words(other) == ["one", "two", "six"], "nothing of it had gone"


@pytest.mark.anyio
async def test_a_direct_send_takes_no_place_where_there_is_room_for_a_part_of_it_alone(templates: Path, events: list[Event]) -> None:
    channel, three = ShortMessages(), ["one", "two", "six"]
    async with short(templates, events, channel, policies={"sms": ChannelPolicy(limits="5/hour")}) as notifier:
        receipts = [(await notifier.send(ADA, "report", {"lines": each}))[0] for each in (three, three, ["one"], ["two"])]
    assert [each.status for each in receipts] == [Status.SENT, Status.FAILED, Status.SENT, Status.SENT]
    assert isinstance(receipts[1].error, RateLimitedError)
    assert receipts[1].error.retry_after == timedelta(hours=1)
    assert words(channel) == ["one", "two", "six", "one", "two"]


@pytest.mark.anyio
async def test_an_at_most_once_message_waits_for_no_room_once_begun(templates: Path, events: list[Event]) -> None:
    channel = ShortMessages()
    await deliver(short(templates, events, channel, policies={"sms": ChannelPolicy(limits="1/second")}), delivery=Delivery.AT_MOST_ONCE)
    assert words(channel) == ["one", "two", "six"]
    assert [type(each) for each in events if isinstance(each, Delivered | Postponed)] == [Delivered]


@pytest.mark.anyio
async def test_a_worker_that_is_stopped_in_the_middle_leaves_the_rest_to_the_next(templates: Path, events: list[Event]) -> None:
    began = anyio.Event()

    async def hang(_: Message) -> str | None:
        began.set()
        await anyio.sleep_forever()
        raise AssertionError

    bus = MemoryBus()
    channel = ShortMessages(None, hang)
    async with short(templates, events, channel, bus=bus, grace=timedelta(milliseconds=20)) as notifier:
        await notifier.enqueue(ADA, "report", {"lines": ["one", "two", "six"]})
        async with anyio.create_task_group() as group:
            group.start_soon(notifier.run)
            await began.wait()
            group.cancel_scope.cancel()
        await notifier.drain()
    assert words(channel) == ["one", "two", "six"]


@pytest.mark.anyio
async def test_a_bus_that_is_away_between_two_pieces_costs_no_repetition(
    templates: Path, events: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    notifier: Notifier

    async def go_away(_: Message) -> str | None:
        ledger, acquire = notifier.bus.ledger, notifier.bus.ledger.acquire  # type: ignore[union-attr]

        async def away(windows: Any) -> Any:
            monkeypatch.setattr(ledger, "acquire", acquire)
            raise BusUnavailableError

        monkeypatch.setattr(ledger, "acquire", away)
        return "sms-0"

    channel = ShortMessages(go_away)
    notifier = short(templates, events, channel, policies={"sms": ChannelPolicy(limits="100/second")})
    await deliver(notifier)
    assert words(channel) == ["one", "two", "six"]


@pytest.mark.anyio
async def test_a_piece_that_is_refused_for_good_ends_the_delivery(templates: Path, events: list[Event]) -> None:
    channel = ShortMessages(None, PermanentError())
    notifier = short(templates, events, channel)
    await deliver(notifier)
    assert words(channel) == ["one"]


@pytest.mark.anyio
async def test_a_channel_sees_which_piece_it_sends(templates: Path, events: list[Event]) -> None:
    numbers: list[int] = []

    class Numbered(ShortMessages):
        async def send(self, address: Any, content: Content, message: Message) -> str | None:
            numbers.append(content.number)
            return await super().send(address, content, message)

    await deliver(short(templates, events, Numbered(None, TransientError())), lane=Lane.CAMPAIGN)
    assert numbers == [1, 2, 2, 3]
