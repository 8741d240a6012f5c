"""Writes the figures of a run into the documentation: ``python -m benchmarks.page [FOLDER]``.

FOLDER has what the other commands wrote: figures.json, growth.json, rendering.json, encryption.json, start.json, scale.json,
parts.json. They are kept, rounded, in benchmarks/results, and the page and its pictures are made of what is kept; without
FOLDER they are made again.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.bus.roster import ROSTER
from benchmarks.bus.runner import Figure
from benchmarks.channels.roster import ROSTER as CHANNELS
from benchmarks.channels.runner import Figure as Delivered
from benchmarks.environments import ROOT
from benchmarks.goals import goals, goals_table
from benchmarks.growth.__main__ import grid
from benchmarks.growth.curves import read
from benchmarks.growth.roster import ROSTER as CURVES
from benchmarks.picture import panels
from benchmarks.report import bars, microseconds, number, table
from benchmarks.scale.report import compared, told
from benchmarks.tables import PHASES, SINKS, STORES, channel_table, faults_of, store_table

__all__ = ["KEPT", "PAGE", "PICTURES", "figures_of", "kept", "load", "pictures", "put", "rounded"]

KEPT = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "explanation" / "performance.md"
PICTURES = ROOT / "docs" / "_static"
BEGIN, END = "<!-- figures: written by python -m benchmarks.page -->\n", "<!-- end of figures -->"
_NAMES = ("figures", "growth", "rendering", "encryption", "start", "scale", "parts")
_TITLES = {"smtp": "E-mail, to an SMTP server", "telegram": "Telegram, to a Bot API server", "push": "Web push, to a push service"}


def load(folder: Path) -> dict[str, Any]:
    """Return what is in a folder, by the names of the files; some may be missing."""
    return {name: json.loads(path.read_text()) for name in _NAMES if (path := folder / f"{name}.json").is_file()}


def rounded(value: Any) -> Any:
    """Return figures with four digits that mean something."""
    match value:
        case float():
            return float(f"{value:.4g}")
        case dict():
            return {name: rounded(each) for name, each in value.items()}
        case list():
            return [rounded(each) for each in value]
    return value


def kept(results: Mapping[str, Any]) -> dict[str, str]:
    """Return the text of each file to keep."""
    return {name: json.dumps(rounded(told), separators=(",", ":")).replace("},", "},\n") + "\n" for name, told in results.items()}


def pictures(results: Mapping[str, Any]) -> dict[str, str]:
    """Return the pictures, by the names of their files."""
    found: dict[str, str] = {}
    if "growth" in results:
        curves = read(results["growth"]).values()
        found["growth.svg"] = panels([(curve.title, curve.x, curve.y, curve.lines) for curve in curves])
    for store in STORES if "figures" in results else ():
        rates = [(row.name, figure["drain"].rate, row.role == "ours") for row, figure in _rows(results, store) if "drain" in figure]
        if rates:
            rates.sort(key=lambda each: -each[1])
            found[f"drained-{store}.svg"] = bars(f"Drained from {store} and acknowledged", rates, "messages/s")
    return found


def _rows(results: Mapping[str, Any], store: str) -> list[tuple[Any, dict[str, Figure]]]:
    phases = results["figures"]["figures"]
    return [
        (row, {phase: Figure(**each) for phase, each in phases[row.name].items()})
        for row in ROSTER
        if row.store == store and row.name in phases
    ]


def figures_of(results: Mapping[str, Any]) -> str:
    """Return the part of the page that is made of figures."""
    machine = next((results[name]["machine"] for name in ("figures", "growth") if name in results), {})
    parts = ["## The machine", table(["what", "which"], [[name, str(value)] for name, value in machine.items()])]
    parts += [_extent(results)]
    found = goals(results)
    parts += ["## What is to be reached", goals_table(found), _ahead(results)]
    if "figures" in results:
        parts += _queues(results)
    if "parts" in results:
        parts += ["### What one enqueue costs, part by part", _PARTS, microseconds("of one enqueue", results["parts"])]
    if "figures" in results:
        parts += _channels(results)
    if "growth" in results:
        parts += _growth(results["growth"])
    if "figures" in results and "growth" in results:
        parts += ["## Toward internet scale", _SCALE, told(results["figures"], results["growth"])]
    if "scale" in results:
        parts += [_checked(results["scale"]), compared(results["scale"])]
    return "\n".join(_narrow(line) for line in "\n\n".join(each for each in parts if each).splitlines())


def _extent(results: Mapping[str, Any]) -> str:
    """Return how long was measured: a short run says less than a full one."""
    figures, growth = results.get("figures", {}), results.get("growth", {})
    told = []
    if "rounds" in figures:
        told.append(
            f"Queues and channels: the medians of {figures['rounds']} rounds, each with {figures['share']:.0%} of a full run's messages."
        )
    if "share" in growth:
        told.append(f"Growth: {growth['share']:.0%} of a full run's messages.")
    return " ".join(told)


def _narrow(line: str) -> str:
    """Return a line of a table without what fills its columns; any other as it is."""
    if not line.startswith("| "):
        return line
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    return f"| {' | '.join('---' if cell and not cell.strip('-') else cell for cell in cells)} |"


def _checked(scale: Mapping[str, Any]) -> str:
    return (
        f"The simulation beside a real burst on SQLite, of {scale['campaign']:,} campaign messages and {scale['transactional']:,}"
        " transactional ones that came meanwhile:"
    )


def _ahead(results: Mapping[str, Any]) -> str:
    """Return where a peer is ahead of each row of ours that stands for its store."""
    lines = []
    for store in STORES if "figures" in results else ():
        rows = _rows(results, store)
        for phase, name in PHASES.items():
            ours = [figure[phase].rate for row, figure in rows if row.role == "ours" and phase in figure]
            theirs = [(figure[phase].rate, row.name) for row, figure in rows if row.role == "peer" and phase in figure]
            if ours and theirs and max(theirs)[0] > max(ours):
                rate, peer = max(theirs)
                lines.append(f"- {store}, {name}: **{peer}**, {rate:,.0f}/s beside {max(ours):,.0f}/s")
    return "No peer is ahead of the best of our rows." if not lines else "A peer is ahead of the best of our rows:\n\n" + "\n".join(lines)


def _queues(results: Mapping[str, Any]) -> list[str]:
    parts = ["## Queues", "Messages a second, the median of the rounds; in brackets as a share of the fastest row of the table."]
    rows, versions = [], results["figures"].get("versions", {})
    for store in STORES:
        found = _rows(results, store)
        if not found:
            continue
        chosen, figures = [row for row, _ in found], {row.name: figure for row, figure in found}
        parts += [f"### {store}", store_table(store, chosen, figures)]
        parts += ["\n".join(f"- {fault}" for fault in faults_of(chosen, figures))]
        parts += [f"![Drained from {store}](../_static/drained-{store}.svg)"]
        rows += [[row.name, versions.get(row.name, ""), row.settings, row.promise, row.killed] for row, _ in found]
    return [
        *parts,
        "### How each was set, and what it promises",
        table(["row", "versions", "settings", "promise", "lost by a SIGKILL of its worker"], rows),
    ]


def _channels(results: Mapping[str, Any]) -> list[str]:
    parts = [
        "## Channels",
        "Whole deliveries a second: enqueued on a memory bus, claimed, rendered, sent to a server on loopback that answers at once, acked.",
    ]
    figures = {name: Delivered(**each) for name, each in results["figures"]["deliveries"].items()}
    for sink in SINKS:
        rows = [row for row in CHANNELS if row.sink == sink and row.name in figures]
        if rows:
            parts += [f"### {_TITLES[sink]}", channel_table(sink, rows, figures)]
            versions = results["figures"].get("versions", {})
            parts.append("\n".join(f"- {row.name}: {row.settings}{_with(versions.get(row.name, ''))}" for row in rows))
    return parts if len(parts) > 2 else []


def _with(versions: str) -> str:
    return f" ({versions})" if versions else ""


def _growth(growth: Mapping[str, Any]) -> list[str]:
    parts = ["## How cost grows", "![How cost grows](../_static/growth.svg)"]
    curves = read(growth)
    for row in CURVES:
        if row.name in curves:
            curve = curves[row.name]
            facts = "; ".join(f"{name}: {number(value)}" for name, value in curve.facts.items())
            parts += [f"### {curve.title}", grid(curve), row.bends, f"Measured besides: {facts}." if facts else ""]
    return parts


_PARTS = """Microseconds, the median of rounds that take turns. A call of a bus takes its envelope, the way to the bus's thread and
back, and what the store does; beside them stands the least that does such a thing. What is said of fifty is for each of them."""
_SCALE = """What the measured figures mean in a day. The busiest moment of a day is taken for 8/3 of its mean, and no part is to be
busier than 70 % then: above that, waits grow faster than what comes. **Bold** is what breaks first in the store itself. Each file or
node takes a core of its own, and the memory or disk of the last column between them; one worker process takes one core."""


def put(page: str, figures: str) -> str:
    """Return the text of a page with new figures between its marks."""
    before, begun, rest = page.partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not begun or not ended:
        raise ValueError("the page has lost its marks")
    return f"{before}{BEGIN}\n{figures}\n\n{END}{after}"


def main() -> int:
    """Keep a run's figures, and write the page and its pictures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.page", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, help="where the runs wrote their files; without it what is kept is taken again")
    given = parser.parse_args()
    if given.folder is not None:
        KEPT.mkdir(parents=True, exist_ok=True)
        for name, text in kept(load(given.folder)).items():
            (KEPT / f"{name}.json").write_text(text)
    results = load(KEPT)
    PAGE.write_text(put(PAGE.read_text(), figures_of(results)))
    for name, text in pictures(results).items():
        (PICTURES / name).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
