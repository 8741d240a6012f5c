"""A picture of curves: one panel for each, in SVG."""

from collections.abc import Callable, Mapping, Sequence
from html import escape
from math import ceil, floor, log10

__all__ = ["panels"]

Lines = Mapping[str, Sequence[tuple[float, float]]]

_COLOURS = (
    *("#2563eb", "#dc2626", "#059669", "#d97706", "#7c3aed", "#0891b2"),
    *("#be185d", "#4d7c0f", "#475569", "#92400e", "#93c5fd", "#fca5a5"),
)
_WIDTH, _HEIGHT = 430, 325
_LEFT, _RIGHT, _TOP = 58, 22, 34
_PLOT = 150


class _Axis:
    """A logarithmic axis over some values, from a power of ten to a power of ten if *whole*; a linear one where a value is 0."""

    def __init__(self, values: Sequence[float], start: float, end: float, *, whole: bool) -> None:
        self.scale: Callable[[float], float] = log10 if min(values) > 0 else float
        low, high = self.scale(min(values)), self.scale(max(values))
        self.low, self.high = (floor(low), ceil(high)) if whole else (low, high)
        if self.low == self.high:
            self.high += 1
        self.start, self.end = start, end

    def place(self, value: float) -> float:
        """Return where a value stands."""
        part = (self.scale(value) - self.low) / (self.high - self.low)
        return self.start + part * (self.end - self.start)

    def powers(self) -> list[float]:
        """Return the powers of ten on it."""
        return [10.0**power for power in range(ceil(self.low), floor(self.high) + 1)]


def panels(curves: Sequence[tuple[str, str, str, Lines]]) -> str:
    """Return an SVG of panels, two in a row: a title, what is along, what is up, and the lines; axes are logarithmic."""
    rows = (len(curves) + 1) // 2
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{2 * _WIDTH}" height="{rows * _HEIGHT}" font-family="sans-serif" font-size="11">',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
    ]
    for number, (title, x, y, lines) in enumerate(curves):
        parts += [
            f'<g transform="translate({_WIDTH * (number % 2)} {_HEIGHT * (number // 2)})">',
            *_panel(title, x, y, lines),
            "</g>",
        ]
    return "\n".join([*parts, "</svg>", ""])


def _panel(title: str, x: str, y: str, lines: Lines) -> list[str]:
    points = [point for line in lines.values() for point in line]
    along = _Axis([place for place, _ in points], _LEFT, _WIDTH - _RIGHT, whole=False)
    up = _Axis([value for _, value in points], _TOP + _PLOT, _TOP, whole=True)
    bottom = _TOP + _PLOT
    parts = [f'<text x="{_LEFT}" y="20" font-size="13" font-weight="bold">{escape(title)}, {escape(y)}</text>']
    for power in up.powers():
        at = up.place(power)
        parts += [
            f'<line x1="{_LEFT}" y1="{at:.1f}" x2="{_WIDTH - _RIGHT}" y2="{at:.1f}" stroke="#e2e8f0"/>',
            f'<text x="{_LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{_short(power)}</text>',
        ]
    for place in dict.fromkeys(place for place, _ in points):
        parts.append(f'<text x="{along.place(place):.1f}" y="{bottom + 14}" text-anchor="middle">{_short(place)}</text>')
    parts.append(f'<text x="{(_LEFT + _WIDTH - _RIGHT) / 2:.0f}" y="{bottom + 29}" text-anchor="middle">{escape(x)}</text>')
    for number, (name, line) in enumerate(lines.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        drawn = " ".join(f"{along.place(place):.1f},{up.place(value):.1f}" for place, value in line)
        left, top = _LEFT + 180 * (number % 2), bottom + 46 + 15 * (number // 2)
        parts += [
            f'<polyline points="{drawn}" fill="none" stroke="{colour}" stroke-width="2"/>',
            *(f'<circle cx="{along.place(place):.1f}" cy="{up.place(value):.1f}" r="2.5" fill="{colour}"/>' for place, value in line),
            f'<rect x="{left}" y="{top - 8}" width="12" height="4" fill="{colour}"/>',
            f'<text x="{left + 17}" y="{top}">{escape(name)}</text>',
        ]
    return parts


def _short(value: float) -> str:
    for size, letter in ((1e6, " M"), (1e3, " k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"
