"""Strategies for an application's own notifications give what its types allow, and what every queue carries."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any

import pytest
from attrs import frozen
from hypothesis import find, given
from hypothesis import strategies as st

from notifykit import Notification, Recipient
from notifykit._codec import normalize
from notifykit._notifications import template_and_variables
from notifykit.errors import ConfigurationError
from notifykit.testing.conformance import notifications, recipients


class Side(Enum):
    BUY = "buy"
    SELL = "sell"


@frozen
class EntryFailed(Notification):
    order: int
    side: Side
    price: Decimal | None
    at: datetime
    reasons: list[str]
    more: Mapping[str, float]
    extra: Any
    urgent: bool = False


@given(notifications(EntryFailed, order=st.integers(1, 99)), recipients(sms=st.just("+15550001234")))
def test_every_notification_that_is_made_can_be_queued(notification, recipient):
    assert 1 <= notification.order <= 99
    assert isinstance(notification.side, Side)
    assert notification.at.utcoffset() is not None
    assert all(isinstance(each, str) for each in notification.reasons)
    template, variables = template_and_variables(notification)
    assert template == "entry_failed"
    normal = normalize(variables)
    assert normalize(normal) == normal
    assert isinstance(recipient, Recipient)
    assert recipient.addresses["sms"] == ("+15550001234",)


def test_the_whole_range_of_a_type_is_searched():
    assert find(notifications(EntryFailed), lambda each: each.price is None).price is None
    assert find(notifications(EntryFailed), lambda each: each.urgent).urgent


def test_a_field_that_is_not_there_is_refused():
    with pytest.raises(ConfigurationError, match="EntryFailed has no field colour"):
        notifications(EntryFailed, colour=st.just("red"))
