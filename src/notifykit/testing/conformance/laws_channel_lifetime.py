"""Laws of a channel: opening, closing, and what is left."""

from functools import partial

import anyio
import anyio.to_thread

from notifykit.errors import ChannelUnavailableError, DeliveryError, NotifykitError
from notifykit.testing.conformance._channel_case import LONG, ChannelCase, Situation, message_to
from notifykit.testing.conformance._channel_stand import BUSY, PATIENCE, impatient, on_trial, raising_nothing
from notifykit.testing.conformance._law import channel_law

__all__: list[str] = []


@channel_law(Situation.ACCEPTED)
async def opening_and_closing_a_channel_twice_is_harmless(case: ChannelCase) -> None:
    """``open`` when open and ``close`` when closed do nothing; a channel that never sent can be closed."""
    async with case.make() as provider:
        channel = provider.connect(LONG)
        with raising_nothing("a channel cannot be opened or closed twice"):
            await channel.close()
            await channel.open()
            await channel.open()
            await channel.close()
            await channel.close()


@channel_law(Situation.ACCEPTED)
async def a_closed_channel_opens_again(case: ChannelCase) -> None:
    """Opened after it was closed, a channel sends again."""
    async with on_trial(case) as stand:
        for number in range(1, 4):
            with raising_nothing("a channel that was closed and opened again does not send"):
                await stand.send()
                assert len(stand.provider.arrivals()) == number
                await stand.channel.close()
                await stand.channel.open()


@channel_law(lacks="loops")
async def a_channel_refuses_a_loop_that_it_does_not_promise(case: ChannelCase) -> None:
    """On an event loop that is not among the trait ``loops``, opening raises an error of ours that says so, and no foreign one."""
    async with case.make() as provider:
        channel = provider.connect(LONG)
        with anyio.fail_after(LONG):
            try:
                await channel.open()
            except NotifykitError:
                return
        await channel.close()
        raise AssertionError("it opens on a loop that it does not promise: refuse it in open, or promise it")


@channel_law(Situation.UNREACHABLE)
async def opening_while_the_provider_is_away_is_an_outage(case: ChannelCase) -> None:
    """``open`` needs no provider, or raises a ChannelUnavailableError and works when it is called again."""
    async with case.make() as provider:
        channel = provider.connect(LONG)
        assert provider.meets(Situation.UNREACHABLE)
        with raising_nothing("opening a channel whose provider is away raises something else than a ChannelUnavailableError"):
            try:
                await channel.open()
            except ChannelUnavailableError:
                assert provider.meets(Situation.ACCEPTED)
                await channel.open()
        await channel.close()


@channel_law(Situation.ACCEPTED)
async def a_channel_serves_one_loop_after_another(case: ChannelCase) -> None:
    """An instance at module level is opened, used and closed by one event loop, then by another one."""
    async with case.make() as provider:
        channel = provider.connect(LONG)
        assert provider.meets(Situation.ACCEPTED)

        async def use(number: int) -> None:
            await channel.open()
            try:
                message = message_to(channel.parse_address(case.good(provider)[0]))
                with anyio.fail_after(PATIENCE):
                    await channel.send(message.address, case.content(channel.parts, f"loop {number}"), message)
            finally:
                await channel.close()

        for number in range(3):
            with raising_nothing(f"the channel does not send in its event loop number {number + 1}"):
                await anyio.to_thread.run_sync(partial(anyio.run, use, number))
            assert len(provider.arrivals()) == number + 1


@channel_law(Situation.SILENT)
async def closing_in_the_middle_of_a_send_leaves_nothing_hanging(case: ChannelCase) -> None:
    """A channel that is closed while a send waits closes at once or when the send ends; the send ends with a DeliveryError."""
    async with impatient(case) as stand:
        stand.meets(Situation.SILENT)
        outcomes: list[object] = []

        async def send() -> None:
            outcomes.append(await stand.outcome())

        arrived = False
        with anyio.move_on_after(2 * PATIENCE) as patience:
            for _ in range(BUSY):
                before = len(stand.provider.arrivals())
                outcomes.clear()
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(send)
                    arrived = await stand.has_arrived(before + 1, outcomes)
                    if arrived:
                        await stand.channel.close()
                if arrived:
                    break
        assert not patience.cancelled_caught, "close() hangs while a send waits"
        assert arrived, f"the message never came in; the send ended with {outcomes!r}"
        assert len(outcomes) == 1
        assert isinstance(outcomes[0], DeliveryError), f"the send ended with {outcomes[0]!r}"
        await stand.channel.open()
        stand.meets(Situation.ACCEPTED)
        assert not isinstance(await stand.outcome(), DeliveryError), "after it the channel cannot be opened again"
