"""The bus in an SQLite file."""

from notifykit.buses.sqlite.bus import SQLiteBus
from notifykit.buses.sqlite.ledger import SQLiteLedger

__all__ = ["SQLiteBus", "SQLiteLedger"]
