"""How far a delivery of several pieces has come: what a retry goes on from. Pure."""

import json
from collections.abc import Sequence
from hashlib import sha256

from attrs import evolve, frozen

from notifykit._messages import Content
from notifykit._outcomes import Ack, Outcome, Release, Retry

__all__ = ["Sent", "resumable", "resumed"]


@frozen
class Sent:
    """How many pieces of a content were sent for sure, by their provider's ids."""

    content: Content
    provider_ids: tuple[str | None, ...] = ()

    @property
    def left(self) -> tuple[Content, ...]:
        """The pieces that are still to be sent."""
        return self.content.pieces[len(self.provider_ids) :]

    @property
    def provider_id(self) -> str | None:
        """The ids of all pieces, joined by commas."""
        return ",".join(each for each in self.provider_ids if each is not None) or None

    @property
    def progress(self) -> bytes:
        """What the bus keeps of it."""
        digest = _digest(self.content.pieces[: len(self.provider_ids)])
        return json.dumps([digest, *self.provider_ids], separators=(",", ":")).encode() if self.provider_ids else b""

    def and_next(self, provider_id: str | None) -> "Sent":
        """Return it with one more piece."""
        return Sent(self.content, (*self.provider_ids, provider_id))


def resumed(progress: bytes, content: Content) -> Sent:
    """Return what an earlier attempt sent of *content*; nothing, if that renders otherwise now: better twice than with a gap."""
    if not progress:
        return Sent(content)
    try:
        digest, *provider_ids = json.loads(progress)
    except (ValueError, TypeError):
        return Sent(content)
    known = digest == _digest(content.pieces[: len(provider_ids)])
    return Sent(content, tuple(provider_ids)) if known else Sent(content)


def resumable(outcome: Outcome, sent: Sent) -> Outcome:
    """Return *outcome* such that the next attempt goes on after what was sent.

    An unknown outcome of one piece that is taken for sent does not end the delivery while there are others.
    """
    match outcome:
        case Ack() if len(sent.left) > 1:
            return Release(progress=sent.and_next(None).progress)
        case Retry() | Release() if sent.provider_ids:
            return evolve(outcome, progress=sent.progress)
    return outcome


def _digest(pieces: Sequence[Content]) -> str:
    texts = json.dumps([[*each.parts.items()] for each in pieces])
    return sha256(texts.encode()).hexdigest()[:16]
