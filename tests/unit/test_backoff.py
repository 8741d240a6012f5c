"""Delays between attempts."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifykit._backoff import constant, exponential, jittered
from notifykit.errors import ConfigurationError

SECOND = timedelta(seconds=1)
DELAYS = st.timedeltas(timedelta(milliseconds=1), timedelta(days=30))
ATTEMPTS = st.integers(1, 10_000)


@pytest.mark.parametrize(("attempt", "seconds"), [(1, 1), (2, 2), (3, 4), (4, 8), (12, 2048), (13, 3600), (1000, 3600)])
def test_the_delay_doubles_from_one_second_to_an_hour(attempt: int, seconds: int) -> None:
    assert exponential()(attempt) == timedelta(seconds=seconds)


@given(DELAYS, DELAYS, ATTEMPTS)
def test_an_exponential_delay_grows_within_base_and_cap(one: timedelta, other: timedelta, attempt: int) -> None:
    base, cap = sorted((one, other))
    backoff = exponential(base, cap)
    assert backoff(1) == base
    assert base <= backoff(attempt) <= backoff(attempt + 1) <= cap
    assert backoff(attempt + 1) in (2 * backoff(attempt), cap)


@given(DELAYS, ATTEMPTS)
def test_a_constant_delay_is_constant(delay: timedelta, attempt: int) -> None:
    assert constant(delay)(attempt) == delay


@given(DELAYS, ATTEMPTS, st.floats(0, 10), st.floats(0, 1, exclude_max=True))
def test_jitter_never_shortens_and_adds_at_most_its_share(delay: timedelta, attempt: int, most: float, chance: float) -> None:
    jitter = jittered(constant(delay), most, lambda: chance)(attempt)
    assert delay <= jitter <= delay * (1 + most)


def test_jitter_spreads_evenly_over_its_share() -> None:
    assert [jittered(constant(100 * SECOND), 0.1, lambda each=each: each)(1) / SECOND for each in (0.0, 0.5)] == [100, 105]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: exponential(timedelta(0)),
        lambda: exponential(-SECOND),
        lambda: exponential(2 * SECOND, SECOND),
        lambda: constant(-SECOND),
        lambda: jittered(constant(SECOND), -0.1),
        lambda: jittered(constant(SECOND), 11),
        lambda: jittered(constant(SECOND), float("nan")),
    ],
)
def test_delays_that_mean_nothing_are_refused(wrong: object) -> None:
    with pytest.raises(ConfigurationError):
        wrong()  # type: ignore[operator]
