"""Message ids: UUIDv7 that only ever grow."""

import os
import threading
import uuid
from types import SimpleNamespace

import pytest

from notifykit import _ids
from notifykit._ids import new_id


def test_an_id_is_a_uuid_of_version_7_in_its_canonical_form() -> None:
    for _ in range(1000):
        text = new_id()
        parsed = uuid.UUID(text)
        assert str(parsed) == text
        assert parsed.version == 7
        assert parsed.variant == uuid.RFC_4122


def test_ids_of_one_thread_increase_strictly() -> None:
    ids = [new_id() for _ in range(20_000)]
    assert ids == sorted(set(ids))


def test_ids_are_unique_and_increase_within_each_of_many_threads() -> None:
    start = threading.Barrier(8)
    made: list[list[str]] = []

    def make() -> None:
        start.wait()
        made.append([new_id() for _ in range(5_000)])

    threads = [threading.Thread(target=make) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert all(ids == sorted(ids) for ids in made)
    assert len({each for ids in made for each in ids}) == 40_000


def test_ids_increase_when_the_clock_stands_still_or_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1_700_000_000_123_456_789]
    monkeypatch.setattr(_ids, "time", SimpleNamespace(time_ns=lambda: now[0]))
    monkeypatch.setattr(_ids, "_last", [0])
    ids = [new_id() for _ in range(5_000)]
    now[0] -= 3_600_000_000_000
    ids += [new_id() for _ in range(5_000)]
    assert ids == sorted(set(ids))


def test_an_id_begins_with_the_milliseconds_of_its_making(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_ids, "time", SimpleNamespace(time_ns=lambda: 1_700_000_000_123_456_789))
    monkeypatch.setattr(_ids, "_last", [0])
    text = new_id()
    assert int(text.replace("-", "")[:12], 16) == 1_700_000_000_123
    assert int(text[15:18], 16) == int(0.456789 * 4096)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_the_ids_of_a_forked_process_have_random_bits_of_their_own_and_wait_for_no_thread_of_its_parent() -> None:
    new_id()
    reading, writing = os.pipe()
    with _ids._lock[0]:  # as another thread may hold it
        child = os.fork()
        if not child:
            os.write(writing, new_id().encode())
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert os.read(reading, 36).decode()[19:] != new_id()[19:]
    os.close(reading)
    os.close(writing)
