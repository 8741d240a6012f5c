"""From an error to the end of a claim."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifykit import errors
from notifykit._backoff import constant
from notifykit._claims import MAX_ERROR_BYTES, Claim, Envelope, Reason
from notifykit._messages import Lane
from notifykit._outcomes import Ack, Bury, Outcome, Release, Retry, RetryPolicy, decide
from notifykit.errors import (
    AddressGoneError,
    AddressMovedError,
    ChannelUnavailableError,
    ConfigurationError,
    DeliveryError,
    NotifykitError,
    OutcomeUnknownError,
    PermanentError,
    RateLimitedError,
    RenderError,
    TransientError,
)

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
POLICY = RetryPolicy(backoff=constant(4 * SECOND))


def claim(lane: Lane = Lane.TRANSACTIONAL, attempt: int = 1, progress: bytes = b"") -> Claim:
    return Claim(Envelope(id="m", channel="c", lane=lane), attempt, "token", NOW, NOW + 60 * SECOND, progress)


def retry(seconds: float, error: str, progress: bytes = b"") -> Retry:
    return Retry(NOW + timedelta(seconds=seconds), error, progress)


TABLE: list[tuple[Exception, Outcome]] = [
    (ChannelUnavailableError("down"), Release()),
    (ChannelUnavailableError("down", retry_after=9 * SECOND), Release()),
    (RateLimitedError("slow"), Release()),
    (RateLimitedError("slow", retry_after=9 * SECOND), Release()),
    (RateLimitedError("slow", retry_after=9 * SECOND, scope="address"), Release(NOW + 9 * SECOND)),
    (RateLimitedError("slow", retry_after=-SECOND, scope="address"), Release(NOW)),
    (RateLimitedError("slow", progress=b"half"), Release(None, b"half")),
    (TransientError("later"), retry(4, "TransientError: later")),
    (TransientError("later", retry_after=SECOND), retry(4, "TransientError: later")),
    (TransientError("later", retry_after=9 * SECOND), retry(9, "TransientError: later")),
    (TransientError("later", progress=b"half"), retry(4, "TransientError: later", b"half")),
    (OutcomeUnknownError("lost"), retry(4, "OutcomeUnknownError: lost")),
    (PermanentError("no"), Bury(Reason.REJECTED, "PermanentError: no")),
    (AddressGoneError("gone"), Bury(Reason.ADDRESS_GONE, "AddressGoneError: gone")),
    (AddressMovedError("moved", new_address=7), Bury(Reason.ADDRESS_MOVED, "AddressMovedError: moved")),
    (DeliveryError("some"), retry(4, "DeliveryError: some")),
    (NotifykitError("some"), retry(4, "NotifykitError: some")),
    (ValueError("foreign"), retry(4, "ValueError: foreign")),
    (TimeoutError(), retry(4, "TimeoutError: ")),
]


def kinds_below(kind: type[Exception]) -> Iterator[type[Exception]]:
    yield kind
    for each in kind.__subclasses__():
        yield from kinds_below(each)


@pytest.mark.parametrize(("error", "outcome"), TABLE, ids=lambda each: repr(each)[:60])
def test_each_error_ends_a_claim_in_its_way(error: Exception, outcome: Outcome) -> None:
    assert decide(error, claim(), POLICY, NOW) == outcome


def test_the_table_names_every_error_that_a_channel_may_raise() -> None:
    ours = {each for each in kinds_below(DeliveryError) if each.__module__ == errors.__name__}
    assert ours <= {type(error) for error, _ in TABLE}


@pytest.mark.parametrize("kind", list(kinds_below(RenderError)))
def test_what_does_not_render_is_buried_at_once(kind: type[Exception]) -> None:
    assert decide(kind("bad"), claim(), POLICY, NOW) == Bury(Reason.UNRENDERABLE, f"{kind.__name__}: bad")


@pytest.mark.parametrize("kind", [each for each in kinds_below(NotifykitError) if not issubclass(each, DeliveryError | RenderError)])
def test_an_error_that_no_channel_should_raise_is_tried_again(kind: type[Exception]) -> None:
    assert isinstance(decide(kind("stray"), claim(), POLICY, NOW), Retry)


@pytest.mark.parametrize(
    ("unknown", "outcome"),
    [
        ("retry", retry(4, "OutcomeUnknownError: lost", b"kept")),
        ("hold", Bury(Reason.UNKNOWN, "OutcomeUnknownError: lost")),
        ("assume_sent", Ack()),
    ],
)
def test_an_unknown_outcome_becomes_what_the_policy_of_its_lane_says(unknown: str, outcome: Outcome) -> None:
    error = OutcomeUnknownError("lost")
    transactional = RetryPolicy(backoff=constant(4 * SECOND), unknown_transactional=unknown)
    campaign = RetryPolicy(backoff=constant(4 * SECOND), unknown_campaign=unknown)
    assert decide(error, claim(Lane.TRANSACTIONAL, progress=b"kept"), transactional, NOW) == outcome
    assert decide(error, claim(Lane.CAMPAIGN, progress=b"kept"), campaign, NOW) == outcome


def test_by_default_an_unknown_outcome_is_retried_but_a_campaigns_is_held() -> None:
    assert isinstance(decide(OutcomeUnknownError(), claim(Lane.TRANSACTIONAL), RetryPolicy(), NOW), Retry)
    assert decide(OutcomeUnknownError("x"), claim(Lane.CAMPAIGN), RetryPolicy(), NOW) == Bury(Reason.UNKNOWN, "OutcomeUnknownError: x")


@pytest.mark.parametrize(("attempt", "seconds"), [(1, 1), (2, 2), (3, 4)])
def test_by_default_retries_come_after_one_two_and_four_seconds_and_a_tenth_more(attempt: int, seconds: int) -> None:
    outcome = decide(TransientError(), claim(attempt=attempt), RetryPolicy(), NOW)
    assert isinstance(outcome, Retry)
    assert timedelta(seconds=seconds) <= outcome.due_at - NOW <= timedelta(seconds=seconds * 1.1, milliseconds=1)


def test_by_default_there_are_three_retries() -> None:
    assert RetryPolicy().max_attempts == 4


def test_progress_of_an_earlier_attempt_is_kept_until_there_is_new() -> None:
    before = claim(progress=b"before")
    kept = decide(TransientError(), before, POLICY, NOW)
    new = decide(TransientError(progress=b"new"), before, POLICY, NOW)
    assert (kept.progress, new.progress) == (b"before", b"new")  # type: ignore[union-attr]
    assert decide(RateLimitedError(), before, POLICY, NOW) == Release(None, None)


@given(st.text())
def test_the_text_of_an_error_is_cut_to_what_a_bus_keeps(text: str) -> None:
    for outcome in (Retry(NOW, text), Bury(Reason.FAILED, text)):
        assert len(outcome.error.encode()) <= MAX_ERROR_BYTES
        assert len(text.encode(errors="replace")) > MAX_ERROR_BYTES or outcome.error == text.encode(errors="replace").decode()


@pytest.mark.parametrize("char", ["a", "é", "€", "😀"])
def test_cutting_an_error_leaves_no_half_character(char: str) -> None:
    kept = Retry(NOW, "x" + char * 2000).error
    assert MAX_ERROR_BYTES - 4 < len(kept.encode()) <= MAX_ERROR_BYTES
    assert set(kept) <= {"x", char}


@pytest.mark.parametrize("wrong", [{"unknown_transactional": "drop"}, {"unknown_campaign": ""}])
def test_a_policy_that_means_nothing_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="assume_sent"):
        RetryPolicy(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [0, -1, 1001])
def test_a_policy_needs_at_least_one_attempt(wrong: int) -> None:
    with pytest.raises(ConfigurationError, match="max_attempts"):
        RetryPolicy(max_attempts=wrong)


def test_a_naive_time_to_try_again_is_refused() -> None:
    for outcome in (Retry, Release):
        with pytest.raises(ConfigurationError):
            outcome(datetime(2026, 5, 1))
