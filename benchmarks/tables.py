"""The tables of a run: of queues by store, and of channels by server."""

from collections.abc import Mapping, Sequence

from benchmarks.bus.roster import Row
from benchmarks.bus.runner import Figure
from benchmarks.channels.roster import Row as Delivery
from benchmarks.channels.runner import Figure as Delivered
from benchmarks.report import table

__all__ = ["PHASES", "SINKS", "STORES", "channel_table", "faults_of", "store_table"]

PHASES = {"each": "one by one", "at_once": "50 producers", "bulk": "bulk", "drain": "drain"}
STORES = ("memory", "sqlite", "redis")
SINKS = ("smtp", "telegram", "push")


def store_table(store: str, rows: Sequence[Row], figures: Mapping[str, Mapping[str, Figure]]) -> str:
    """Return the table of one store: messages a second, in brackets as a share of the fastest row."""
    head = [store, *PHASES.values(), "p50/p99 ms", "CPU s per 10 k drained"]
    best = {phase: max((figures[row.name][phase].rate for row in rows if phase in figures[row.name]), default=0.0) for phase in PHASES}
    return table(head, [_cells(row, figures[row.name], best) for row in rows])


def _cells(row: Row, figures: Mapping[str, Figure], best: dict[str, float]) -> list[str]:
    def rate(phase: str) -> str:
        figure = figures.get(phase)
        return "" if figure is None or not figure.rates else f"{figure.rate:,.0f} ({figure.rate / best[phase]:.2f})"

    late = figures.get("latency")
    drained = figures.get("drain")
    return [
        row.name,
        *(rate(phase) for phase in PHASES),
        f"{late.p50:.1f}/{late.p99:.1f}" if late is not None and late.p50 is not None and late.p99 is not None else "",
        f"{drained.busy:.2f}" if drained is not None and drained.rates else "",
    ]


def channel_table(sink: str, rows: Sequence[Delivery], figures: Mapping[str, Delivered]) -> str:
    """Return the table of one server: deliveries a second, in brackets as a share of the fastest row."""
    best = max(figures[row.name].rate for row in rows) or 1.0
    cells = [
        [row.name, f"{figures[row.name].rate:,.0f} ({figures[row.name].rate / best:.2f})", f"{figures[row.name].busy:.2f}"] for row in rows
    ]
    return table([sink, "deliveries a second", "CPU s per 1,000"], cells)


def faults_of(rows: Sequence[Row], figures: Mapping[str, Mapping[str, Figure]]) -> list[str]:
    """Return what went wrong, once each."""
    return [
        f"{row.name}, {PHASES.get(phase, phase)}: {fault}"
        for row in rows
        for phase, figure in figures[row.name].items()
        for fault in sorted(set(figure.faults))
    ]
