"""Who is measured, with which settings, and what each promises."""

from attrs import field, frozen

__all__ = ["ROSTER", "Row"]


@frozen
class Row:
    """One contender.

    Attributes:
        module: the file that drives it.
        store: where its messages are.
        requires: what pip installs into its environment; nothing for ourselves, who are installed from this checkout.
        settings: how it was set, so that nobody is measured with a handicap.
        promise: what a crash of the worker may do.
        options: given to the contender.
        count: messages of one phase; less for the slow ones, so that all take about as long.
        phases: those that mean something for it.
    """

    name: str
    module: str
    store: str
    settings: str
    promise: str
    requires: tuple[str, ...] = ()
    options: dict[str, str] = field(factory=dict)
    count: int = 20_000
    phases: tuple[str, ...] = ("each", "at_once", "bulk", "drain", "latency")
    role: str = "peer"


_QUEUE = ("each", "at_once", "bulk", "drain")
_OURS = "at least once: leases, exact counters, dead letters; every guarantee on"

ROSTER: tuple[Row, ...] = (
    *(
        Row(
            name=f"notifykit-{store}{f'-{durability}' if durability else ''}-{loop}",
            module="ours",
            store=store,
            settings=f"the bus by itself on {loop}; claims of 200{f', durability {durability}' if durability else ''}",
            promise=_OURS,
            options={"store": store, "durability": durability, "loop": loop},
            phases=_QUEUE if store == "memory" else (*_QUEUE, "latency"),
            role="ours",
        )
        for store, durability in (("memory", ""), ("sqlite", "normal"), ("sqlite", "full"), ("redis", ""))
        for loop in ("asyncio", "trio")
    ),
    *(
        Row(
            name=f"raw sqlite3 {synchronous}",
            module="raw_sqlite",
            store="sqlite",
            settings=f"WAL, synchronous={synchronous}; bulk in one transaction; claims of 100 by UPDATE … RETURNING, DELETE of 100",
            promise="at least once in principle: claimed rows stay",
            options={"synchronous": synchronous},
            phases=_QUEUE,
            role="raw",
        )
        for synchronous in ("normal", "full")
    ),
    Row(
        name="raw redis-py",
        module="raw_redis",
        store="redis",
        settings="hiredis; pipelines of 100 XADD; XREADGROUP COUNT 100; one pipeline of XACK and XDEL a batch",
        promise="at least once: pending entries stay",
        requires=("redis[hiredis]",),
        role="raw",
    ),
)
