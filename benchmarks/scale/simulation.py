"""A store that works messages of two lanes off as they come: what waits, and for how long.

One server, as a SQLite file has one writer and a Redis node one thread. Enqueuing takes its time first, what is left goes to
claiming and acking: the transactional lane before the campaign lane, each in the order of arrival. Time goes in steps; what comes in
a step can be worked off in the same one.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import accumulate
from math import cos, exp, pi
from random import Random

from attrs import field, frozen

__all__ = ["DAY", "PEAK", "Outcome", "Waits", "day", "simulate"]

DAY = 86_400
PEAK = 8 / 3
"""How many times its mean the busiest moment of a simulated day is."""
LANES = ("transactional", "campaign")


@frozen
class Waits:
    """How long messages waited, in seconds, and how many waited so long."""

    counted: dict[float, int] = field(factory=dict)

    def add(self, seconds: float, number: int) -> None:
        """Count *number* more."""
        key = round(seconds, 6)
        self.counted[key] = self.counted.get(key, 0) + number

    def quantile(self, part: float) -> float:
        """Return what *part* of the messages did not wait longer than; 0 when there are none."""
        if not self.counted:
            return 0.0
        ordered = sorted(self.counted)
        sums = list(accumulate(self.counted[each] for each in ordered))
        return ordered[min(bisect_left(sums, part * sums[-1]), len(ordered) - 1)]


@frozen
class Outcome:
    """What a simulation gave.

    Attributes:
        waits: of each lane, transactional first.
        most: the most that ever waited, of each lane.
        left: what waits when nothing comes any more.
        ended: when the last message was worked off, in seconds.
    """

    waits: tuple[Waits, Waits]
    most: tuple[int, int]
    left: int
    ended: float


def simulate(
    arrivals: Iterable[tuple[int, int]], step: float, enqueue: float, drain: float, backlog: tuple[int, int] = (0, 0), batch: int = 0
) -> Outcome:
    """Work off what comes in each *step* seconds, then what is left.

    Args:
        arrivals: messages of each lane, one pair for each step.
        enqueue: seconds that storing a message takes.
        drain: seconds that claiming and acking one takes.
        backlog: what waits already, of each lane.
        batch: messages that a busy worker claims at once. One that comes waits for half of the batch under way, for its own, and
            for the next, which acks it.
    """
    behind = 2.5 * batch * drain
    queues: tuple[deque[list[float]], deque[list[float]]] = (deque(), deque())
    waiting, most = list(backlog), list(backlog)
    for lane, number in enumerate(backlog):
        if number:
            queues[lane].append([0.0, number])
    waits = (Waits(), Waits())
    now, spare, ended = 0.0, 0.0, 0.0
    coming: Iterator[tuple[int, int]] = iter(arrivals)
    left: int | None = None
    while True:
        came = next(coming, None)
        if came is None:
            left = sum(waiting) if left is None else left
            if not any(waiting):
                return Outcome(waits, (most[0], most[1]), left, ended)
        spare = (spare if any(waiting) else min(spare, 0.0)) + step
        for lane, number in enumerate(came or ()):
            if number:
                queues[lane].append([now, number])
                waiting[lane] += number
                most[lane] = max(most[lane], waiting[lane])
                spare -= number * enqueue
        for lane, queue in enumerate(queues):
            while queue and spare >= drain:
                since, number = queue[0]
                done = min(int(number), int(spare / drain))
                spare -= done * drain
                ended = now + step - max(spare, 0.0)
                waits[lane].add(ended - since + behind, done)
                waiting[lane] -= done
                queue[0][1] -= done
                if not queue[0][1]:
                    queue.popleft()
        now += step


def day(
    transactional: float, campaign: float, seed: int, *, campaign_from: int = 9 * 3600, campaign_for: int = 3600
) -> Iterator[tuple[int, int]]:
    """Yield the arrivals of each second of a day.

    Args:
        transactional: messages in the day, at random moments, most of them around 18 o'clock.
        campaign: messages of one campaign, enqueued evenly in one hour.
    """
    random = Random(seed)
    for second in range(DAY):
        weight = ((1 + cos(2 * pi * (second / DAY - 0.75))) / 2) ** 2 * PEAK
        sent = campaign / campaign_for if campaign_from <= second < campaign_from + campaign_for else 0.0
        yield _poisson(random, transactional / DAY * weight), _poisson(random, sent) if sent else 0


def _poisson(random: Random, mean: float) -> int:
    """Return a number of events: exactly for few, by the normal distribution for many."""
    if mean > 50:
        return max(0, round(random.gauss(mean, mean**0.5)))
    limit, number, product = exp(-mean), 0, random.random()
    while product > limit:
        number += 1
        product *= random.random()
    return number
