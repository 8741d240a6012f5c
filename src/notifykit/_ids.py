"""Message ids: UUID version 7 (RFC 9562), whose order is the order of creation."""

import os
import threading
import time

__all__ = ["new_id"]

_lock = threading.Lock()
_last = [0]


def new_id() -> str:
    """Return a new UUIDv7 in its canonical text form.

    Ids made by one process increase strictly: the 12 bits after the milliseconds are a fraction of the millisecond
    (RFC 9562, section 6.2, method 3), moved up by one step when two ids fall into the same step.
    """
    with _lock:
        stamp = _last[0] = max(_last[0] + 1, (time.time_ns() << 12) // 1_000_000)
    tail = int.from_bytes(os.urandom(8)) & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
    text = f"{stamp >> 12 & 0xFFFF_FFFF_FFFF:012x}7{stamp & 0xFFF:03x}{tail:016x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
