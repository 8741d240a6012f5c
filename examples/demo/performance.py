"""The demo from beginning to end, as the application's process plays it."""

import time
from pathlib import Path

import anyio
from attrs import define, evolve, field, frozen

from examples.demo.account import Expected, balance
from examples.demo.application import LIMITS, Folder, notifier
from examples.demo.arrivals import Arrivals
from examples.demo.journal import Journal
from examples.demo.keeper import Keeper
from examples.demo.page import write_page
from examples.demo.screen import Screen
from examples.demo.serving import Servers, serving
from examples.demo.show import show_arrivals, show_receipts, show_test_send
from examples.demo.story import ENDED, NEWSLETTER, READERS, Trader, expect, failures, newsletter, readers, told, traders
from examples.demo.summary import Result
from examples.demo.watch import Watch
from notifykit import DeadLetter, Filter, Lane, Notifier, Receipt, Stats
from notifykit.events import Enqueued, Event

__all__ = ["Options", "perform"]

_PATIENCE = 45.0
"""Seconds for the queue to empty; what has not arrived by then counts as lost."""


@frozen
class Options:
    """What was asked for on the command line."""

    folder: Path
    loop: str = "asyncio"
    kill_worker: bool = False


async def perform(options: Options, screen: Screen) -> Result:
    """Play the demo in an empty folder; the result says what came of it."""
    folder = Folder(options.folder)
    with serving(folder) as servers:
        events: list[Event] = []
        keeper = Keeper(folder, options.loop, screen.say)
        async with notifier(folder, servers.wiring, [events.append]) as application, anyio.create_task_group() as tasks:
            show = _Performance(options, folder, screen, servers, application, events, keeper)
            show.introduce()
            tasks.start_soon(keeper.run)
            try:
                result = await show.play()
            finally:
                with anyio.CancelScope(shield=True):
                    await keeper.stop()
    return result


@define
class _Performance:
    options: Options
    folder: Folder
    screen: Screen
    servers: Servers
    application: Notifier
    events: list[Event]
    keeper: Keeper
    started: float = field(factory=time.monotonic)
    expected: list[Expected] = field(factory=list)
    dead: list[DeadLetter] = field(factory=list)
    replayed: list[str] = field(factory=list)
    unsubscribed: list[str] = field(factory=list)
    test_send: list[Receipt] = field(factory=list)
    killed: bool = False

    def introduce(self) -> None:
        say = self.screen.say
        self.screen.title("notifykit: the demo")
        say("a mail server (STARTTLS, login), Telegram's Bot API and a push service listen on this machine")
        say(f"the queue is {self.folder.database}")
        limits = ", ".join(f"{channel} {limit}" for channel, limit in LIMITS.items() if limit)
        say(f"rate limits are set for the demo ({limits}); the built-in defaults are 10 e-mails an hour and 30 Telegram messages a minute")

    async def play(self) -> Result:
        people = traders(self.servers.push)
        journal = Journal(self.folder.journal)
        watch = Watch(self.application, journal, self.screen)
        await self.tell_traders(people)
        await self.send_newsletter()
        self.screen.title("The worker sends")
        if await watch.until_settled(_PATIENCE, self.kill_in_the_middle):
            await self.bring_back_the_dead(people, watch)
            await self.unsubscribe()
            await self.send_past_the_queue(people["Ada"])
        else:
            self.screen.say(f"the queue is not empty after {_PATIENCE:.0f} s: no more waiting", "red")
        result = await self.result(journal)
        arrivals = self.arrivals()
        show_arrivals(self.screen, arrivals)
        show_receipts(self.screen, result)
        write_page(self.folder.page, result, arrivals)
        return evolve(result, seconds=time.monotonic() - self.started)

    async def tell_traders(self, people: dict[str, Trader]) -> None:
        self.screen.title("Three order failures, each to everybody concerned, on every channel they can be reached on")
        for number, (failure, names) in enumerate(failures(), 1):
            before = len(self.expected)
            for each in (people[name] for name in names):
                receipts = await self.application.enqueue(each.recipient, failure, request_id=f"demo-{number}")
                self.expected += expect(each, failure, receipts)
            self.screen.say(f"{type(failure).__name__} to {', '.join(names)}: {told(self.expected[before:])}")

    async def send_newsletter(self) -> None:
        self.screen.title(f"A newsletter to {READERS} readers, streamed onto the campaign lane, with an unsubscribe link each")
        progress = await self.application.campaign(NEWSLETTER, "june_news", readers(), newsletter(), batch_size=100)
        self.screen.say(
            f"{progress.enqueued} enqueued, {progress.refused} refused; orders overtake it, and it uses at most 75 % of the limit"
        )
        self.expected += [
            Expected(each.message_id, each.channel, "", "june_news", each.message_id)
            for each in self.events
            if isinstance(each, Enqueued) and each.group == NEWSLETTER
        ]

    def kill_in_the_middle(self, stats: Stats) -> None:
        """Kill the worker between a quarter and three quarters of the newsletter, if it can be at a moment when some of it is under way."""
        queue = ("email", Lane.CAMPAIGN)
        if not self.options.kill_worker or self.killed or queue not in stats.counters:
            return
        done, busy = stats.counters[queue].acked / READERS, stats.depths[queue].claimed > 0
        if done >= (0.25 if busy else 0.75):
            self.killed = True
            self.screen.say("--kill-worker: SIGKILL", "red")
            self.keeper.kill()

    async def bring_back_the_dead(self, people: dict[str, Trader], watch: Watch) -> None:
        self.dead = await self.application.dead_letters()
        self.screen.title("Dead letters")
        for each in self.dead:
            self.screen.say(f"{each.template} by {each.channel} to {each.recipient_id}")
            self.screen.facts({"reason": each.reason.value, "error": each.error, "attempts": each.attempts, "message": each.id})
        self.screen.say(f"{ENDED} subscribes again: its address is not suppressed any more, and its dead letter is replayed")
        self.servers.push.subscribe_again(ENDED)
        alan = people["Alan"].recipient
        for subscription in alan.addresses["push"]:
            await self.application.unsuppress("push", subscription)
        changed = await self.application.replay(Filter(channel="push", recipient_id=alan.id))
        self.replayed += changed.ids
        await watch.until_settled(_PATIENCE)

    async def unsubscribe(self) -> None:
        """Do what the application's view does with the POST of a reader's mail program, and see that it holds."""
        mail = next(each for each in self.servers.mail.mails if each.parsed["List-Unsubscribe"])
        link = str(mail.parsed["List-Unsubscribe"]).strip("<>")
        token = await self.application.unsubscribe(link.rpartition("/")[2])
        reader = next(each for each in readers() if each.id == token.recipient_id)
        progress = await self.application.campaign("july-news", "june_news", [reader], newsletter())
        self.screen.title("Unsubscribing")
        self.screen.say(f"{reader.id} uses the link of the mail; of the next newsletter to them, {progress.suppressed} is suppressed")
        self.unsubscribed = [reader.id] if (progress.suppressed, progress.enqueued) == (1, 0) else []

    async def send_past_the_queue(self, trader: Trader) -> None:
        await self.application.check()
        failure = evolve(failures()[0][0], order_id="ord_0000-0001")
        self.test_send = await self.application.send(trader.recipient, failure, request_id="demo-send")
        self.expected += expect(trader, failure, self.test_send)
        show_test_send(self.screen, self.test_send)

    def arrivals(self) -> Arrivals:
        return Arrivals(list(self.servers.mail.mails), list(self.servers.telegram.texts), list(self.servers.push.messages))

    async def result(self, journal: Journal) -> Result:
        stats = await self.application.stats()
        account = balance(
            self.expected,
            self.arrivals().marks(),
            dead=[each.id for each in await self.application.dead_letters()],
            replayed=self.replayed,
            deaths=len(self.keeper.killed_at),
        )
        return Result(
            loop=self.options.loop,
            seconds=time.monotonic() - self.started,
            expected=self.expected,
            account=account,
            retried=sum(each.retried for each in stats.counters.values()),
            taken_over=sum(each.taken_over for each in stats.counters.values()),
            died=self.dead,
            test_send=self.test_send,
            unsubscribed=self.unsubscribed,
            killed_at=self.keeper.killed_at,
            journal=journal,
            page=str(self.folder.page),
        )
