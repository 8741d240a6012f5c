"""What one claim gathers from several shards."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import anyio

from notifykit._claims import Claim, Claimed, Settled
from notifykit._messages import Lane
from notifykit._outcomes import Settlement
from notifykit.buses.redis._merging import failure_of, split
from notifykit.buses.redis._shard import Shard
from notifykit.errors import NotifykitError

__all__ = ["Harvest"]


class Harvest:
    """Claims of *channel*, in rounds that ask several shards at once, each for its share of what is wanted."""

    def __init__(self, shards: Sequence[Shard], channel: str, lease: timedelta) -> None:
        self._shards = shards
        self._channel = channel
        self._lease = lease
        self._taken: list[tuple[int, Claimed]] = []
        self._next: dict[int, datetime | None] = {}
        self.settled: dict[int, Sequence[Settled]] = {}
        self.number = 0
        self._ended = False

    def claims(self) -> dict[int, list[Claim]]:
        """Return what was handed out, by shard; of each, in its order."""
        found: dict[int, list[Claim]] = {}
        for number, claimed in self._taken:
            found.setdefault(number, []).extend(claimed.claims)
        return found

    @property
    def dead(self) -> tuple[str, ...]:
        """Which messages the shards found dead."""
        return tuple(message_id for _, claimed in self._taken for message_id in claimed.dead)

    @property
    def next_at(self) -> datetime | None:
        """When something may next become claimable anywhere."""
        return min(filter(None, self._next.values()), default=None)

    def ready(self, numbers: Sequence[int]) -> list[int]:
        """Return those of the shards that may have something to hand out now."""
        return [number for number in numbers if self._shards[number].is_reached(self._next[number])]

    async def gather(self, numbers: Sequence[int], lanes: Mapping[Lane, int], lane: Lane, wanted: int) -> None:
        """Take up to *wanted* of one lane from these shards, until they have no more."""
        while wanted > 0 and numbers:
            shares = split(wanted, numbers)
            before = self.number
            got = await self.round({number: ({**lanes, lane: share}, share) for number, share in shares.items()}, {})
            wanted -= self.number - before
            numbers = self.ready([number for number in numbers if got[number] == shares[number]])

    async def round(
        self, asked: Mapping[int, tuple[Mapping[Lane, int], int]], endings: Mapping[int, Sequence[Settlement]]
    ) -> dict[int, int]:
        """Ask each shard once, for its lanes and limit, with its settlements; return how many messages each gave.

        Raises: what a shard raised, when all have answered; with ``maybe_done`` if another one settled.
        """
        failures: list[NotifykitError] = []
        got: dict[int, int] = {}

        async def ask(number: int, lanes: Mapping[Lane, int], limit: int) -> None:
            try:
                claimed = await self._shards[number].claim(self._channel, lanes, limit, self._lease, endings.get(number, ()))
            except NotifykitError as error:
                failures.append(error)
                return
            self._ended = self._ended or bool(endings.get(number))
            self._taken.append((number, claimed))
            self._next[number] = claimed.next_at
            self.settled.setdefault(number, claimed.settled)
            got[number] = len(claimed.claims)
            self.number += len(claimed.claims)

        async with anyio.create_task_group() as tasks:
            for number, what in asked.items():
                tasks.start_soon(ask, number, *what)
        if failures:
            raise failure_of(failures, self._ended)
        return got

    def give_back(self) -> None:
        """Release everything that was taken, without waiting for it."""
        for number, claimed in self._taken:
            self._shards[number].give_back(claimed)
