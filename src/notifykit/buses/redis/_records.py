"""Envelopes as bytes, and back. What the scripts must know of a message stands before its body."""

from datetime import datetime
from typing import Any

import msgspec

from notifykit._claims import Envelope
from notifykit._clock import from_ms, to_ms
from notifykit.buses._twins import twin
from notifykit.buses.redis._keys import LANES, lane_number
from notifykit.errors import ConfigurationError

__all__ = ["FLAGS_AT", "LAST_MS", "due_ms", "packed", "text", "unpacked"]

LAST_MS = 253_402_300_799_999
"""The last millisecond of the year 9999."""
FLAGS_AT = 15
"""Where the digits of ``due`` end in a record."""

_BODY_AT = FLAGS_AT + 3
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[str, int, int, int | None, str | None, str | None, str, str]).decode
_Envelope = twin(Envelope)


def packed(envelope: Envelope) -> bytes:
    """Return flags, the length of the header, the header and the body; the server puts the due before it.

    Raises:
        ConfigurationError: a name has half a surrogate pair in it.
    """
    expires = None if envelope.expires_at is None else to_ms(envelope.expires_at)
    key, group = envelope.idempotency_key, envelope.group
    flags = 48 + (expires is not None) + 2 * (key is not None) + 4 * (group is not None)
    head = (
        envelope.channel,
        lane_number(envelope.lane),
        envelope.max_attempts,
        expires,
        key,
        group,
        envelope.recipient_id,
        envelope.template,
    )
    try:
        raw = _encode(head)
    except UnicodeEncodeError as error:
        raise ConfigurationError("an id, name or key has half a surrogate pair in it, which is no text") from error
    return bytes((flags, len(raw) >> 8, len(raw) & 255)) + raw + envelope.body


def unpacked(message_id: str, record: bytes, due_at: datetime, void: bool) -> Envelope:
    """Return the envelope of a record; ``void``: its ``expires_at`` no longer counts. It was checked when it was stored."""
    end = _BODY_AT + (record[FLAGS_AT + 1] << 8) + record[FLAGS_AT + 2]
    channel, lane, max_attempts, expires, key, group, recipient_id, template = _decode(record[_BODY_AT:end])
    envelope = _Envelope(
        message_id,
        channel,
        LANES[lane],
        due_at,
        None if void or expires is None else from_ms(expires),
        max_attempts,
        key,
        group,
        recipient_id,
        template,
        record[end:],
    )
    envelope.__class__ = Envelope
    return envelope  # type: ignore[no-any-return]


def due_ms(due_at: datetime | None) -> str:
    """Return a due time for a script; an empty text stands for none."""
    return "" if due_at is None else str(max(0, to_ms(due_at)))


def text(value: Any) -> str:
    """Return the text of an answer."""
    return value.decode() if isinstance(value, bytes) else str(value)
