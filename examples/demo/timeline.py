"""The course of the demo as a curve: how many messages had been delivered when. Pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from attrs import frozen

from examples.demo.journal import Journal

__all__ = ["WIDTH", "Curve", "Timeline", "timeline"]

WIDTH, HEIGHT = 1000, 160
_COLOURS = {"email": "#2563eb", "push": "#7c3aed", "telegram": "#0ea5e9"}


@frozen
class Curve:
    """One channel's: the points of an SVG polyline."""

    channel: str
    colour: str
    points: str
    total: int


@frozen
class Timeline:
    """All channels' curves on one scale, the incidents as (x, seconds, what), and the whole time in seconds."""

    curves: tuple[Curve, ...]
    incidents: tuple[tuple[float, float, str], ...]
    seconds: float
    width: int = WIDTH
    height: int = HEIGHT


def timeline(journal: Journal, killed_at: Sequence[float] = ()) -> Timeline:
    """Return the timeline of the worker's log and of the worker's deaths; each curve is drawn in shares of its own total."""
    delivered = journal.of("Delivered")
    times = [_at(each) for each in delivered] or [0.0, 1.0]
    start, length = min(times), max(max(times) - min(times), 0.001)

    def place(at: float) -> float:
        return round(min(max(at - start, 0.0) / length, 1.0) * WIDTH, 1)

    curves = []
    for channel, colour in _COLOURS.items():
        places = [place(_at(each)) for each in delivered if each["channel"] == channel]
        curves.append(Curve(channel, colour, _points(places), len(places)))
    incidents = [
        *((_at(each), f"{each['channel']} 429: asked to wait") for each in journal.of("Released") if each["cause"] == "RateLimitedError"),
        *((_at(each), f"{each['channel']} 503: tried again") for each in journal.of("Retried")),
        *((_at(each), f"{each['channel']} 410: dead letter") for each in journal.of("Died")),
        *((at, "worker killed") for at in killed_at),
    ]
    marks = tuple((place(at), round(max(0.0, at - start), 1), what) for at, what in sorted(incidents))
    return Timeline(tuple(curves), marks, round(length, 1))


def _points(places: list[float]) -> str:
    """Return a staircase: it rises at each place."""
    step = (HEIGHT - 8) / max(1, len(places))
    corners = [corner for number, x in enumerate(places) for corner in ((x, HEIGHT - number * step), (x, HEIGHT - (number + 1) * step))]
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in [(0.0, float(HEIGHT)), *corners, (float(WIDTH), HEIGHT - len(places) * step)])


def _at(line: dict[str, Any]) -> float:
    return datetime.fromisoformat(line["time"]).timestamp()
