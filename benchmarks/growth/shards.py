"""Shards of one bus on a cluster of three nodes: what spreading costs one worker, and how the nodes share the work."""

from statistics import median

import anyio

from benchmarks.growth.crowds import Crowd, span
from benchmarks.growth.curves import Curve
from benchmarks.growth.filling import CHANNEL, SIZE
from notifykit import Lane
from notifykit._claims import MAX_BATCH, Envelope
from notifykit._ids import new_id
from notifykit._plugins import bus_from_url
from tests._redis import Server, cluster

__all__ = ["shards"]

_SHARDS = (1, 2, 4, 8)
_ROUNDS = 2
_NODES = 3


def shards(share: float) -> Curve:
    """Fill and drain a bus of 1 to 8 shards."""
    number = max(2_000, int(20_000 * share))
    seen: dict[int, list[tuple[float, float]]] = {}
    with cluster(_NODES) as nodes, Crowd() as crowd:
        for turn in range(_ROUNDS):
            for many in _SHARDS:
                url = f"redis+cluster://127.0.0.1:{nodes[0].port}?shards={many}&name=shards-{turn}-{many}"
                before = [_busy(node) for node in nodes]
                anyio.run(_filled, url, number)
                answers = crowd.obey(1, "work", url, 100)
                busy = [_busy(node) - then for node, then in zip(nodes, before, strict=True)]
                seen.setdefault(many, []).append((number / span(answers), 100 * max(busy) / sum(busy)))
    lines = {"one worker drains, messages/s": [(many, median(rate for rate, _ in each)) for many, each in seen.items()]}
    facts = {f"busiest node's per cent of the work at {many}": median(part for _, part in each) for many, each in seen.items()}
    return Curve("Shards on a cluster of three nodes", "shards", "messages/s", lines, facts=facts)


def _busy(node: Server) -> float:
    with node.client() as client:
        cpu = client.info("cpu")
    return float(cpu["used_cpu_user"]) + float(cpu["used_cpu_sys"])


async def _filled(url: str, number: int) -> None:
    async with bus_from_url(url) as bus:
        for start in range(0, number, MAX_BATCH):
            await bus.enqueue(
                [
                    Envelope(id=new_id(), channel=CHANNEL, lane=Lane.TRANSACTIONAL, body=b"x" * SIZE, recipient_id=f"user:{each}")
                    for each in range(start, min(number, start + MAX_BATCH))
                ]
            )
