"""The raw limit of SQLite: one connection, one thread, no promises beyond the transaction."""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.bus.contender import Contender as Base
from benchmarks.bus.contender import Handle

__all__ = ["Contender"]


class Contender(Base):
    """INSERT one a transaction, or all in one; claim 100 by UPDATE … RETURNING; DELETE 100."""

    def __init__(self, place: str, **options: Any) -> None:
        super().__init__(place, **options)
        self._file = sqlite3.connect(place, isolation_level=None, timeout=10)
        self._file.execute("PRAGMA journal_mode = WAL")
        self._file.execute(f"PRAGMA synchronous = {options['synchronous']}")
        self._file.executescript("""
            CREATE TABLE IF NOT EXISTS queue (id INTEGER PRIMARY KEY, state INTEGER NOT NULL DEFAULT 0, body TEXT NOT NULL);
            CREATE INDEX IF NOT EXISTS waiting ON queue (id) WHERE state = 0;
        """)

    def enqueue_each(self, payloads: Iterable[str]) -> None:
        for payload in payloads:
            self._file.execute("INSERT INTO queue (body) VALUES (?)", (payload,))

    def enqueue_at_once(self, payloads: Sequence[str]) -> None:
        self.enqueue_bulk(payloads)

    def enqueue_bulk(self, payloads: Sequence[str]) -> None:
        self._file.execute("BEGIN IMMEDIATE")
        self._file.executemany("INSERT INTO queue (body) VALUES (?)", ((each,) for each in payloads))
        self._file.execute("COMMIT")

    def work(self, count: int, handle: Handle) -> None:
        handled = 0
        while handled < count:
            claimed = self._file.execute(
                "UPDATE queue SET state = 1 WHERE id IN (SELECT id FROM queue WHERE state = 0 ORDER BY id LIMIT 100) RETURNING id, body"
            ).fetchall()
            for _, body in claimed:
                handle(body)
            self._file.execute("BEGIN IMMEDIATE")
            self._file.executemany("DELETE FROM queue WHERE id = ?", ((key,) for key, _ in claimed))
            self._file.execute("COMMIT")
            handled += len(claimed)
