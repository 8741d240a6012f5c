"""The bus in this process's memory: for tests, and for what may be lost with the process."""

from notifykit.buses.memory.bus import MemoryBus, MemoryLedger

__all__ = ["MemoryBus", "MemoryLedger"]
