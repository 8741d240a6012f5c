"""Laws of a channel: what goes wrong becomes the error that says what to do about it."""

import pickle

from notifykit.errors import (
    AddressGoneError,
    ChannelUnavailableError,
    ConfigurationError,
    DeliveryError,
    OutcomeUnknownError,
    PermanentError,
    RateLimitedError,
    TransientError,
)
from notifykit.testing.conformance._channel_case import WAIT, ChannelCase, Situation
from notifykit.testing.conformance._channel_stand import impatient, on_trial, raising_nothing
from notifykit.testing.conformance._law import channel_law

__all__ = ["FAILURES"]

FAILURES = tuple(each for each in Situation if each is not Situation.ACCEPTED)


@channel_law(Situation.REFUSED)
async def a_refused_message_is_not_tried_again(case: ChannelCase) -> None:
    """A message that the provider refuses for good is a PermanentError; the address stays good."""
    async with on_trial(case) as stand:
        await stand.fails(Situation.REFUSED, PermanentError)


@channel_law(Situation.GONE)
async def an_address_that_is_gone_is_known_to_be(case: ChannelCase) -> None:
    """An address that does not exist any more is an AddressGoneError, so that nothing is sent there again."""
    async with on_trial(case) as stand:
        await stand.fails(Situation.GONE, AddressGoneError)


@channel_law(Situation.WRONG_CREDENTIALS)
async def wrong_credentials_are_no_messages_fault(case: ChannelCase) -> None:
    """A rotated token is a ChannelUnavailableError, which uses up nobody's attempts.

    Where each recipient has a server, one that refuses us is that message's trouble, and never the whole channel's.
    """
    async with on_trial(case) as stand:
        expected = (ChannelUnavailableError,) if case.traits.own_server else (PermanentError, TransientError)
        await stand.fails(Situation.WRONG_CREDENTIALS, *expected)


@channel_law(Situation.BUSY)
async def a_request_to_wait_is_honoured(case: ChannelCase) -> None:
    """A provider that asks to wait gets its time: RateLimitedError, with the wait that it asked for."""
    async with on_trial(case) as stand:
        error = await stand.fails(Situation.BUSY, RateLimitedError)
        assert isinstance(error, RateLimitedError)
        assert error.retry_after == WAIT, f"asked to wait {WAIT}, the channel says {error.retry_after}"
        if not case.traits.own_server:
            assert error.scope == "address", "one recipient's server must not make the others wait"


@channel_law(Situation.FAULT)
async def a_fault_of_the_provider_passes(case: ChannelCase) -> None:
    """A provider with a fault of its own condemns no message: TransientError, or ChannelUnavailableError for its own server."""
    async with on_trial(case) as stand:
        await stand.fails(Situation.FAULT, *((TransientError, ChannelUnavailableError) if case.traits.own_server else (TransientError,)))


@channel_law(Situation.UNREACHABLE)
async def a_server_that_is_down_is_no_messages_fault(case: ChannelCase) -> None:
    """No connection is a ChannelUnavailableError, which uses up nobody's attempts; of a recipient's server, a TransientError."""
    async with on_trial(case, Situation.UNREACHABLE) as stand:
        await stand.fails(Situation.UNREACHABLE, ChannelUnavailableError if case.traits.own_server else TransientError)


@channel_law(Situation.CUT)
async def a_lost_answer_is_an_unknown_outcome(case: ChannelCase) -> None:
    """When the message went out and the connection broke, it may have been sent: OutcomeUnknownError, and not tried by itself."""
    async with on_trial(case) as stand:
        await stand.fails(Situation.CUT, OutcomeUnknownError)
        assert len(stand.provider.arrivals()) == 1, "the channel has sent again by itself"


@channel_law(Situation.SILENT)
async def silence_is_an_unknown_outcome(case: ChannelCase) -> None:
    """A provider that took the message and never answers is given up in time: OutcomeUnknownError."""
    async with impatient(case) as stand:
        stand.meets(Situation.SILENT)
        error = await stand.given_up()
        assert type(error) is OutcomeUnknownError, f"a provider that never answers: the send ended with {error!r}, not OutcomeUnknownError"


@channel_law(Situation.GARBLED)
async def a_yes_that_cannot_be_read_is_an_unknown_outcome(case: ChannelCase) -> None:
    """An answer of the wrong form may come from anything in between: OutcomeUnknownError, neither success nor an exception."""
    async with on_trial(case) as stand:
        await stand.fails(Situation.GARBLED, OutcomeUnknownError)


@channel_law(Situation.ACCEPTED)
async def after_any_failure_the_next_message_goes(case: ChannelCase) -> None:
    """Whatever a send ended with, the next one on the same channel works, and gets its own answer."""
    for situation in FAILURES:
        if situation in case.never or situation in (Situation.UNREACHABLE, Situation.SILENT):
            continue
        async with on_trial(case) as stand:
            stand.meets(situation)
            for _ in range(2):
                error = await stand.outcome()
                assert isinstance(error, DeliveryError)
            before = len(stand.provider.arrivals())
            stand.meets(Situation.ACCEPTED)
            found = await stand.outcome()
            assert not isinstance(found, DeliveryError), f"after “{situation.value}” the next message failed with {type(found).__name__}"
            assert len(stand.provider.arrivals()) == before + 1


@channel_law()
async def every_error_survives_a_process_boundary(case: ChannelCase) -> None:
    """Errors are pickled, with all their facts, and say something."""
    for situation in FAILURES:
        if situation in case.never or situation is Situation.SILENT:
            continue
        async with on_trial(case, situation) as stand:
            error = await stand.outcome()
            assert isinstance(error, DeliveryError), f"{situation.value}, and yet the send succeeded"
            with raising_nothing(f"{situation.value}: {type(error).__name__} cannot be pickled"):
                again = pickle.loads(pickle.dumps(error))  # noqa: S301 - made a moment ago
            assert type(again) is type(error)
            assert str(again) == str(error) != ""
            assert vars(again) == vars(error), "facts were lost"


@channel_law(Situation.WRONG_CREDENTIALS, needs="own_server")
async def trying_the_channel_out_finds_wrong_credentials_or_says_nothing(case: ChannelCase) -> None:
    """``check`` of a channel whose credentials are wrong raises ChannelUnavailableError or ConfigurationError, if anything."""
    async with on_trial(case, Situation.WRONG_CREDENTIALS) as stand:
        try:
            await stand.channel.check()
        except (ChannelUnavailableError, ConfigurationError):
            pass
        except Exception as error:
            raise AssertionError(f"check() raises ChannelUnavailableError or ConfigurationError, not {type(error).__name__}") from error
        assert not stand.provider.arrivals(), "check() has sent a message"
