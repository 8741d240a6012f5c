"""What every bus refuses when it is made, and how much a worker settles at once."""

from datetime import timedelta

import pytest

from notifykit import Lane, Reason
from notifykit._claims import MAX_BATCH, MAX_BODY_BYTES, Claim, Envelope
from notifykit._clock import FOREVER
from notifykit._outcomes import Ack, Bury, Release, Settlement, check_settlements, most_at_once
from notifykit.buses.memory import MemoryBus
from notifykit.buses.redis import RedisBus
from notifykit.buses.sqlite import SQLiteBus
from notifykit.errors import ConfigurationError, PayloadTooLargeError

CENTURY = timedelta(days=36_525)


@pytest.fixture(params=["memory", "sqlite", "redis", "sharded"])
def make(request, tmp_path):
    return {
        "memory": MemoryBus,
        "sqlite": lambda **how: SQLiteBus(tmp_path / "notify.db", **how),
        "redis": RedisBus,
        "sharded": lambda **how: RedisBus.sharded("redis://localhost", 2, **how),
    }[request.param]


@pytest.mark.parametrize("ttl", [timedelta.max, CENTURY + timedelta(milliseconds=1), timedelta(seconds=-1), 60, None])
def test_a_time_to_live_that_no_bus_keeps_is_refused(make, ttl):
    with pytest.raises(ConfigurationError, match="idempotency_ttl"):
        make(idempotency_ttl=ttl)


def test_a_time_to_live_of_nothing_or_a_century_is_kept(make):
    for ttl in (timedelta(0), CENTURY):
        make(idempotency_ttl=ttl)


def envelope(body: bytes = b"") -> Envelope:
    return Envelope(id="then", channel="sms", lane=Lane.TRANSACTIONAL, body=body)


def settlement(messages: int = 0, body: bytes = b"") -> Settlement:
    claim = Claim(envelope(), 1, "token", FOREVER, FOREVER)
    return Settlement(claim, Bury(Reason.FAILED, "", (envelope(body),) * messages) if messages else Ack())


FULL = b"x" * MAX_BODY_BYTES


@pytest.mark.parametrize(
    ("given", "most"),
    [
        ([], 0),
        ([settlement()] * 1000, 1000),
        ([settlement()] * 1001, 1000),
        ([settlement(500)] * 3, 2),
        ([settlement(1), *[settlement(500)] * 2], 2),
        ([settlement(1, FULL)] * 17, 16),
        ([settlement(1, FULL), settlement(), *[settlement(1, FULL)] * 15, settlement(), settlement(1, b"x")], 18),
        ([settlement(1001), settlement()], 1),
        ([Settlement(settlement().claim, Release())] * 1001, 1000),
    ],
)
def test_as_much_is_settled_at_once_as_a_bus_takes_and_at_least_one(given, most):
    assert most_at_once(given) == most
    if most > 1:
        check_settlements(given[:most])
    if most < len(given):
        with pytest.raises((ConfigurationError, PayloadTooLargeError)):
            check_settlements(given[: most + 1])
    assert MAX_BATCH == 1000
