"""Message ids: UUID version 7 (RFC 9562), whose order is the order of creation."""

import os
import threading
import time
from struct import unpack

__all__ = ["new_id"]

_last = [0]
_random: list[int] = []
"""64 bits each, many from one call of the system, which lets every other thread that waits go first."""
_lock = [threading.Lock()]


def _forked() -> None:
    """Leave to the parent its random bits, and a lock that another thread of its may have held."""
    _lock[0] = threading.Lock()
    _random.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


def new_id() -> str:
    """Return a new UUIDv7 in its canonical text form.

    Ids made by one process increase strictly: the 12 bits after the milliseconds are a fraction of the millisecond
    (RFC 9562, section 6.2, method 3), moved up by one step when two ids fall into the same step.
    """
    with _lock[0]:
        stamp = _last[0] = max(_last[0] + 1, (time.time_ns() << 12) // 1_000_000)
        if not _random:
            _random.extend(unpack("256Q", os.urandom(2048)))
        bits = _random.pop()
    text = f"{stamp >> 12 & 0xFFFF_FFFF_FFFF:012x}7{stamp & 0xFFF:03x}{bits & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000:016x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
