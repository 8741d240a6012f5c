"""The demo's result as one JSON object."""

from collections import Counter
from statistics import median
from typing import Any

from attrs import frozen

from examples.demo.account import Account, Expected
from examples.demo.journal import Journal
from notifykit import DeadLetter, Receipt

__all__ = ["Result", "as_json", "delivery_times"]


@frozen(kw_only=True)
class Result:
    """What came of the demo."""

    loop: str
    seconds: float
    expected: list[Expected]
    account: Account
    retried: int
    taken_over: int
    died: list[DeadLetter]
    test_send: list[Receipt]
    unsubscribed: list[str]
    killed_at: list[float]
    journal: Journal
    page: str


def delivery_times(result: Result) -> dict[str, list[float]]:
    """Return the milliseconds of each delivery, by channel."""
    times: dict[str, list[float]] = {}
    for line in result.journal.of("Delivered"):
        times.setdefault(line["channel"], []).append(line["delivery_time_ms"])
    return times


def as_json(result: Result) -> dict[str, Any]:
    """Return the result in JSON's own types."""
    account, journal = result.account, result.journal
    return {
        "ok": not account.faults,
        "faults": list(account.faults),
        "loop": result.loop,
        "seconds": round(result.seconds, 2),
        "enqueued": dict(Counter(each.channel for each in result.expected)),
        "arrived_once": len(account.once),
        "arrived_twice": list(account.twice),
        "missing": list(account.missing),
        "unexpected": list(account.unexpected),
        "worker_deaths": account.deaths,
        "rate_limited": sum(each["cause"] == "RateLimitedError" for each in journal.of("Released")),
        "taken_over": result.taken_over,
        "retried": result.retried,
        "died": {each.id: each.reason.value for each in result.died},
        "replayed": list(account.replayed),
        "dead": list(account.dead),
        "unsubscribed": result.unsubscribed,
        "test_send": [
            {"channel": each.channel, "status": each.status.value, "delivery_time_ms": each.delivery_time_ms} for each in result.test_send
        ],
        "delivery_time_ms": {
            channel: {"median": round(median(times), 1), "max": round(max(times), 1)} for channel, times in delivery_times(result).items()
        },
        "page": result.page,
    }
