"""The judge of what processes told: each thing that must not happen is found, and what may happen is not."""

from datetime import UTC, datetime, timedelta

import pytest

from notifykit._claims import Claim, Envelope, Reason, Settled, State, StoredMessage
from notifykit._messages import Lane
from notifykit._outcomes import Ack, Bury, Release, Retry
from notifykit.testing.conformance.history import Ended, Ending, Handed, Kept, Offered, Sent, Stored, judge

START = datetime(2030, 1, 1, tzinfo=UTC)


def at(seconds):
    return START + timedelta(seconds=seconds)


def message(message_id="a", max_attempts=4):
    return Envelope(id=message_id, channel="email", lane=Lane.TRANSACTIONAL, max_attempts=max_attempts)


def handed(token, claimed_at=0, attempt=1, **fields):
    return Handed(Claim(message(**fields), attempt, token, at(claimed_at), at(claimed_at + 10)))


def ended(token, outcome, answer):
    return [Ending(token, outcome), Ended(token, answer)]


def dead(reason, attempts=4, message_id="a"):
    return StoredMessage(envelope=message(message_id), state=State.DEAD, reason=reason, attempts=attempts)


ENQUEUED = [Offered(0, ("a",)), Stored(("a",))]
SENT = [*ENQUEUED, handed("1"), Sent("1"), *ended("1", Ack(), Settled.DONE)]

FINE = {
    "sent": SENT,
    "in doubt whether it was enqueued": [Offered(0, ("a",))],
    "sent, the answer to its ack lost": [*ENQUEUED, handed("1"), Sent("1"), Ending("1", Ack())],
    "taken over": [*ENQUEUED, handed("1"), Sent("1"), handed("2", 10, 2), Sent("2"), *ended("2", Ack(), Settled.DONE)],
    "taken over, and a stale ack": [
        *ENQUEUED,
        handed("1"),
        handed("2", 10, 2),
        *ended("1", Ack(), Settled.STALE),
        *ended("2", Ack(), Settled.DONE),
    ],
    "retried": [*ENQUEUED, handed("1"), *ended("1", Retry(at(3)), Settled.DONE), handed("2", 3, 2), *ended("2", Ack(), Settled.DONE)],
    "released": [*ENQUEUED, handed("1"), *ended("1", Release(), Settled.DONE), handed("2", 0), *ended("2", Ack(), Settled.DONE)],
    "perhaps retried": [*ENQUEUED, handed("1"), Ending("1", Retry(at(3))), handed("2", 3, 2), *ended("2", Ack(), Settled.DONE)],
    "acked again after a lost answer": [*ENQUEUED, handed("1"), Ending("1", Ack()), *ended("1", Ack(), Settled.GONE)],
    "followed by another": [
        *ENQUEUED,
        handed("1"),
        *ended("1", Ack((message("b"),)), Settled.DONE),
        handed("2", message_id="b"),
        *ended("2", Ack(), Settled.DONE),
    ],
}

WRONG = {
    "a: lost": ENQUEUED,
    "a: lost ": [*ENQUEUED, handed("1"), handed("2", 10, 2), *ended("1", Ack(), Settled.STALE)],
    "b: lost": [*ENQUEUED, handed("1"), *ended("1", Ack((message("b"),)), Settled.DONE)],
    "a: claimed or dead, but never enqueued": SENT[2:],
    "a: its token was handed out before": [*SENT, handed("1", 10, 2)],
    "a: two owners": [*ENQUEUED, handed("1"), handed("2", 9, 2), *ended("2", Ack(), Settled.DONE)],
    "a: two owners ": [*ENQUEUED, handed("1"), Kept("1", at(15)), handed("2", 12, 2), *ended("2", Ack(), Settled.DONE)],
    "a: two owners  ": [*ENQUEUED, handed("1"), Ending("1", Ack()), handed("2", 9, 2), *ended("2", Ack(), Settled.DONE)],
    "an unexplained duplicate": [*SENT, handed("2", 20, 2), Sent("2")],
    "a: attempt 1 was followed by attempt 1": [*ENQUEUED, handed("1"), handed("2", 10), *ended("2", Ack(), Settled.DONE)],
    "a: attempt 5 of 4": [*ENQUEUED, handed("1", attempt=5), *ended("1", Ack(), Settled.DONE)],
    "a: claimed before the time": [
        *ENQUEUED,
        handed("1"),
        *ended("1", Retry(at(3)), Settled.DONE),
        handed("2", 2, 2),
        *ended("2", Ack(), Settled.DONE),
    ],
    "a: ended twice": [
        *ENQUEUED,
        handed("1"),
        handed("2", 10, 2),
        *ended("2", Bury(Reason.REJECTED), Settled.DEAD),
        *ended("1", Ack(), Settled.DONE),
    ],
}


@pytest.mark.parametrize("events", FINE.values(), ids=FINE)
def test_what_may_happen_is_no_fault(events):
    assert judge(events).faults == ()


@pytest.mark.parametrize(("fault", "events"), WRONG.items(), ids=WRONG)
def test_what_must_not_happen_is_named(fault, events):
    left = [dead(Reason.REJECTED)] if "ended twice" in fault else []
    assert any(fault.strip() in each for each in judge(events, left).faults)


@pytest.mark.parametrize(
    ("events", "left"),
    [
        ([*ENQUEUED, handed("1", 0, 4)], dead(Reason.CRASH)),
        ([*ENQUEUED, handed("1"), *ended("1", Bury(Reason.REJECTED), Settled.DEAD)], dead(Reason.REJECTED, 1)),
        ([*ENQUEUED, handed("1", 0, 4), *ended("1", Retry(at(1)), Settled.DEAD)], dead(Reason.FAILED)),
    ],
)
def test_a_death_that_has_a_cause_is_no_fault_and_no_loss(events, left):
    assert judge(events, [left]).faults == ()


@pytest.mark.parametrize("left", [dead(Reason.CRASH, 3), dead(Reason.REJECTED), dead(Reason.FAILED)])
def test_a_death_without_a_cause_is_named(left):
    (fault,) = judge([*ENQUEUED, handed("1", 0, 3)], [left]).faults
    assert "dead without a cause" in fault


def test_duplicates_are_counted():
    verdict = judge(FINE["taken over"])
    assert (verdict.stored, verdict.claims, verdict.sent, verdict.duplicates) == (1, 2, 1, 1)
