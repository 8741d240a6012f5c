"""Times: aware, in UTC, never early."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifykit import abc
from notifykit._clock import FOREVER, SystemClock, from_ms, to_ms, to_utc, to_utc_or_none
from notifykit.errors import ConfigurationError

ZONES = st.timedeltas(timedelta(hours=-23), timedelta(hours=23)).map(timezone)
MOMENTS = st.datetimes(datetime(1900, 1, 1), datetime(9998, 12, 31), timezones=ZONES)


@pytest.mark.parametrize("wrong", [datetime(2026, 5, 1), date(2026, 5, 1), 1_700_000_000, "2026-05-01", None])
def test_a_naive_datetime_or_anything_else_is_refused(wrong: object) -> None:
    with pytest.raises(ConfigurationError, match=r"aware|naive"):
        to_utc(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("edge", [datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=timezone(timedelta(hours=1)))])
def test_a_time_beyond_the_calendar_is_refused(edge: datetime) -> None:
    with pytest.raises(ConfigurationError):
        to_utc(edge)


@given(MOMENTS)
def test_a_time_becomes_utc_and_is_rounded_up_to_a_millisecond(moment: datetime) -> None:
    utc = to_utc(moment)
    assert utc.tzinfo is UTC
    assert utc.microsecond % 1000 == 0
    assert timedelta(0) <= utc - moment < timedelta(milliseconds=1)
    assert to_utc(utc) == utc


@given(MOMENTS)
def test_milliseconds_never_come_early(moment: datetime) -> None:
    assert timedelta(0) <= from_ms(to_ms(moment)) - moment < timedelta(milliseconds=1)


@given(MOMENTS, MOMENTS)
def test_order_survives_rounding(one: datetime, other: datetime) -> None:
    first, second = sorted((one, other))
    assert to_ms(first) <= to_ms(second)
    assert to_utc(first) <= to_utc(second)


@given(st.integers(to_ms(datetime(1900, 1, 1, tzinfo=UTC)), to_ms(FOREVER)))
def test_milliseconds_come_back_exactly(ms: int) -> None:
    assert to_ms(from_ms(ms)) == ms


def test_none_stays_none() -> None:
    assert to_utc_or_none(None) is None
    assert to_utc_or_none(FOREVER) == FOREVER


def test_the_system_clock_is_a_clock_in_utc() -> None:
    clock = SystemClock()
    assert isinstance(clock, abc.Clock)
    assert clock.now().tzinfo is UTC
    assert clock.monotonic() <= clock.monotonic()
