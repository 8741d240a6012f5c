"""Arguments of a wrong type or name are refused at once, in words that say what to write instead."""

import io
import threading
import traceback
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

import notifykit.blocking
from notifykit import (
    Address,
    ChannelPolicy,
    ConsoleChannel,
    Content,
    EmailChannel,
    Lane,
    Markup,
    Message,
    Notifier,
    Part,
    Recipient,
    RetryPolicy,
    Status,
    TelegramChannel,
    UnsubscribeLinks,
    fallback,
)
from notifykit._claims import Filter
from notifykit.abc import Channel
from notifykit.buses.memory import MemoryBus
from notifykit.errors import BrokenPluginError, BusClosedError, ConfigurationError, InvalidTokenError, MissingPartError, UnknownPluginError

TEMPLATES = {"hello/email.subject.j2": "Hello", "hello/email.text.j2": "Hello {{ name }}", "hello/telegram.text.j2": "Hello {{ name }}"}
CHANNELS = {"email": "console://email", "telegram": "console://telegram"}
ADA = Recipient("user:1", {"email": "ada@example.com", "telegram": 5})
BOB = Recipient("user:2", {"email": "bob@example.com"})


def made(bus: Any = "memory://", **options: Any) -> Notifier:
    return Notifier(bus, **{"channels": CHANNELS, "templates": TEMPLATES, **options})


CONSTRUCTED: dict[str, tuple[Callable[[], object], str]] = {
    "a path for a bus": (lambda: made(Path("notify.db")), "sqlite:///notify.db"),
    "nothing for a bus": (lambda: made(None), "bus takes a URL, as sqlite:///notify.db, or a Bus, not None"),
    "a misspelt scheme": (lambda: made("sqlit:///x.db"), "did you mean sqlite://"),
    "a list of channels": (lambda: made(channels=["console://email"]), "a mapping from names to channels or URLs"),
    "a class of a channel": (lambda: made(channels={"email": EmailChannel}), "channel email is the class EmailChannel: construct it"),
    "no channel": (lambda: made(channels={"email": None}), "channel email takes a Channel or a URL, not None"),
    "a number for a name": (lambda: made(channels={5: "console://email"}), "the name of a channel takes text, not int"),
    "an empty name": (lambda: made(channels={"": "console://email"}), "a channel needs a name"),
    "a text for a policy": (lambda: made(policies={"email": "1/hour"}), "the policy of email takes a ChannelPolicy"),
    "a list of policies": (lambda: made(policies=[ChannelPolicy()]), "policies takes a mapping"),
    "a number for retries": (lambda: made(retry=3), "retry takes a RetryPolicy"),
    "seconds for the grace": (lambda: made(grace=10), "grace takes a timedelta, as timedelta(seconds=25), not int"),
    "a negative grace": (lambda: made(grace=timedelta(-1)), "grace cannot be negative"),
    "seconds for the lease": (lambda: made(lease=30), "lease takes a timedelta"),
    "no lease": (lambda: made(lease=timedelta(0)), "a lease lasts more than nothing"),
    "one observer": (lambda: made(observers=print), "observers takes a list"),
    "no function for an observer": (lambda: made(observers=[5]), "observers takes a list of functions"),
    "no function to find people": (lambda: made(find_recipient={}), "find_recipient takes an async function, not dict"),
    "no function to ask": (lambda: made(should_send=True), "should_send takes an async function, not bool"),
    "a URL for the links": (lambda: made(unsubscribe="https://acme.example"), "UnsubscribeLinks(url, key)"),
    "days for dead letters": (lambda: made(keep_dead_letters=30), "keep_dead_letters takes a timedelta"),
    "a number for limits": (lambda: ChannelPolicy(limits=10), "limits takes a text such as '10/hour'"),  # type: ignore[arg-type]
    "a text for a number": (lambda: ChannelPolicy(concurrency="4"), "concurrency takes a whole number"),  # type: ignore[arg-type]
    "seconds for a time": (lambda: ChannelPolicy(send_timeout=10), "send_timeout takes a timedelta"),  # type: ignore[arg-type]
    "a number for a backoff": (lambda: RetryPolicy(backoff=1), "as exponential() makes one, not int"),  # type: ignore[arg-type]
    "an address for addresses": (lambda: Recipient("1", "a@example.com"), "a mapping from channels to addresses"),  # type: ignore[arg-type]
    "a number for an id": (lambda: Recipient(1, {}), "id takes text, as str(user.id), not int"),  # type: ignore[arg-type]
    "an object for a zone": (lambda: Recipient("1", {}, timezone=timedelta()), "such as 'Europe/Prague'"),  # type: ignore[arg-type]
    "a number for a locale": (lambda: Recipient("1", {}, locale=5), "locale takes a tag such as 'cs-CZ', not int"),  # type: ignore[arg-type]
    "a list for a fallback": (lambda: fallback(["email", "push"]), "fallback('push', 'email')"),  # type: ignore[arg-type]
    "one id for several": (lambda: Filter(ids="message"), "ids takes a tuple of ids"),  # type: ignore[arg-type]
    "the text of a lane": (lambda: Filter(lane="campaign"), "lane takes a Lane, as Lane.TRANSACTIONAL, not str"),  # type: ignore[arg-type]
    "the text of a reason": (lambda: Filter(reason="failed"), "reason takes a Reason, as Reason.FAILED, not str"),  # type: ignore[arg-type]
    "a number for a channel": (lambda: Filter(channel=5), "channel takes text, not int"),  # type: ignore[arg-type]
    "a port in a host": (lambda: EmailChannel("mail.example:587", sender="a@example.com"), "EmailChannel('mail.example', 587)"),
    "no token": (lambda: TelegramChannel(None), "TelegramChannel takes the bot's token, as BotFather gives it (123456:ABC-DEF), not None"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize(("call", "says"), CONSTRUCTED.values(), ids=CONSTRUCTED)
def test_what_cannot_be_meant_is_refused_as_it_is_made(call: Callable[[], object], says: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        call()
    assert says in str(raised.value)


def test_the_nearest_scheme_is_named_for_one_that_is_misspelt() -> None:
    with pytest.raises(UnknownPluginError, match="no channel is installed for smtpp://; did you mean smtp://"):
        made(channels={"email": "smtpp://mail.example"})


CALLED: dict[str, tuple[dict[str, Any], str]] = {
    "a text for a delivery": ({"delivery": "at_most_once"}, "delivery takes Delivery.AT_LEAST_ONCE or Delivery.AT_MOST_ONCE, not str"),
    "a number for a request id": ({"request_id": 5}, "request_id takes text, not int"),
    "a number for a key": ({"idempotency_key": 5}, "idempotency_key takes text, not int"),
    "a number for a group": ({"group": 5}, "group takes text, not int"),
    "hours": ({"expires_in": 24}, "expires_in takes a timedelta, as timedelta(hours=1), not int"),
    "seconds": ({"delay": 5}, "delay takes a timedelta"),
    "a number for channels": ({"via": 5}, "via takes a list of channel names"),
    "a list in a list": ({"via": [["email"]]}, "via is a list of channel names"),
    "for ever": ({"expires_in": timedelta.max}, "expires_in takes at most a thousand years"),
    "never": ({"delay": timedelta.max}, "delay takes at most a thousand years"),
    "no channels": ({"via": []}, "via names no channel: leave it out"),
    "one channel": ({"via": "email"}, "via is a list of channel names: via=['email']"),
    "another name": ({"expires_at": 5}, "there is no option expires_at; did you mean expires_in?"),
    "an unknown name": ({"zzz": 5}, "there is no option zzz; there are: via, "),
}


@pytest.mark.anyio
@pytest.mark.parametrize(("options", "says"), CALLED.values(), ids=CALLED)
async def test_options_that_mean_nothing_are_refused_before_anything_is_stored(options: dict[str, Any], says: str) -> None:
    async with made(MemoryBus()) as notifier:
        for call in (notifier.enqueue, notifier.send):
            with pytest.raises(ConfigurationError) as raised:
                await call(ADA, "hello", {"name": "Ada"}, **options)
            queued = call == notifier.send and options.keys() & {"delay", "idempotency_key"}
            assert ("Use enqueue" if queued else says) in str(raised.value)
        assert not (await notifier.stats()).depths


@pytest.mark.anyio
@pytest.mark.parametrize("whom", [None, 5, {"email": "ada@example.com"}, [{"email": "ada@example.com"}], [None]])
async def test_whoever_is_no_recipient_is_refused(whom: Any) -> None:
    async with made(MemoryBus()) as notifier:
        with pytest.raises(ConfigurationError, match="Recipient"):
            await notifier.enqueue(whom, "hello", {"name": "Ada"})


@pytest.mark.anyio
async def test_find_recipient_must_be_asynchronous_and_find_a_recipient() -> None:
    async def finds_no_recipient(_: str) -> Any:
        return {"email": "ada@example.com"}

    async with made(MemoryBus(), find_recipient=lambda _: ADA) as notifier:
        with pytest.raises(ConfigurationError, match="find_recipient must be an async function"):
            await notifier.enqueue("user:1", "hello", {"name": "Ada"})
    async with made(MemoryBus(), find_recipient=finds_no_recipient) as notifier:
        with pytest.raises(ConfigurationError, match="must return a Recipient or None, not dict"):
            await notifier.enqueue("user:1", "hello", {"name": "Ada"})


@pytest.mark.anyio
async def test_a_template_for_none_of_the_channels_is_not_blamed_on_the_recipient() -> None:
    async with made(MemoryBus(), templates={"hello/telegrams.text.j2": "Hello"}, unsubscribe=None) as notifier:
        with pytest.raises(MissingPartError, match="hello has files for telegrams, and the channels are: email, telegram"):
            await notifier.enqueue(ADA, "hello")
        with pytest.raises(MissingPartError, match="hello has files for telegrams"):
            await notifier.campaign("june", "hello", [ADA])


@pytest.mark.anyio
async def test_operations_take_a_filter_and_campaigns_several_people() -> None:
    async with made(MemoryBus(), unsubscribe=None) as notifier:
        with pytest.raises(ConfigurationError, match="filter takes a Filter, as Filter"):
            await notifier.cancel("message")  # type: ignore[arg-type]
        with pytest.raises(ConfigurationError, match="filter takes a Filter"):
            await notifier.replay("message")  # type: ignore[arg-type]
        with pytest.raises(ConfigurationError, match="recipients takes several Recipients"):
            await notifier.campaign("june", "hello", ADA, {"name": "Ada"})  # type: ignore[arg-type]
        with pytest.raises(ConfigurationError, match="group takes the campaign's name"):
            await notifier.campaign([ADA], "hello", [ADA], {"name": "Ada"})  # type: ignore[arg-type]


OPERATIONS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "no campaign to pause": (lambda notifier: notifier.pause_campaign(None), "group takes text, not None"),
    "a number to cancel": (lambda notifier: notifier.cancel_campaign(5), "group takes"),
    "a list to look at": (lambda notifier: notifier.campaign_status([1]), "group takes"),
    "half a letter to pause": (lambda notifier: notifier.pause_campaign("\ud800"), "half a surrogate pair"),
    "nobody to unsubscribe": (lambda notifier: notifier.unsubscribe_recipient(None, "email"), "recipient_id takes"),
    "half a letter to unsubscribe": (lambda notifier: notifier.unsubscribe_recipient("\ud800", "email"), "half a surrogate pair"),
    "a number to resubscribe": (lambda notifier: notifier.resubscribe_recipient(5, "email"), "recipient_id takes"),
    "a list of channels": (lambda notifier: notifier.unsubscribe_recipient("a", ["email"]), "channel takes"),
    "a number for a person": (lambda notifier: notifier.suppress("telegram", 5, recipient_id=42), "recipient_id takes"),
    "a text for a limit": (lambda notifier: notifier.suppressions(limit="5"), "limit takes a whole number"),
    "a number for a place": (lambda notifier: notifier.suppressions(after=5), "after takes"),
    "a text for how many": (lambda notifier: notifier.replay(limit="3"), "limit takes a whole number"),
    "a text for a crowd": (lambda notifier: notifier.campaign("june", "hello", "42", {"name": "Ada"}), "a list, also of one"),
}


@pytest.mark.anyio
@pytest.mark.parametrize(("call", "says"), OPERATIONS.values(), ids=OPERATIONS)
async def test_operations_refuse_what_they_cannot_mean(call: Callable[[Any], Any], says: str) -> None:
    async with made(MemoryBus(), unsubscribe=None) as notifier:
        with pytest.raises(ConfigurationError, match=says):
            await call(notifier)
        assert (await notifier.suppressions()).entries == ()


@pytest.mark.anyio
async def test_nothing_works_before_it_is_open_and_nothing_waits_for_ever() -> None:
    notifier = made(MemoryBus())
    for call in (lambda: notifier.send(ADA, "hello", {"name": "Ada"}), lambda: notifier.enqueue(ADA, "hello", {"name": "Ada"})):
        with pytest.raises(BusClosedError, match="enter it with 'async with', or call open"):
            await call()
    for work in (notifier.drain, notifier.run):
        with pytest.raises(BusClosedError, match="enter it with 'async with', or call open"):
            await work()


@pytest.mark.anyio
async def test_the_last_to_leave_closes_it() -> None:
    notifier = made(MemoryBus())
    async with notifier:
        async with notifier:
            pass
        assert len(await notifier.enqueue(ADA, "hello", {"name": "Ada"})) == 2
    with pytest.raises(BusClosedError):
        await notifier.stats()


@pytest.mark.anyio
async def test_who_enters_while_the_last_one_leaves_finds_it_open() -> None:
    leaving, entered, left = anyio.Event(), anyio.Event(), anyio.Event()

    class Slow(ConsoleChannel):
        async def close(self) -> None:
            leaving.set()
            await entered.wait()

    bus = MemoryBus()
    notifier = made(bus, channels={"email": Slow("email", stream=io.StringIO())})

    async def come_and_go() -> None:
        async with notifier:
            await notifier.send(BOB, "hello", {"name": "Bob"})
        left.set()

    async with anyio.create_task_group() as others:
        others.start_soon(come_and_go)
        await leaving.wait()
        async with notifier:
            entered.set()
            await left.wait()
            (receipt,) = await notifier.enqueue(BOB, "hello", {"name": "Bob"})
            assert receipt.status is Status.QUEUED
    with pytest.raises(BusClosedError):
        await bus.stats()


def test_a_thread_that_enters_while_another_leaves_finds_a_blocking_one_open() -> None:
    class Overtaken(notifykit.blocking.Notifier):
        left = False

        def open(self) -> None:
            super().open()
            if not self.left:  # the last of the others leaves before we are counted
                self.left = True
                self.close()

    with Overtaken(made(MemoryBus(), channels={"email": "console://email"})) as notifier:
        (receipt,) = notifier.enqueue(BOB, "hello", {"name": "Bob"})
    assert receipt.status is Status.QUEUED


def test_the_last_thread_to_leave_closes_a_blocking_one() -> None:
    notifier = notifykit.blocking.Notifier(MemoryBus(), channels=CHANNELS, templates=TEMPLATES)

    def visit() -> None:
        with notifier:
            notifier.enqueue(ADA, "hello", {"name": "Ada"})

    with notifier:
        visitor = threading.Thread(target=visit)
        visitor.start()
        visitor.join()
        assert len(notifier.enqueue(ADA, "hello", {"name": "Ada"})) == 2
    with pytest.raises(BusClosedError):
        notifier.stats()


@pytest.mark.anyio
async def test_signals_are_refused_where_they_never_arrive() -> None:
    async def work() -> None:
        async with made(MemoryBus()) as notifier:
            await notifier.run(signals=True)

    with pytest.raises(ConfigurationError, match="signals reach the main thread alone"):
        await anyio.to_thread.run_sync(anyio.run, work)


@pytest.mark.anyio
async def test_should_send_must_be_asynchronous() -> None:
    options = {"should_send": lambda _: True, "retry": RetryPolicy(max_attempts=1)}
    async with made(MemoryBus(), **options) as notifier:
        await notifier.enqueue(ADA, "hello", {"name": "Ada"}, via=["telegram"])
        await notifier.drain()
        (letter,) = await notifier.dead_letters()
    assert "should_send must be an async function that answers True or False" in letter.error


@pytest.mark.anyio
async def test_the_wrong_kind_of_with_names_the_right_one() -> None:
    with pytest.raises(ConfigurationError, match=r"write 'async with', or take notifykit\.blocking\.Notifier"), made(MemoryBus()):
        pass
    with pytest.raises(ConfigurationError, match=r"write 'with', or take notifykit\.Notifier"):
        async with notifykit.blocking.Notifier(MemoryBus(), channels=CHANNELS):  # type: ignore[attr-defined]
            pass


class Careless(Channel):
    """A channel whose author has read nothing."""

    kind = "sms"
    parts: Mapping[str, Part] = {"text": Part(Markup.TEXT)}

    def __init__(self, address: Any) -> None:
        self._address = address

    def parse_address(self, raw: Any) -> Any:
        return self._address if self._address is not None else int(raw)

    def send(self, address: Address, content: Content, message: Message) -> Any:
        return "sent"


@pytest.mark.anyio
async def test_a_channel_that_keeps_no_contract_is_blamed_and_shows_no_address() -> None:
    ada = Recipient("user:1", {"sms": "not a number"})
    for address, says in {None: r"ValueError at \S+\.parse_address", "+1": "parse_address must return an Address, not str"}.items():
        async with made(MemoryBus(), channels={"sms": Careless(address)}, templates={"hello/sms.text.j2": "Hello"}) as notifier:
            with pytest.raises(BrokenPluginError, match=says) as raised:
                await notifier.enqueue(ada, "hello")
            assert "not a number" not in "".join(traceback.format_exception(raised.value))
    async with made(MemoryBus(), channels={"sms": Careless(Address(1, "1"))}, templates={"hello/sms.text.j2": "Hello"}) as notifier:
        (receipt,) = await notifier.send(ada, "hello")
        assert "write 'async def send'" in str(receipt.error)


@pytest.mark.anyio
async def test_campaigns_take_their_own_options_alone_and_tokens_that_are_none_are_refused() -> None:
    async with made(MemoryBus(), unsubscribe=UnsubscribeLinks("https://acme.example/u", "k" * 20)) as notifier:
        for options, says in (
            ({"lane": Lane.TRANSACTIONAL}, "no option lane"),
            ({"rate": 5}, "rate takes"),
            ({"batch_size": "5"}, "batch_size"),
            ({"batch_size": 0}, "batch_size"),
            ({"batch_size": 1001}, "batch_size"),
        ):
            with pytest.raises(ConfigurationError, match=says):
                await notifier.campaign("june", "hello", [ADA], {"name": "Ada"}, **options)
        with pytest.raises(InvalidTokenError):
            await notifier.unsubscribe(None)  # type: ignore[arg-type]
        with pytest.raises(ConfigurationError, match="timeout takes a timedelta"):
            await notifier.health(5)  # type: ignore[arg-type]
