"""Laws of a channel: what nobody may read in an error, a traceback or a log."""

import logging
import traceback
import warnings

from notifykit.errors import DeliveryError
from notifykit.testing.conformance._channel_case import ChannelCase, Situation
from notifykit.testing.conformance._channel_stand import on_trial, recorded_logs
from notifykit.testing.conformance._law import channel_law

__all__: list[str] = []

_CONTENT = "the-reset-code-is-918273"


async def _texts(case: ChannelCase, situation: Situation) -> tuple[list[str], list[str]]:
    """Send in *situation*; return what errors and warnings say, with their chains, and what was logged."""
    said: list[str] = []
    with recorded_logs() as logs, warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        async with on_trial(case, situation) as stand:
            error = await stand.outcome(_CONTENT)
            if isinstance(error, DeliveryError):
                said += [str(error), repr(error), "".join(traceback.format_exception(error))]
        said += [str(each.message) for each in warned]
        return said, list(logs())


def _met(case: ChannelCase) -> list[Situation]:
    return [each for each in Situation if each not in case.never and each is not Situation.SILENT]


@channel_law()
async def no_secret_is_shown_in_an_error(case: ChannelCase) -> None:
    """No text, repr or traceback of an error, and of whatever it was raised from, shows a credential."""
    for situation in _met(case):
        said, _ = await _texts(case, situation)
        for secret in case.secrets:
            assert not any(secret in text for text in said), f"{situation.value}: an error shows a secret"


@channel_law()
async def no_secret_is_logged(case: ChannelCase) -> None:
    """No line of any logger at any level, the libraries' own included, shows a credential."""
    for situation in _met(case):
        _, logged = await _texts(case, situation)
        for secret in case.secrets:
            found = [line for line in logged if secret in line]
            assert not found, f"{situation.value}: a secret is logged: {found[0].replace(secret, '(the secret)')[:300]}"


@channel_law()
async def no_address_and_no_text_is_shown(case: ChannelCase) -> None:
    """Errors go to dead letters, logs and dashboards: whom a message was for, and what it says, does not."""
    for situation in _met(case):
        async with on_trial(case, situation) as stand:
            error = await stand.outcome(_CONTENT)
            if isinstance(error, DeliveryError):
                text = f"{error} {error!r}"
                assert _CONTENT not in text, f"{situation.value}: the error shows what the message says"
                for key in {stand.address().key, str(stand.address().value)}:
                    assert len(key) < 6 or key not in text, f"{situation.value}: the error shows the address"


@channel_law()
async def no_address_and_no_text_is_logged(case: ChannelCase) -> None:
    """No line of any logger, from INFO on, shows whom a message was for, or what it says; DEBUG lines may.

    A server that the test runs in the same process must not tell it either: disable its logger.
    """
    for situation in _met(case):
        with recorded_logs(logging.INFO) as logs:
            async with on_trial(case, situation) as stand:
                await stand.outcome(_CONTENT)
                keys = {stand.address().key, str(stand.address().value)}
            for line in logs():
                assert _CONTENT not in line, f"{situation.value}: a line of the log shows what the message says"
                assert not any(len(key) >= 6 and key in line for key in keys), f"{situation.value}: a line of the log shows the address"
