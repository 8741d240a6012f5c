"""Figures as a table, as JSON, and as a picture."""

from collections.abc import Mapping, Sequence
from html import escape

__all__ = ["bars", "microseconds", "number", "table"]


def number(value: float) -> str:
    """Return a figure with the digits that mean something."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown, its columns as wide as they must be."""
    widths = [max(len(row[place]) for row in [head, *rows]) for place in range(len(head))]
    lines = [head, ["-" * width for width in widths], *rows]
    return "\n".join("| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines)


def microseconds(of: str, found: Mapping[str, float]) -> str:
    """Return a table of what takes how long."""
    return table([of, "µs"], [[name, f"{took:.1f}"] for name, took in found.items()])


def bars(title: str, rows: Sequence[tuple[str, float, bool]], unit: str) -> str:
    """Return an SVG of horizontal bars: a name, a value, and whether the bar is ours."""
    most = max((value for _, value, _ in rows), default=1.0) or 1.0
    height = 34 + 24 * len(rows)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="760" height="{height}" font-family="sans-serif" font-size="13">',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        f'<text x="8" y="20" font-weight="bold">{escape(title)}</text>',
    ]
    for place, (name, value, ours) in enumerate(rows):
        top = 32 + 24 * place
        width = max(1.0, 420 * value / most)
        parts += [
            f'<text x="230" y="{top + 14}" text-anchor="end">{escape(name)}</text>',
            f'<rect x="238" y="{top}" width="{width:.1f}" height="18" fill="{"#2563eb" if ours else "#94a3b8"}"/>',
            f'<text x="{244 + width:.1f}" y="{top + 14}">{value:,.0f} {escape(unit)}</text>',
        ]
    return "\n".join([*parts, "</svg>", ""])
