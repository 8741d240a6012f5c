"""What the demo says while it runs: bars on a terminal, plain lines elsewhere, nothing with ``--json``."""

import time
from collections.abc import Mapping, Sequence
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

from notifykit import Lane, Stats

__all__ = ["Screen"]

_LANES = list(Lane)


class Screen:
    """The one place that prints. Texts are never read as markup: they may hold anything."""

    def __init__(self, *, quiet: bool = False) -> None:
        console = Console(quiet=quiet, highlight=False)
        self._console = console if console.is_terminal else Console(quiet=quiet, highlight=False, width=140)
        self._bars = Progress(
            TextColumn("  {task.description:<24}"),
            BarColumn(40),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}", style="dim"),
            console=self._console,
            disable=not console.is_terminal,
            refresh_per_second=8,
        )
        self._rows: dict[tuple[str, Lane], TaskID] = {}
        self._last_line = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._bars.stop()

    def title(self, text: str) -> None:
        """Begin a part of the story."""
        self._console.print()
        self._console.print(Text(text, style="bold"))

    def say(self, text: str, style: str = "") -> None:
        """Print a line; bars stay below it."""
        self._console.print(Text(f"  {text}", style=style), soft_wrap=True)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Print a table."""
        table = Table(*columns, box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 2))
        for row in rows:
            table.add_row(*(Text(str(cell), overflow="ellipsis", no_wrap=True) for cell in row))
        self._console.print(table)

    def progress(self, stats: Stats) -> None:
        """Show how far each queue is: bars, or on no terminal a line each second."""
        self._bars.start()
        for queue, counters in sorted(stats.counters.items(), key=lambda each: (each[0][0], _LANES.index(each[0][1]))):
            if counters.enqueued:
                if queue not in self._rows:
                    self._rows[queue] = self._bars.add_task(_name(queue), note="", total=0)
                self._bars.update(self._rows[queue], total=counters.enqueued, completed=counters.acked, note=_note(stats, queue))
        if self._bars.disable and time.monotonic() - self._last_line >= 1:
            self._last_line = time.monotonic()
            self.say("  ".join(_counted(stats)))

    def settled(self, stats: Stats) -> None:
        """Show the end of it."""
        self.progress(stats)
        self._bars.stop()
        self._rows.clear()
        for each in self._bars.task_ids:
            self._bars.remove_task(each)

    def facts(self, facts: Mapping[str, Any]) -> None:
        """Print names and what they stand for."""
        for name, value in facts.items():
            text = Text(f"    {name}: ", style="dim")
            self._console.print(text.append(str(value), style="not dim"), soft_wrap=True)

    def block(self, text: str) -> None:
        """Print a longer text as it is."""
        for line in text.splitlines():
            self._console.print(Text(f"    │ {line}"), soft_wrap=True)


def _name(queue: tuple[str, Lane]) -> str:
    return f"{queue[0]} {queue[1].value}"


def _note(stats: Stats, queue: tuple[str, Lane]) -> str:
    depth, counters = stats.depths.get(queue), stats.counters[queue]
    notes = {"waiting again": depth.scheduled if depth else 0, "retried": counters.retried, "dead": depth.dead if depth else 0}
    return ", ".join(f"{number} {what}" for what, number in notes.items() if number)


def _counted(stats: Stats) -> list[str]:
    return [f"{_name(queue)} {counters.acked}/{counters.enqueued}" for queue, counters in stats.counters.items() if counters.enqueued]
