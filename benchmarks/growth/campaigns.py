"""A campaign's memory beside its length; ``python -m benchmarks.growth.campaigns URL LENGTH`` runs one in a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime

import anyio

from benchmarks.environments import ROOT
from benchmarks.growth.curves import Curve
from benchmarks.growth.filling import homes
from benchmarks.growth.weight import peak
from notifykit import Notifier, Recipient

__all__ = ["campaign"]

_MOST = 1.5
_WARM = 600
_VALUES = {
    "side": "sell",
    "symbol": "ACME",
    "quantity": 10,
    "price": "99.50",
    "reason": "Insufficient margin",
    "order_id": "4711",
    "occurred_at": datetime(2030, 1, 1, tzinfo=UTC),
}


def campaign(share: float) -> Curve:
    """Enqueue campaigns of 1,000 to 100,000 recipients, who come one by one from a generator."""
    lengths = [1_000, *(length for most in (10_000, 100_000) if (length := int(most * share)) > 1_000)]
    lines: dict[str, list[tuple[float, float]]] = {}
    facts: dict[str, float] = {}
    for store in ("sqlite", "redis"):
        with homes(store) as home:
            for length in lengths:
                answer = _alone(f"{home}campaign-{length}", length)
                lines.setdefault(f"{store}: peak of the process", []).append((length, answer["peak"] / 1024**2))
                facts[f"recipients a second, {store}"] = answer["rate"]
    return Curve("A campaign's memory", "recipients", "MiB", lines, _MOST, ("sqlite", "redis"), facts)


def _alone(url: str, length: int) -> dict[str, float]:
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.growth.campaigns", url, str(length)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def _people(first: int, number: int) -> Iterator[Recipient]:
    return (Recipient(f"user:{each}", {"email": f"user{each}@example.com"}) for each in range(first, first + number))


async def _run(url: str, length: int) -> dict[str, float]:
    async with Notifier(url, channels={"email": "console://email"}, unsubscribe=None) as notifier:
        await notifier.campaign("warm", "entry_failure", _people(0, _WARM), _VALUES)
        began = anyio.current_time()
        progress = await notifier.campaign("june", "entry_failure", _people(_WARM, length), _VALUES)
        took = anyio.current_time() - began
    if progress.enqueued != length:
        raise RuntimeError(f"{progress.enqueued} were enqueued, not {length}")
    return {"peak": peak(), "rate": length / took}


if __name__ == "__main__":
    print(json.dumps(anyio.run(_run, sys.argv[1], int(sys.argv[2]))))
