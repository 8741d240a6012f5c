"""What is to be reached, and what a run reached; all of it as ratios of figures of one run."""

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

from attrs import frozen

from benchmarks.bus.roster import ROSTER
from benchmarks.growth.curves import growth, read
from benchmarks.report import number, table

__all__ = ["Goal", "goals", "goals_table"]

_ASYNCHRONOUS = ("saq", "arq", "streaq", "taskiq list", "taskiq stream", "repid")
_SYNCHRONOUS = ("huey redis", "dramatiq", "celery", "rq")
_OFTEN_SYNCED = ("huey sqlite default",)
"""Peers that wait for the disk at each commit, as ours do under durability full."""


@frozen
class Goal:
    """One ratio.

    Attributes:
        work: what was done.
        ours: our figure, and whose else it stands beside, in words.
        ratio: of the two.
        reach: what the ratio is to be.
        least: whether at least that, or at most.
    """

    work: str
    ours: str
    against: str
    ratio: float
    reach: float
    least: bool = True

    @property
    def reached(self) -> bool:
        """Whether it is."""
        return self.ratio >= self.reach if self.least else self.ratio <= self.reach


class _Run:
    """The figures of one run, some of which may be missing."""

    def __init__(self, results: Mapping[str, Any]) -> None:
        told = results.get("figures", {})
        self.phases: Mapping[str, Any] = told.get("figures", {})
        self.deliveries: Mapping[str, Any] = told.get("deliveries", {})

    def rate(self, name: str, phase: str) -> float | None:
        rates = self.phases.get(name, {}).get(phase, {}).get("rates")
        return median(rates) if rates else None

    def busy(self, name: str, _: str = "") -> float | None:
        drained = self.phases.get(name, {}).get("drain", {})
        return drained["busy"] if drained.get("rates") else None

    def p50(self, name: str, _: str = "") -> float | None:
        return self.phases.get(name, {}).get("latency", {}).get("p50")  # type: ignore[no-any-return]

    def sent(self, name: str, _: str = "") -> float | None:
        rates = self.deliveries.get(name, {}).get("rates")
        return median(rates) if rates else None


Figure = Callable[[str, str], float | None]


def _goal(
    work: str, figure: Figure, phase: str, ours: str, others: Sequence[str], reach: float, unit: str = "/s", *, less: bool = False
) -> list[Goal]:
    """Return our figure beside the best of the others'; nothing where one of the two was not measured."""
    own = figure(ours, phase)
    beside = [(value, name) for name in others if (value := figure(name, phase)) is not None]
    if own is None or not beside:
        return []
    best, name = (min if less else max)(beside)
    return [Goal(work, f"{number(own)}{unit}", f"{name}: {number(best)}{unit}", own / best, reach, not less)]


def goals(results: Mapping[str, Any]) -> list[Goal]:
    """Return every ratio that the *results* have figures for, by the name of their file."""
    run = _Run(results)
    return [
        *_memory(run),
        *_sqlite(run),
        *_redis(run),
        *_workers(run),
        *_deliveries(run),
        *_growth(results.get("growth")),
        *_alone(results),
    ]


def _peers(store: str) -> list[str]:
    return [row.name for row in ROSTER if row.store == store and row.role == "peer"]


def _memory(run: _Run) -> list[Goal]:
    ours, peers = "notifykit-memory-asyncio", _peers("memory")
    return [
        *_goal("memory: enqueue, 50 producers", run.rate, "at_once", ours, peers, 4),
        *_goal("memory: drain", run.rate, "drain", ours, peers, 4),
        *_goal("memory: CPU s per 10,000 drained", run.busy, "", ours, peers, 1 / 5, " s", less=True),
    ]


def _sqlite(run: _Run) -> list[Goal]:
    found: list[Goal] = []
    for durability, peers in (
        ("normal", [each for each in _peers("sqlite") if each not in _OFTEN_SYNCED]),
        ("full", list(_OFTEN_SYNCED)),
    ):
        ours, direct, raw = f"notifykit-sqlite-{durability}-asyncio", f"notifykit-sqlite-{durability}-direct", f"raw sqlite3 {durability}"
        work = f"SQLite, {durability}"
        found += [
            *_goal(f"{work}: drain, of the raw limit", run.rate, "drain", ours, [raw], 0.5),
            *_goal(f"{work}: drain", run.rate, "drain", ours, peers, 2.5),
            *_goal(f"{work}: 50 producers, of the raw limit", run.rate, "at_once", ours, [raw], 0.3),
            *_goal(f"{work}: 50 producers", run.rate, "at_once", ours, peers, 2.5),
            *_goal(f"{work}: one by one", run.rate, "each", ours, peers, 1),
            *_goal(f"{work}: one by one, called without a loop", run.rate, "each", direct, peers, 1),
            *_goal(f"{work}: latency, p50", run.p50, "", ours, peers, 1, " ms", less=True),
            *_goal(f"{work}: CPU s per 10,000 drained", run.busy, "", ours, peers, 1 / 5, " s", less=True),
        ]
    return found


def _redis(run: _Run) -> list[Goal]:
    ours, direct, raw, peers = "notifykit-redis-asyncio", "notifykit-redis-direct", ["raw redis-py"], _peers("redis")
    return [
        *_goal("Redis: drain, of the raw limit", run.rate, "drain", ours, raw, 0.6),
        *_goal("Redis: drain", run.rate, "drain", ours, peers, 8),
        *_goal("Redis: 50 producers, of the raw limit", run.rate, "at_once", ours, raw, 0.6),
        *_goal("Redis: 50 producers", run.rate, "at_once", ours, peers, 3),
        *_goal("Redis: one by one, beside asynchronous peers", run.rate, "each", ours, _ASYNCHRONOUS, 1),
        *_goal("Redis: one by one, called without a loop, beside synchronous peers", run.rate, "each", direct, _SYNCHRONOUS, 1),
        *_goal("Redis: latency, p50", run.p50, "", ours, peers, 1, " ms", less=True),
        *_goal("Redis: CPU s per 10,000 drained", run.busy, "", ours, peers, 1 / 5, " s", less=True),
    ]


def _workers(run: _Run) -> list[Goal]:
    """Return what is left of each bus's rate when a whole worker drains it, by a channel that sends nothing."""
    reach = {"memory": 4.0, "sqlite": 2.5, "redis": 8.0}
    return [
        goal
        for row in ROSTER
        if row.role == "ours" and "worker" in row.name
        for goal in _goal(f"{row.name}: drain by a whole worker", run.rate, "drain", row.name, _peers(row.store), reach[row.store])
    ]


def _deliveries(run: _Run) -> list[Goal]:
    found: list[Goal] = []
    for ten, told in (("", "one connection"), (" x10", "ten connections")):
        found += [
            *_goal(f"e-mail, {told}", run.sent, "", f"notifykit email{ten}", [f"aiosmtplib loop{ten}"], 0.8),
            *_goal(f"Telegram, {told}, of a bare loop", run.sent, "", f"notifykit telegram{ten}", [f"httpx loop{ten}"], 0.8),
            *_goal(f"Telegram, {told}", run.sent, "", f"notifykit telegram{ten}", [f"python-telegram-bot{ten}", f"aiogram{ten}"], 1),
        ]
    return [*found, *_goal("web push", run.sent, "", "notifykit push", ["pywebpush"], 4)]


def _growth(told: Mapping[str, Any] | None) -> list[Goal]:
    found: list[Goal] = []
    for curve in read(told).values() if told else ():
        if curve.most is None:
            continue
        lines = {name: line for name, line in curve.lines.items() if name.startswith(curve.promised)}
        name, line = max(lines.items(), key=lambda each: growth(each[1]))
        (start, before), (end, after) = line[0], line[-1]
        work = f"{curve.title}, the worst line ({name})"
        own, beside = f"{after:.3g} {curve.y} at {end:,.0f}", f"{before:.3g} {curve.y} at {start:,.0f}"
        found.append(Goal(work, own, beside, growth(line), curve.most, least=False))
    return found


def _alone(results: Mapping[str, Any]) -> list[Goal]:
    found: list[Goal] = []
    if told := results.get("encryption"):
        own, floor = told["notifykit"] / 1e3, told["cryptography"] / 1e3
        found.append(Goal("push: encryption", f"{own:.0f} µs", f"bare cryptography: {floor:.0f} µs", floor / own, 0.6))
    if rows := results.get("rendering"):
        message = rows[0]
        own, plain = message["notifykit"] / 1e3, message["jinja2"] / 1e3
        found.append(Goal("rendering three small parts", f"{own:.0f} µs", f"plain jinja2: {plain:.0f} µs", plain / own, 0.33))
        worst = max(rows[1:], key=lambda row: row["ratio"])
        own, floor = worst["escape"], worst["translate"]
        found.append(
            Goal(f"escaping, the worst text ({worst['what']})", f"{own:.0f} ns", f"str.translate: {floor:.0f} ns", floor / own, 0.5)
        )
    if told := results.get("start"):
        own, floor = (1000 * (told[name] - told["nothing"]) for name in ("notifykit", "attrs and anyio"))
        found += [
            Goal("import notifykit", f"{own:.0f} ms", f"import attrs, anyio: {floor:.0f} ms", own / floor, 1.5, least=False),
            Goal("notifykit --help", f"{told['notifykit --help']:.2f} s", "one second", told["notifykit --help"], 0.3, least=False),
        ]
    return found


def goals_table(found: Sequence[Goal]) -> str:
    """Return the table of all goals."""
    rows = [
        [
            goal.work,
            goal.ours,
            goal.against,
            f"{goal.ratio:.2f}" if goal.ratio < 10 else f"{goal.ratio:.0f}",
            f"{'≥' if goal.least else '≤'} {goal.reach:g}",
            "yes" if goal.reached else "**no**",
        ]
        for goal in found
    ]
    return table(["work", "notifykit", "beside", "ratio", "to reach", "reached"], rows)
