"""Rows as objects, made without the converters that checked them once already: a claim makes hundreds."""

# ruff: noqa: S608 - SQL is put together from constants and question marks alone

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from notifykit._claims import Claim, Envelope, Reason, State, StoredMessage
from notifykit._clock import from_ms
from notifykit._messages import Lane
from notifykit.buses._twins import twin
from notifykit.buses.sqlite.step import CLAIMED, DEAD, LANES, WAITING, Step, chunks, marks

__all__ = ["CLAIM_COLUMNS", "STORED_COLUMNS", "bodies", "claims_of", "stored", "token"]

CLAIM_COLUMNS = "seq, id, due_at, expires_at, max_attempts, key, grp, recipient, template, body, attempts, deliveries, progress"
STORED_COLUMNS = (
    "seq, id, queue, state, due_at, expires_at, max_attempts, key, grp, recipient, template, attempts, takeovers, replays, "
    "lease_until, progress, reason, error, died_at"
)


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


_Envelope, _Claim = twin(Envelope), twin(Claim)


def claims_of(
    rows: Sequence[Any], channel: str, lane: Lane, at: datetime, until: datetime, nonce: int, large: Mapping[int, bytes]
) -> list[Claim]:
    """Return the claims of rows of ``CLAIM_COLUMNS``, which are as they were before the claim."""
    claims: list[Claim] = []
    tail = f".{nonce:x}"
    before, due = -1, at
    for seq, message_id, due_at, expires_at, max_attempts, key, group, recipient, template, body, attempts, deliveries, progress in rows:
        if due_at != before:  # what was enqueued together is due together
            before, due = due_at, from_ms(due_at)
        envelope = _Envelope(
            message_id,
            channel,
            lane,
            due,
            None if expires_at is None else from_ms(expires_at),
            max_attempts,
            key,
            group,
            recipient,
            template,
            large[body] if type(body) is int else body,
        )
        envelope.__class__ = Envelope
        claim = _Claim(envelope, attempts + 1, f"{seq}.{deliveries + 1}{tail}", at, until, progress)
        claim.__class__ = Claim
        claims.append(claim)
    return claims


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
