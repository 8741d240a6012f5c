"""Rate limits: their notation, and the windows they become."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifykit._limits import CAMPAIGN_SHARE, address_windows, channel_windows, parse_limits
from notifykit._messages import Address, Lane
from notifykit.abc import Window
from notifykit.errors import ConfigurationError

HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)


@pytest.mark.parametrize(
    ("notation", "limits"),
    [
        ("10/hour", ((10, HOUR),)),
        ("30/minute; 1/second", ((30, MINUTE), (1, SECOND))),
        ("10 per 2 hours", ((10, 2 * HOUR),)),
        ("5/10 second", ((5, 10 * SECOND),)),
        ("", ()),
        ("  ", ()),
    ],
)
def test_a_notation_is_read(notation: str, limits: tuple[tuple[int, timedelta], ...]) -> None:
    assert parse_limits(notation) == limits


@pytest.mark.parametrize("wrong", ["ten/hour", "10", "10/fortnight", "10/hour and more", "-1/hour", "/", "10/hour;;x"])
def test_what_is_no_notation_is_refused_with_an_example(wrong: str) -> None:
    with pytest.raises(ConfigurationError, match="write it as '10/hour'"):
        parse_limits(wrong)


@pytest.mark.parametrize("empty", ["0/hour", "1/second; 0/hour"])
def test_a_limit_that_lets_nothing_through_is_refused(empty: str) -> None:
    with pytest.raises(ConfigurationError):
        parse_limits(empty)


@given(st.text(max_size=20))
def test_any_text_is_limits_or_refused(text: str) -> None:
    try:
        limits = parse_limits(text)
    except ConfigurationError:
        return
    assert all(limit > 0 and period > timedelta(0) for limit, period in limits)


def test_the_transactional_lane_may_fill_a_channels_windows() -> None:
    assert channel_windows("mail", "10/hour; 2/second", Lane.TRANSACTIONAL) == [
        Window("limit:mail:3600", 10, HOUR),
        Window("limit:mail:1", 2, SECOND),
    ]


@pytest.mark.parametrize(("limit", "share"), [(100, 75), (10, 7), (4, 3), (2, 1), (1, 1)])
def test_the_campaign_lane_fills_only_its_share_of_the_same_windows_but_never_nothing(limit: int, share: int) -> None:
    assert CAMPAIGN_SHARE == 0.75
    assert channel_windows("mail", f"{limit}/hour", Lane.CAMPAIGN) == [Window("limit:mail:3600", share, HOUR)]


def test_the_windows_of_an_address_do_not_show_it() -> None:
    (window,) = address_windows("mail", "1/minute", Address("ada@x", "ada@x"))
    assert "ada" not in window.key
    assert (window.limit, window.period) == (1, MINUTE)


def test_every_address_and_every_channel_has_windows_of_its_own() -> None:
    keys = {
        address_windows(channel, "1/minute", Address("x", key))[0].key
        for channel in ("mail", "telegram")
        for key in ("ada", "bob", "half \ud83d")
    }
    assert len(keys) == 6
    assert address_windows("mail", "1/minute", Address(1, "ada")) == address_windows("mail", "1/minute", Address(2, "ada"))


@pytest.mark.parametrize("endless", ["1 per 200 years", "1/999999999 days", f"{10**16}/minute"])
def test_a_limit_that_no_store_can_keep_is_refused_when_it_is_written(endless: str) -> None:
    with pytest.raises(ConfigurationError, match="a hundred years"):
        parse_limits(endless)
