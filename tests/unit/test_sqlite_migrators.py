"""Several who make or migrate one SQLite store at the same time: it is done once."""

import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier

import anyio

from notifykit._claims import Envelope, Filter
from notifykit._messages import Lane
from notifykit.buses.sqlite import SQLiteBus, schema

MANY = 6
ADD = {schema.VERSION: "ALTER TABLE msg ADD COLUMN colour TEXT;\nCREATE INDEX msg_colour ON msg (colour);\n"}


def together(work: Callable[[int], None]) -> None:
    """Do *work* in so many threads, begun at the same moment; raise what one of them raises."""
    ready = Barrier(MANY)

    def begin(number: int) -> None:
        ready.wait()
        work(number)

    with ThreadPoolExecutor(MANY) as threads:
        for done in [threads.submit(begin, number) for number in range(MANY)]:
            done.result()


async def enqueue(path: Path, number: int) -> None:
    async with SQLiteBus(path) as bus:
        await bus.enqueue([Envelope(id=str(number), channel="email", lane=Lane.TRANSACTIONAL)])


async def audit(path: Path) -> list[str]:
    async with SQLiteBus(path) as bus:
        found = (await bus.find(Filter())).messages
        assert {each.envelope.id for each in found} == set(map(str, range(MANY)))
        return await bus.audit()


def test_a_store_that_many_open_at_once_is_made_once(tmp_path):
    for attempt in range(5):
        path = tmp_path / f"{attempt}.db"
        together(lambda number, path=path: anyio.run(enqueue, path, number))
        assert anyio.run(audit, path) == []


def test_an_older_store_that_many_migrate_at_once_is_migrated_once(tmp_path):
    path = tmp_path / "notify.db"
    for number in range(MANY):
        anyio.run(enqueue, path, number)

    def migrate(_: int) -> None:
        with closing(sqlite3.connect(path, timeout=10, isolation_level=None)) as db:
            schema.migrate(db, str(path), lambda: db.execute("BEGIN IMMEDIATE"), schema.VERSION + 1, ADD)

    together(migrate)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*), count(colour) FROM msg").fetchone() == (MANY, 0)
        assert schema.check(db, str(path), schema.VERSION + 1) == schema.VERSION + 1
    with closing(sqlite3.connect(tmp_path / f"notify.db.v{schema.VERSION}.backup")) as backup:
        assert backup.execute("SELECT count(*) FROM msg").fetchone() == (MANY,)
