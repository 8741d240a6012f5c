"""Laws of a channel: sends that are cancelled, and a loop that goes on."""

import anyio
from anyio.lowlevel import checkpoint

from notifykit.errors import DeliveryError, OutcomeUnknownError, PermanentError
from notifykit.testing.conformance._channel_case import ChannelCase, Situation
from notifykit.testing.conformance._channel_stand import PATIENCE, ChannelStand, on_trial
from notifykit.testing.conformance._law import channel_law

__all__: list[str] = []


async def _cancelled_while_waiting(stand: ChannelStand) -> None:
    """Send to a provider that says nothing, and cancel when the message has come in."""
    stand.meets(Situation.SILENT)
    before = len(stand.provider.arrivals())
    ended: list[object] = []

    async def send() -> None:
        message = stand.message()
        try:
            ended.append(await stand.channel.send(message.address, stand.content(), message))
        except DeliveryError as error:
            ended.append(error)

    arrived = blocked = False
    with anyio.move_on_after(2 * PATIENCE) as patience:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(send)
            arrived = await stand.has_arrived(before + 1)
            blocked = bool(ended)
            tasks.cancel_scope.cancel()
    assert arrived, f"the message never came in; the send ended with {ended or 'nothing'}"
    assert not blocked, "the send ended before its loop could see the message come in: it blocks the event loop"
    assert not patience.cancelled_caught, "a send that was cancelled goes on"
    assert not ended, f"a send that was cancelled ended with {ended[0]!r}: let cancellation through"


@channel_law(Situation.SILENT)
async def cancellation_is_let_through(case: ChannelCase) -> None:
    """A send that waits for its answer ends at once when it is cancelled: with the cancellation, and with nothing else.

    This law, as every one of a silent provider, also finds a send that blocks the event loop.
    """
    async with on_trial(case) as stand:
        await _cancelled_while_waiting(stand)


@channel_law(Situation.SILENT, Situation.REFUSED)
async def a_cancelled_send_answers_for_no_other(case: ChannelCase) -> None:
    """A connection that was in use when its send was cancelled is not used again: the next message gets its own answer."""
    async with on_trial(case) as stand:
        for _ in range(3):
            await _cancelled_while_waiting(stand)
            stand.meets(Situation.REFUSED)
            error = await stand.outcome()
            assert type(error) is PermanentError, f"a refused message after a cancelled one ended with {error!r}"
            before = len(stand.provider.arrivals())
            stand.meets(Situation.ACCEPTED)
            found = await stand.outcome()
            assert not isinstance(found, DeliveryError), f"an accepted message after a cancelled one ended with {found!r}"
            assert len(stand.provider.arrivals()) == before + 1


@channel_law(Situation.ACCEPTED)
async def a_send_may_be_cancelled_at_every_await(case: ChannelCase) -> None:
    """Cancelled after any number of turns of the loop, a send has happened or not, and the channel still works."""
    async with on_trial(case) as stand:
        for turns in range(40):

            async def send() -> None:
                message = stand.message()
                await stand.channel.send(message.address, stand.content(), message)

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(send)
                for _ in range(turns):
                    await checkpoint()
                tasks.cancel_scope.cancel()
        found = await stand.outcome("the last one")
        assert not isinstance(found, DeliveryError), f"after cancelled sends the next one ended with {found!r}"
        wanted = set(stand.content("the last one").parts.values())
        arrivals = [set(each.parts.values()) for each in stand.provider.arrivals() if each.parts is not None]
        if stand.case.traits.keeps_text and arrivals:  # one that was cancelled may be read after it, on another connection
            assert any(each <= wanted for each in arrivals), "after cancelled sends the next one brought another's text"


@channel_law(Situation.SILENT)
async def a_time_out_from_outside_is_obeyed(case: ChannelCase) -> None:
    """A deadline around a send ends it, though the channel has time-outs of its own; afterwards the channel works."""
    async with on_trial(case) as stand:
        stand.meets(Situation.SILENT)
        with anyio.move_on_after(0.05) as scope:
            message = stand.message()
            try:
                await stand.channel.send(message.address, stand.content(), message)
            except OutcomeUnknownError:  # its own time-out was quicker, on a slow machine
                return
        assert scope.cancelled_caught
        stand.meets(Situation.ACCEPTED)
        assert not isinstance(await stand.outcome(), DeliveryError)
