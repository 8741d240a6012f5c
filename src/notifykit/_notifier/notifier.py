"""The front: what an application holds."""

import enum
import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn, Self, Unpack, cast

import anyio
from anyio.lowlevel import current_token

from notifykit._attached import AttachmentSource, check_files, source_of
from notifykit._clock import BusTime, SystemClock
from notifykit._messages import Message, Receipt, Recipient
from notifykit._notifications import Notification, template_and_variables
from notifykit._notifier.arguments import bus_of, channels_of, check_functions, check_kinds, check_times, observers_of, policies_of
from notifykit._notifier.campaigning import Campaigning
from notifykit._notifier.compose import Composer, Skip
from notifykit._notifier.configured import Configured
from notifykit._notifier.intake import Intake
from notifykit._notifier.open_channels import OpenChannels
from notifykit._notifier.openings import close_shared, open_shared
from notifykit._notifier.operating import Operating
from notifykit._notifier.options import MessageOptions, Options, options_of
from notifykit._notifier.people import FindRecipient, Recipients, found, several
from notifykit._notifier.relaying import Relaying
from notifykit._notifier.retention import retaining
from notifykit._notifier.sending import Sending
from notifykit._notifier.tracing import traced, tracers_of
from notifykit._outbox import DBAPIConnection, Outbox
from notifykit._outcomes import RetryPolicy
from notifykit._policies import ChannelPolicy
from notifykit._unsubscribe import UnsubscribeLinks
from notifykit._worker.bus_health import BusHealth
from notifykit._worker.channel_loop import ChannelLoop
from notifykit._worker.health import ChannelHealth
from notifykit._worker.sender import Sender, ShouldSend
from notifykit._worker.signals import stop_on_signals
from notifykit._worker.worker import Worker
from notifykit.abc import Bus, Channel, Clock, Ledger, Renderer
from notifykit.buses.memory import MemoryBus
from notifykit.errors import BusClosedError, BusError, ConfigurationError
from notifykit.events import Observer
from notifykit.rendering import JinjaRenderer, SourceLike

__all__ = ["Notifier"]


class _Unset(enum.Enum):
    UNSET = enum.auto()


class Notifier(Configured, Relaying, Campaigning, Operating, Sending):
    """Tells people: a bus, its channels, a renderer and the policies.

    Constructing it does no I/O, so it may stand at module level, shared by an application and its workers; ``async with``
    opens the bus, and the end of the last ``async with`` closes it. A channel is opened at its first send: a process that only
    enqueues needs no credentials.

    Args:
        bus: a URL (``sqlite:///var/notify.db``, ``memory://``) or a Bus. Equal URLs share one bus in a process.
        channels: by name; each a Channel or a URL. The name is the key of a recipient's addresses.
        templates: a folder, several, or a Renderer; the first that has a file wins, and the built-in templates come last.
        policies: by channel name: limits, concurrency, retries.
        retry: for channels whose policy sets none.
        observers: called with every event; one that is a Tracer stands around enqueueing and sending too. None: events are logged,
            those that want somebody's attention as warnings and errors; ``()``: nobody hears of them.
        find_recipient: makes ids stand for recipients.
        should_send: asked by the worker before each send.
        attachments: where attachments that are given as a ``file`` are found when they are sent: a folder that all processes
            share, or an async function from the file to its bytes.
        unsubscribe: makes the one-click links of campaigns; None says that there are none.
        outbox: a table of the application's own database, for ``enqueue(..., connection=...)``.
        keep_dead_letters: how long a worker keeps those of its channels; None: until somebody purges them.
        lease: how long a worker's claim is its own without a sign of life.
        grace: how long sends may take to finish when the worker is stopped.
        clock: for tests.

    Raises:
        ConfigurationError: a policy for a channel that is not there, an argument of another type; and what the URLs raise.
    """

    def __init__(
        self,
        bus: Bus | str,
        *,
        channels: Mapping[str, Channel | str],
        templates: "Renderer | SourceLike | Sequence[SourceLike]" = (),
        policies: Mapping[str, ChannelPolicy] | None = None,
        retry: RetryPolicy | None = None,
        observers: Sequence[Observer] | None = None,
        find_recipient: FindRecipient | None = None,
        should_send: ShouldSend | None = None,
        attachments: AttachmentSource | None = None,
        unsubscribe: UnsubscribeLinks | _Unset | None = _Unset.UNSET,
        outbox: Outbox | None = None,
        keep_dead_letters: timedelta | None = None,
        lease: timedelta = timedelta(seconds=60),
        grace: timedelta = timedelta(seconds=25),
        clock: Clock | None = None,
    ) -> None:
        check_kinds(retry, None if unsubscribe is _Unset.UNSET else unsubscribe, outbox)
        check_times(lease, grace, keep_dead_letters)
        check_functions(find_recipient=find_recipient, should_send=should_send)
        self.bus: Bus = bus_of(bus)
        self.channels: Mapping[str, Channel] = channels_of(channels)
        self.renderer: Renderer = templates if isinstance(templates, Renderer) else JinjaRenderer(*_several(templates))
        self._aside = MemoryBus() if self.bus.ledger is None else None
        self.ledger: Ledger = self.bus.ledger or self._aside.ledger  # type: ignore[union-attr]
        self._policies = policies_of(self.channels, policies)
        self._retry = retry or RetryPolicy()
        self._find_recipient = find_recipient
        self._should_send = should_send
        self._find_attachment = source_of(attachments)
        self._links = unsubscribe if isinstance(unsubscribe, UnsubscribeLinks) else None
        self._outbox = outbox
        self._keep_dead_letters = keep_dead_letters
        self._lease = lease
        self._grace = grace
        self._clock = clock or SystemClock()
        self._composer = Composer(
            self.channels,
            self.renderer,
            {name: (policy.retry or self._retry).max_attempts for name, policy in self._policies.items()},
            self._links,
            bare_campaigns=unsubscribe is None,
        )
        self._observe(observers_of(observers))
        self._opened_in: int | None = None
        self._entered = 0
        self._open_channels = OpenChannels(self.channels)
        self._workers: list[Worker] = []

    # -- opening and closing

    if not TYPE_CHECKING:  # which would refuse it anyway

        def __enter__(self) -> NoReturn:
            raise ConfigurationError("this notifier is asynchronous: write 'async with', or take notifykit.blocking.Notifier")

        __exit__ = None

    async def __aenter__(self) -> Self:
        await self.open()
        self._entered += 1
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._entered = max(0, self._entered - 1)
        if not self._entered:
            with anyio.CancelScope(shield=True):
                await self.close()

    async def open(self) -> None:
        """Open the bus; harmless when it is open. After a fork the child opens it anew."""
        if self._is_open:
            return
        await open_shared(self.bus)
        if self._is_open:  # another call was quicker
            await close_shared(self.bus)
            return
        if self._opened_in is not None:  # forked: what the parent has open is not ours
            self._open_channels.forget()
            self._workers.clear()
            self._entered = 0
        self._opened_in = os.getpid()
        if self._aside is not None:
            await self._aside.open()

    async def close(self) -> None:
        """Stop the workers of this event loop, close the channels, and the bus unless another notifier holds it.

        Sends that are under way may finish within the grace period. Harmless when it is closed.
        """
        held = self._is_open
        if held:
            self._opened_in = None  # at once, so that whoever enters it meanwhile opens it anew and finds it open
        try:
            await self._end_workers()
            if not self._is_open:
                await self._open_channels.close()
        finally:
            if held:
                if self._aside is not None and not self._is_open:
                    await self._aside.close()
                await close_shared(self.bus)

    @property
    def _is_open(self) -> bool:
        return self._opened_in == os.getpid()

    async def _end_workers(self) -> None:
        for worker in [each for each in self._workers if each.home == current_token()]:
            worker.stop()
            await worker.left.wait()

    # -- enqueueing

    async def enqueue(
        self,
        recipients: Recipients,
        notification: Notification | str,
        variables: Mapping[str, Any] | None = None,
        *,
        connection: DBAPIConnection | None = None,
        **options: Unpack[MessageOptions],
    ) -> list[Receipt]:
        """Put a message for each address on the bus; a worker sends it. What can be wrong is found here, not in the worker.

        With a *connection* (PEP 249) to the application's database they go into the notifier's outbox there instead, in the
        transaction that is open: committed with the application's own rows or not at all, and relayed by a worker.

        Status of each receipt: queued, duplicate, skipped (no address on that channel) or suppressed; the outbox knows
        neither duplicates nor suppressions yet.

        Raises:
            UnknownTemplateError, MissingVariablesError, MissingPartError: about the template.
            UnknownChannelError, NoAddressError, InvalidAddressError, UnknownRecipientError: about the recipient.
            ConfigurationError: a variable that no message can carry, or options that mean nothing.
            AttachmentError: the file of an attachment is not in the folder.
            RenderError: with ``render="enqueue"``, what cannot be rendered.
            PayloadTooLargeError: with its attachments, or the content of ``render="enqueue"``, a message has more than 256 KiB.
            BusError: the bus could not take it. With ``maybe_done`` some may be on it, the first 1,000 for instance of more than a bus
                takes at once: only with an *idempotency_key* does calling again not store them a second time.
        """
        made = await self._compose(recipients, notification, variables, options_of(options))
        return await self._enqueue(made) if connection is None else self._write(connection, made)

    # -- working

    async def run(self, *, signals: bool = False) -> None:
        """Work all channels until :meth:`stop` or cancellation; sends that are under way may finish within the grace period.

        With *signals*, SIGTERM and SIGINT stop it too, and a second one cuts the sends off (main thread only).
        """
        worker = await self._worker()
        try:
            async with stop_on_signals(worker.stop, signals), self._retaining(), self._relayed():
                await worker.run()
        finally:
            self._forget(worker)

    async def drain(self) -> None:
        """Work until the outbox, and these channels on the bus, are empty. Retries and limits are waited for."""
        worker = await self._worker()
        try:
            async with self._retaining(), self._relayed() as emptied:
                await emptied.wait()
                await worker.drain()
        finally:
            self._forget(worker)

    def stop(self, *, now: bool = False) -> None:
        """Let :meth:`run` claim no more and end when what is under way is sent; with *now*, at once. Same event loop only."""
        for worker in self._workers:
            worker.stop(now=now)

    async def check(self, *names: str) -> None:
        """Connect each channel (or those named) without sending, so that wrong credentials show now.

        Raises: ChannelUnavailableError, ConfigurationError, UnknownChannelError.
        """
        for name in names or self.channels:
            await self._open_channels.open(self._known(name))
            await self.channels[name].check()

    # -- inside

    async def _compose(
        self, recipients: Recipients, notification: Notification | str, variables: Mapping[str, Any] | None, options: Options
    ) -> list[Message | Skip]:
        template, given = template_and_variables(notification, variables)
        people = several(recipients)
        now = self._clock.now()
        await check_files(options.attachments, self._find_attachment)
        return [made for each in people for made in self._composer.compose(await self._recipient(each), template, given, options, now)]

    async def _recipient(self, recipient: Recipient | str) -> Recipient:
        return await found(recipient, self._find_recipient)

    async def _needs_the_bus(self) -> None:
        """Find out before anything is tried that nobody has opened the bus; one that is away is waited for by who works.

        Raises: BusClosedError.
        """
        if self._is_open:
            return
        try:
            await self.bus.get("")
        except BusClosedError:
            raise
        except BusError:
            return

    def _observe(self, observers: tuple[Observer, ...]) -> None:
        """Let *observers* hear of every event from now on, and nobody else."""
        self._observers = observers
        self._tracers = tracers_of(observers)
        self._intake = Intake(self.bus, self.ledger, observers, self._clock)

    def _retaining(self) -> AbstractAsyncContextManager[None]:
        return retaining(self.bus, self.channels, self._keep_dead_letters, self._clock)

    def _limits(self, name: str) -> str:
        limits = self._policies[name].limits
        return self.channels[name].default_limits if limits is None else limits

    async def _worker(self) -> Worker:
        await self._needs_the_bus()
        time = BusTime(self._clock.now)
        health = BusHealth(self._observers)
        loops = [ChannelLoop(name, self._sender(name, time), self._lease, self._clock.monotonic, health) for name in self.channels]
        worker = Worker(self.bus, loops, self._lease, self._grace)
        self._workers.append(worker)
        return worker

    def _forget(self, worker: Worker) -> None:
        self._workers.remove(worker)
        worker.left.set()

    def _sender(self, name: str, time: BusTime) -> Sender:
        policy = self._policies[name]
        return Sender(
            channel=traced(self.channels[name], self._tracers),
            limits=self._limits(name),
            policy=policy,
            retry=policy.retry or self._retry,
            bus=self.bus,
            ledger=self.ledger,
            renderer=self.renderer,
            time=time,
            health=ChannelHealth(name, self.bus, time, self._observers),
            ready=self._open_channels.ready,
            observers=self._observers,
            should_send=self._should_send,
            find_attachment=self._find_attachment,
        )


def _several(templates: "SourceLike | Sequence[SourceLike]") -> "Sequence[SourceLike]":
    return templates if isinstance(templates, list | tuple) else [cast("SourceLike", templates)]
