"""Rows as objects, made without the converters that checked them once already: a claim makes hundreds."""

# ruff: noqa: S608 - SQL is put together from constants and question marks alone

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from notifykit._claims import Claim, Envelope, Reason, State, StoredMessage
from notifykit._clock import from_ms
from notifykit._messages import Lane
from notifykit.buses.sqlite.step import CLAIMED, DEAD, LANES, WAITING, Step, chunks, marks

__all__ = ["CLAIM_COLUMNS", "STORED_COLUMNS", "bodies", "claim", "stored", "token"]

CLAIM_COLUMNS = (
    "due_at, seq, id, expires_at, max_attempts, key, grp, recipient, template, body, attempts, deliveries, progress, nonce, queue"
)
STORED_COLUMNS = (
    "seq, id, queue, state, due_at, expires_at, max_attempts, key, grp, recipient, template, attempts, takeovers, replays, "
    "lease_until, progress, reason, error, died_at"
)

_set = object.__setattr__
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


def token(seq: int, deliveries: int, nonce: int) -> str:
    """Return the token of one claim: its place and delivery counter are in it, and the nonce of a call is random."""
    return f"{seq}.{deliveries}.{nonce:x}"


def bodies(step: Step, stored: list[bytes | int]) -> dict[int, bytes]:
    """Return the large bodies among *stored*, by their number."""
    numbers = [each for each in stored if type(each) is int]
    found: dict[int, bytes] = {}
    for some in chunks(numbers):
        found.update(step.fetch(f"SELECT key, data FROM body WHERE key IN {marks(len(some))}", some))
    return found


def claim(row: tuple[Any, ...], channel: str, lane: Lane, at: datetime, until: datetime, large: Mapping[int, bytes]) -> Claim:
    """Return the claim of a row of ``CLAIM_COLUMNS``."""
    due_at, seq, id_, expires_at, max_attempts, key, group, recipient, template, body, attempts, deliveries, progress, nonce, _ = row
    envelope = object.__new__(Envelope)
    _set(envelope, "id", id_)
    _set(envelope, "channel", channel)
    _set(envelope, "lane", lane)
    _set(envelope, "due_at", _EPOCH + due_at * _MS)
    _set(envelope, "expires_at", None if expires_at is None else from_ms(expires_at))
    _set(envelope, "max_attempts", max_attempts)
    _set(envelope, "idempotency_key", key)
    _set(envelope, "group", group)
    _set(envelope, "recipient_id", recipient)
    _set(envelope, "template", template)
    _set(envelope, "body", body if type(body) is bytes else large[body])
    made = object.__new__(Claim)
    _set(made, "envelope", envelope)
    _set(made, "attempt", attempts)
    _set(made, "token", f"{seq}.{deliveries}.{nonce:x}")
    _set(made, "claimed_at", at)
    _set(made, "lease_until", until)
    _set(made, "progress", progress)
    return made


def stored(step: Step, row: tuple[Any, ...], body: bytes = b"") -> StoredMessage:
    """Return the message of a row of ``STORED_COLUMNS``."""
    seq, id_, queue, state, due_at, expires_at, max_attempts, key, group, recipient, template, *rest = row
    attempts, takeovers, replays, lease_until, progress, reason, error, died_at = rest
    channel, lane = step.name(queue)
    envelope = Envelope(
        id=id_,
        channel=channel,
        lane=LANES[lane],
        due_at=from_ms(due_at),
        expires_at=None if expires_at is None else from_ms(expires_at),
        max_attempts=max_attempts,
        idempotency_key=key,
        group=group,
        recipient_id=recipient,
        template=template,
        body=body,
    )
    seen = {WAITING: State.READY if due_at <= step.now else State.SCHEDULED, CLAIMED: State.CLAIMED, DEAD: State.DEAD}[state]
    return StoredMessage(
        envelope=envelope,
        state=seen,
        attempts=attempts,
        takeovers=takeovers,
        replays=replays,
        reason=Reason(reason) if state == DEAD else None,
        error=error,
        died_at=from_ms(died_at) if state == DEAD else None,
        lease_until=from_ms(lease_until) if state == CLAIMED else None,
        progress=progress,
        seq=seq,
    )
