"""Rows as objects, made without the converters that checked them once already: a claim makes hundreds."""

# ruff: noqa: S608 - SQL is put together from constants and question marks alone

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, get_type_hints

from notifykit._claims import Claim, Envelope, Reason, State, StoredMessage
from notifykit._clock import from_ms
from notifykit._messages import Lane
from notifykit.buses.sqlite.step import CLAIMED, DEAD, LANES, WAITING, Step, chunks, marks

__all__ = ["CLAIM_COLUMNS", "STORED_COLUMNS", "bodies", "claims_of", "stored", "token"]

CLAIM_COLUMNS = "seq, id, due_at, expires_at, max_attempts, key, grp, recipient, template, body, attempts, deliveries, progress"
STORED_COLUMNS = (
    "seq, id, queue, state, due_at, expires_at, max_attempts, key, grp, recipient, template, attempts, takeovers, replays, "
    "lease_until, progress, reason, error, died_at"
)

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


def _setters(kind: type) -> list[Callable[[Any, Any], None]]:
    """Return what sets each attribute of a frozen class: 0.9 µs an envelope, where the constructor takes 3.2."""
    return [getattr(kind, name).__set__ for name in get_type_hints(kind)]


_ENVELOPE, _CLAIM = _setters(Envelope), _setters(Claim)


def claims_of(channel: str, lane: Lane, at: datetime, until: datetime, nonce: int, large: Mapping[int, bytes]) -> Callable[..., Claim]:
    """Return a function that makes the claim of each row of ``CLAIM_COLUMNS``, as it was before the claim."""
    e_id, e_channel, e_lane, e_due_at, e_expires_at, e_max_attempts, e_key, e_group, e_recipient, e_template, e_body = _ENVELOPE
    c_envelope, c_attempt, c_token, c_claimed_at, c_lease_until, c_progress = _CLAIM
    new = object.__new__
    tail = f".{nonce:x}"

    def make(
        seq: int,
        message_id: str,
        due_at: int,
        expires_at: int | None,
        max_attempts: int,
        key: str | None,
        group: str | None,
        recipient: str,
        template: str,
        body: bytes | int,
        attempts: int,
        deliveries: int,
        progress: bytes,
    ) -> Claim:
        envelope = new(Envelope)
        e_id(envelope, message_id)
        e_channel(envelope, channel)
        e_lane(envelope, lane)
        e_due_at(envelope, _EPOCH + due_at * _MS)
        e_expires_at(envelope, None if expires_at is None else from_ms(expires_at))
        e_max_attempts(envelope, max_attempts)
        e_key(envelope, key)
        e_group(envelope, group)
        e_recipient(envelope, recipient)
        e_template(envelope, template)
        e_body(envelope, large[body] if type(body) is int else body)
        claim = new(Claim)
        c_envelope(claim, envelope)
        c_attempt(claim, attempts + 1)
        c_token(claim, f"{seq}.{deliveries + 1}{tail}")
        c_claimed_at(claim, at)
        c_lease_until(claim, until)
        c_progress(claim, progress)
        return claim

    return make


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
