"""How ``status`` and ``worker`` draw the queue for people."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from attrs import frozen
from rich.console import Group, RenderableType
from rich.text import Text

from notifykit.cli.output import Output, visible
from notifykit.cli.records import age

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["StatusTable", "status_table"]

_COLUMNS = ["channel", "lane", "ready", "oldest", "scheduled", "sending", "dead", "delivered", "retried", "per second"]
_NUMBERS = _COLUMNS[2:]


@frozen
class StatusTable:
    """The lanes as rows, and below them what stands out."""

    out: Output
    rows: Sequence[Sequence[Any]]
    notes: Sequence[tuple[str, str]]

    def show(self) -> None:
        """Print it."""
        if self.rows:
            self.out.table(_COLUMNS, self.rows, right=_NUMBERS)
        for text, style in self.notes:
            self.out.say(text, style)

    def group(self) -> Group:
        """Return it for a live screen."""
        table: Table = self.out.make_table(_COLUMNS, self.rows, right=_NUMBERS)
        lines: list[RenderableType] = [Text(visible(text), style=style) for text, style in self.notes]
        return Group(table, *lines)


def status_table(record: Mapping[str, Any], out: Output) -> StatusTable:
    """Return what there is to draw of a record that ``status --json`` prints."""
    rows = [_row(lane) for lane in record["lanes"] if lane["counters"]["enqueued"] or lane["ready"] or lane["dead"]]
    notes = [
        (f"dead on {lane['channel']} {lane['lane']}: {_counts(lane['dead_by_reason'])}", "red") for lane in record["lanes"] if lane["dead"]
    ]
    notes += [(_hold(hold), "yellow") for hold in record["holds"]]
    notes += [(f"campaign {name}: {_group(depth)}", "") for name, depth in record["groups"].items()]
    return StatusTable(out, rows, notes if rows else [("nothing was ever enqueued here", ""), *notes])


def _row(lane: Mapping[str, Any]) -> list[Any]:
    oldest, rate, counters = lane["oldest_ready_seconds"], lane["delivered_per_second"], lane["counters"]
    return [
        lane["channel"],
        lane["lane"],
        _number(lane["ready"], "bold"),
        age(None if oldest is None else timedelta(seconds=oldest)),
        _number(lane["scheduled"]),
        _number(lane["claimed"]),
        _number(lane["dead"], "bold red"),
        _number(counters["acked"]),
        _number(counters["retried"]),
        "" if rate is None else f"{rate:,.1f}",
    ]


def _number(value: int, style: str = "") -> Text:
    return Text(f"{value:,}", style=style if value else "dim")


def _counts(reasons: Mapping[str, int]) -> str:
    return ", ".join(f"{number:,} {reason}" for reason, number in sorted(reasons.items(), key=lambda each: -each[1]))


def _hold(hold: Mapping[str, Any]) -> str:
    where = " ".join(filter(None, [hold["channel"], hold["lane"]]))
    return f"held: {where} until {datetime.fromisoformat(hold['until']):%Y-%m-%d %H:%M:%S} UTC, because: {hold['reason']}"


def _group(depth: Mapping[str, Any]) -> str:
    waiting = depth["ready"] + depth["scheduled"]
    return f"{waiting:,} waiting, {depth['claimed']:,} being sent, {depth['dead']:,} dead"
