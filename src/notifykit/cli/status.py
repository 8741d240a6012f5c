"""``notifykit status``: the queue at a glance, once or for as long as one looks."""

import time
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import anyio
import click
from attrs import define, field

from notifykit._claims import Filter, State, Stats
from notifykit._messages import Lane
from notifykit._notifier.notifier import Notifier
from notifykit.cli.application import app_option, find_notifier, with_notifier
from notifykit.cli.output import Output, json_option
from notifykit.cli.records import stats_record
from notifykit.cli.status_table import status_table

if TYPE_CHECKING:
    from rich.console import Group

__all__ = ["Look", "status"]

_Place = tuple[str, Lane]
_MOST_DEAD = 10_000
"""Dead letters that are counted by reason; a status is no report."""


@click.command()
@app_option
@click.option("--watch", is_flag=True, help="Look again and again until Ctrl-C; with --json, one object a line.")
@click.option("--interval", type=click.FloatRange(0.1), default=2.0, show_default=True, help="Seconds from one look to the next.")
@click.option("--rates", is_flag=True, help="Look twice, one interval apart, and show what was delivered in between. --watch does.")
@json_option
def status(app: str | None, watch: bool, interval: float, rates: bool, out: Output) -> None:
    """How much waits, how old it is, and what died.

    One line for each channel and lane: what is ready, scheduled, being sent and dead, the age of what has been ready longest, and
    the counters since the store was made.
    """
    notifier = find_notifier(app)
    with_notifier(notifier, lambda opened: _watch(opened, interval, out) if watch else _once(opened, interval, rates, out), makes=False)


async def _once(notifier: Notifier, interval: float, rates: bool, out: Output) -> None:
    look = Look(notifier)
    await look.again()
    if rates:
        await anyio.sleep(interval)
        await look.again()
    out.record(look.record())
    if not out.as_json:
        status_table(look.record(), out).show()


async def _watch(notifier: Notifier, interval: float, out: Output) -> None:
    look = Look(notifier)
    if not out.is_live:
        while True:
            await look.again()
            out.record(look.record())
            if not out.as_json:
                status_table(look.record(), out).show()
            await anyio.sleep(interval)
    from rich.live import Live

    with Live(console=out.console, auto_refresh=False, screen=True) as live:
        while True:
            await look.again()
            live.update(look.drawn(out), refresh=True)
            await anyio.sleep(interval)


@define
class Look:
    """Looks at the queue, and remembers the last look to tell how fast it goes."""

    notifier: Notifier
    stats: Stats = Stats({}, {})
    reasons: Mapping[_Place, Mapping[str, int]] = field(factory=dict)
    rates: Mapping[_Place, float] = field(factory=dict)
    _at: float | None = None

    async def again(self) -> None:
        """Look, and compare with the look before."""
        before, then = self.stats, self._at
        self.stats, self._at = await self.notifier.stats(), time.monotonic()
        if then is not None:
            passed = max(self._at - then, 1e-9)
            self.rates = {
                place: (counters.acked - (before.counters[place].acked if place in before.counters else 0)) / passed
                for place, counters in self.stats.counters.items()
            }
        if then is None or _deaths(before) != _deaths(self.stats):
            self.reasons = await self._by_reason()

    def record(self) -> dict[str, Any]:
        """Return what was seen."""
        seen: dict[str, Any] = stats_record(self.stats, self.reasons, self.rates)
        return seen

    def drawn(self, out: Output) -> "Group":
        """Return what was seen, for a live screen."""
        return status_table(self.record(), out).group()

    async def _by_reason(self) -> Mapping[_Place, Mapping[str, int]]:
        counted: dict[_Place, Counter[str]] = {}
        after: str | None = None
        seen = 0
        while seen < _MOST_DEAD:
            page = await self.notifier.bus.find(Filter(state=State.DEAD), 1000, after)
            for each in page.messages:
                place = (each.envelope.channel, each.envelope.lane)
                counted.setdefault(place, Counter())[each.reason.value if each.reason else ""] += 1
            seen += len(page.messages)
            after = page.next
            if after is None:
                break
        return counted


def _deaths(stats: Stats) -> Mapping[_Place, tuple[int, int]]:
    return {place: (depth.dead, stats.counters[place].died if place in stats.counters else 0) for place, depth in stats.depths.items()}
