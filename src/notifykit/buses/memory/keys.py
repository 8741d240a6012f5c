"""Who has which idempotency key in the memory bus, and which holds there are. The store holds its lock around each call."""

from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime

from notifykit._claims import Hold
from notifykit._clock import FOREVER, from_ms, to_ms
from notifykit._messages import Lane

__all__ = ["FOREVER_MS", "Holds", "Keys"]

FOREVER_MS = to_ms(FOREVER)


class Keys:
    """Idempotency keys: each is taken while its message lives, and for a time from its enqueue on."""

    def __init__(self, ttl: int, is_live: Callable[[str, str], bool]) -> None:
        self._ttl = ttl
        self._is_live = is_live
        self._taken: dict[str, tuple[str, int]] = {}
        self._ending: deque[tuple[int, str]] = deque()

    def owner(self, key: str | None, now: int) -> str | None:
        """Return the id of the message that has *key* now, living or not."""
        if key is None or key not in self._taken:
            return None
        message_id, until = self._taken[key]
        return message_id if now < until or self._is_live(message_id, key) else None

    def live_owner(self, key: str | None) -> str | None:
        """Return the id of the waiting or claimed message that has *key*."""
        if key is None or key not in self._taken:
            return None
        message_id, _ = self._taken[key]
        return message_id if self._is_live(message_id, key) else None

    def take(self, key: str | None, message_id: str, now: int) -> None:
        """Give *key* to a message, and forget a few keys whose time is over."""
        if key is None:
            return
        self._taken[key] = message_id, now + self._ttl
        self._ending.append((now + self._ttl, key))
        for _ in range(2):
            if self._ending and self._ending[0][0] <= now:
                _, old = self._ending.popleft()
                if old in self._taken and self.owner(old, now) is None:
                    del self._taken[old]

    def end(self, key: str | None, message_id: str, now: int) -> None:
        """Let an acked message's key live on for its time."""
        if key is not None and self._taken.get(key, ("", now))[1] <= now:
            self.free(key, message_id)

    def free(self, key: str | None, message_id: str) -> None:
        """Take *key* away from a message, if it has it."""
        if key is not None and self._taken.get(key, ("", 0))[0] == message_id:
            del self._taken[key]


class Holds:
    """Until when a channel, or a lane of it, is held, by reason."""

    def __init__(self) -> None:
        self._untils: dict[tuple[str, Lane | None], dict[str, int]] = {}

    def put(self, channel: str, lane: Lane | None, until: datetime | None, reason: str) -> None:
        """Set or lift the hold of one reason."""
        reasons = self._untils.setdefault((channel, lane), {})
        if until is None:
            reasons.pop(reason, None)
        else:
            reasons[reason] = min(to_ms(until), FOREVER_MS)
        if not reasons:
            del self._untils[channel, lane]

    def until(self, channel: str, lane: Lane) -> int:
        """Return the end of the last hold on a lane, 0 if there is none."""
        if not self._untils:
            return 0
        both = (self._untils.get((channel, lane), {}), self._untils.get((channel, None), {}))
        return max((until for reasons in both for until in reasons.values()), default=0)

    def active(self, now: int) -> Iterator[Hold]:
        """Yield the holds that are not over."""
        for (channel, lane), reasons in self._untils.items():
            for reason, until in reasons.items():
                if until > now:
                    yield Hold(channel, lane, from_ms(until), reason)
