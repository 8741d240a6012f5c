"""The JSON that commands print: one function for each sort of record. Their keys are stable, and documented in the reference."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from attrs import asdict

from notifykit._claims import Counters, Depth, Stats
from notifykit._messages import Lane, Receipt
from notifykit._notifier.campaign import Progress
from notifykit._notifier.dead_letters import DeadLetter

__all__ = ["age", "dead_record", "progress_record", "receipt_record", "redacted", "stats_record", "whole_dead_record"]

_LANES = list(Lane)


def receipt_record(receipt: Receipt) -> dict[str, Any]:
    """Return what a receipt says."""
    error = receipt.error
    return {
        "message_id": receipt.message_id,
        "channel": receipt.channel,
        "recipient_id": receipt.recipient_id,
        "status": receipt.status.value,
        "provider_id": receipt.provider_id,
        "attempt": receipt.attempt,
        "delivery_time_ms": None if receipt.delivery_time_ms is None else round(receipt.delivery_time_ms, 3),
        "reason": receipt.reason,
        "error": None if error is None else {"type": type(error).__name__, "message": str(error)},
    }


def progress_record(progress: Progress) -> dict[str, Any]:
    """Return how far a campaign has come."""
    return {
        "recipients": progress.recipients,
        "enqueued": progress.enqueued,
        "duplicates": progress.duplicates,
        "skipped": progress.skipped,
        "suppressed": progress.suppressed,
        "cancelled": progress.cancelled,
        "refused": progress.refused,
        "errors": [{"recipient_id": who, "type": type(error).__name__, "message": str(error)} for who, error in progress.errors],
    }


def dead_record(dead: DeadLetter) -> dict[str, Any]:
    """Return what a list says of a dead letter."""
    return {
        "id": dead.id,
        "channel": dead.channel,
        "lane": dead.lane.value,
        "recipient_id": dead.recipient_id,
        "template": dead.template,
        "reason": dead.reason.value,
        "error": dead.error,
        "attempts": dead.attempts,
        "replays": dead.replays,
        "died_at": _time(dead.died_at),
    }


def whole_dead_record(dead: DeadLetter, *, reveal: bool) -> dict[str, Any]:
    """Return all of a dead letter; its address and the values of its variables only with *reveal*."""
    message = dead.message
    if message is None:
        return {**dead_record(dead), "message": None}
    variables = {name: value if reveal else "…" for name, value in message.variables.items()}
    return {
        **dead_record(dead),
        "message": {
            "address": message.address.value if reveal else redacted(message.address.value),
            "variables": variables,
            "locale": message.locale,
            "timezone": message.timezone,
            "group": message.group,
            "request_id": message.request_id,
            "idempotency_key": message.idempotency_key,
            "max_attempts": message.max_attempts,
            "delivery": message.delivery.value,
            "fallback": [step.channel for step in message.fallback],
            "due_at": _time(message.due_at),
            "expires_at": _time(message.expires_at),
            "created_at": _time(message.created_at),
        },
    }


def stats_record(stats: Stats, reasons: Mapping[tuple[str, Lane], Mapping[str, int]], rates: Mapping[tuple[str, Lane], float]) -> Any:
    """Return the state of the queue."""
    places = sorted({*stats.depths, *stats.counters}, key=lambda place: (place[0], _LANES.index(place[1])))
    return {
        "lanes": [_lane(place, stats, reasons.get(place, {}), rates.get(place)) for place in places],
        "groups": {name: _depth(depth) for name, depth in sorted(stats.groups.items())},
        "holds": [
            {"channel": hold.channel, "lane": hold.lane and hold.lane.value, "until": _time(hold.until), "reason": hold.reason}
            for hold in stats.holds
        ],
    }


def _lane(place: tuple[str, Lane], stats: Stats, reasons: Mapping[str, int], rate: float | None) -> dict[str, Any]:
    counters = stats.counters.get(place, Counters())
    return {
        "channel": place[0],
        "lane": place[1].value,
        **_depth(stats.depths.get(place, Depth())),
        "dead_by_reason": dict(reasons),
        "delivered_per_second": None if rate is None else round(rate, 3),
        "counters": asdict(counters),
    }


def _depth(depth: Depth) -> dict[str, Any]:
    oldest = depth.oldest_ready
    return {
        "ready": depth.ready,
        "scheduled": depth.scheduled,
        "claimed": depth.claimed,
        "dead": depth.dead,
        "oldest_ready_seconds": None if oldest is None else round(oldest.total_seconds(), 3),
    }


def redacted(address: Any) -> str:
    """Return enough of an address to tell it from another, and not enough to write to it.

    >>> redacted("ada@example.com"), redacted(123456789), redacted({"endpoint": "https://push.example/x"})
    ('a…@example.com', '…89', '…')
    """
    if isinstance(address, str) and "@" in address:
        name, _, domain = address.rpartition("@")
        return f"{name[:1]}…@{domain}"
    if isinstance(address, str | int) and "://" not in str(address) and len(str(address)) >= 6:
        return f"…{str(address)[-2:]}"
    return "…"


def age(given: timedelta | None) -> str:
    """Return an age in one or two units.

    >>> age(timedelta(seconds=5)), age(timedelta(minutes=3, seconds=7)), age(timedelta(hours=50)), age(None)
    ('5s', '3m 07s', '2d 02h', '')
    """
    if given is None:
        return ""
    seconds = int(given.total_seconds())
    if seconds < 60:
        return f"{seconds}s"
    if seconds < 3600:
        return f"{seconds // 60}m {seconds % 60:02}s"
    if seconds < 86400:
        return f"{seconds // 3600}h {seconds % 3600 // 60:02}m"
    return f"{seconds // 86400}d {seconds % 86400 // 3600:02}h"


def _time(given: datetime | None) -> str | None:
    return None if given is None else given.isoformat(timespec="milliseconds")
