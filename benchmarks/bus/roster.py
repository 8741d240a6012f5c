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
        killed: what was lost when its worker was killed (SIGKILL) in the middle of a backlog; looked at apart from these runs.
        options: given to the contender.
        count: messages of one phase; less for the slow ones, so that all take about as long.
        phases: those that mean something for it.
    """

    name: str
    module: str
    store: str
    settings: str
    promise: str
    killed: str = "nothing lost"
    requires: tuple[str, ...] = ()
    options: dict[str, str] = field(factory=dict)
    count: int = 20_000
    phases: tuple[str, ...] = ("each", "at_once", "bulk", "drain", "latency")
    role: str = "peer"


_ONE_BY_ONE = ("each", "at_once", "drain")
_PEER = (*_ONE_BY_ONE, "latency")
_QUEUE = ("each", "at_once", "bulk", "drain")
_LOOPS = {"asyncio": "asyncio with uvloop", "trio": "trio"}
_OURS = "at least once: leases, exact counters, dead letters; every guarantee on"

ROSTER: tuple[Row, ...] = (
    *(
        Row(
            name=f"notifykit-{store}{f'-{durability}' if durability else ''}-{loop}",
            module="ours",
            store=store,
            settings=f"the bus by itself on {_LOOPS[loop]}; claims of 200{f', durability {durability}' if durability else ''}",
            promise=_OURS,
            options={"store": store, "durability": durability, "loop": loop},
            killed="everything" if store == "memory" else "nothing lost",
            phases=_QUEUE if store == "memory" else (*_QUEUE, "latency"),
            role="ours",
        )
        for store, durability in (("memory", ""), ("sqlite", "normal"), ("sqlite", "full"), ("redis", ""))
        for loop in ("asyncio", "trio")
    ),
    *(
        Row(
            name=f"notifykit-{store}{f'-{durability}' if durability else ''}-direct",
            module="ours_direct",
            store=store,
            settings=f"the bus by itself, called without an event loop{f', durability {durability}' if durability else ''}; eight threads",
            promise=_OURS,
            options={"store": store, "durability": durability},
            phases=("each", "at_once"),
            role="ours",
        )
        for store, durability in (("sqlite", "normal"), ("sqlite", "full"), ("redis", ""))
    ),
    *(
        Row(
            name=f"notifykit-{store}-worker",
            module="ours_worker",
            store=store,
            settings="notifier and worker on asyncio with uvloop: checked, composed, rendered, sent by a channel that does nothing"
            f"{f', durability {durability}' if durability else ''}; 100 senders",
            promise=_OURS,
            killed="everything" if store == "memory" else "nothing lost",
            options={"store": store, "durability": durability, "loop": "asyncio"},
            phases=_QUEUE if store == "memory" else (*_QUEUE, "latency"),
            count=5_000,
            role="ours",
        )
        for store, durability in (("memory", ""), ("sqlite", "normal"), ("redis", ""))
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
    Row(
        name="asyncio.Queue",
        module="asyncio_queue",
        store="memory",
        requires=("uvloop",),
        settings="put; get and task_done by one consumer; uvloop",
        promise="none: process memory",
        killed="everything",
        phases=_ONE_BY_ONE,
        role="raw",
        count=100_000,
    ),
    Row(
        name="huey memory",
        module="huey_",
        store="memory",
        requires=("huey",),
        settings="immediate=False, results=False, one thread that looks every 5 ms",
        promise="none: process memory",
        killed="everything",
        options={"store": "memory"},
        phases=_ONE_BY_ONE,
    ),
    *(
        Row(
            name=f"huey sqlite {told}",
            module="huey_",
            store="sqlite",
            requires=("huey",),
            settings=f"results=False, WAL, fsync {fsync}, one thread that looks every 5 ms",
            promise="at most once: a row is deleted before it runs",
            killed="1 to 2 lost",
            options={"store": "sqlite", "fsync": fsync},
            phases=_PEER,
            count=count,
        )
        for told, fsync, count in (("default", "on", 2_000), ("fast", "off", 8_000))
    ),
    Row(
        name="litequeue",
        module="litequeue_",
        store="sqlite",
        requires=("litequeue",),
        settings="WAL, synchronous NORMAL (its own); many at once in one transaction; pop and done are a transaction each",
        promise="a claim that was not done is left to the caller",
        killed="nothing lost; what was claimed is left to the caller",
        phases=(*_QUEUE, "latency"),
        count=8_000,
    ),
    Row(
        name="persist-queue",
        module="persist_queue_",
        store="sqlite",
        requires=("persist-queue",),
        settings="SQLiteAckQueue, multithreading, auto_commit, JSON",
        promise="at least once: what was not acknowledged comes again when the file is opened",
        phases=_PEER,
        count=1_500,
    ),
    Row(
        name="huey redis",
        module="huey_",
        store="redis",
        requires=("huey", "redis[hiredis]"),
        settings="results=False, blocking, two threads, hiredis",
        promise="at most once: popped before it runs",
        killed="1 to 2 lost",
        options={"store": "redis"},
        phases=_PEER,
        count=6_000,
    ),
    Row(
        name="saq",
        module="saq_",
        store="redis",
        requires=("saq[redis]", "orjson", "hiredis", "uvloop", "typing_extensions"),
        settings="orjson, max_concurrent_ops=50, concurrency=30, ttl=-1, uvloop, hiredis",
        promise="at least once: a sweeper queues again what ran into its time-out",
        phases=_PEER,
        count=4_000,
    ),
    Row(
        name="arq",
        module="arq_",
        store="redis",
        requires=("arq", "hiredis", "uvloop"),
        settings="max_jobs=200, queue_read_limit=1000, poll_delay=0.01, keep_result=0, uvloop, hiredis",
        promise="at least once",
        phases=_PEER,
        count=3_000,
    ),
    Row(
        name="streaq",
        module="streaq_",
        store="redis",
        requires=("streaq", "uvloop"),
        settings="concurrency=100, prefetch=100, silent, ttl=0, uvloop",
        promise="at least once: a consumer group, XAUTOCLAIM",
        phases=_PEER,
        count=2_500,
    ),
    *(
        Row(
            name=f"taskiq {broker}",
            module="taskiq_",
            store="redis",
            requires=("taskiq<0.13", "taskiq-redis", "redis<7", "orjson", "hiredis", "uvloop"),
            settings="ORJSONSerializer, max_async_tasks=200, max_prefetch=200, validate_params=False, uvloop, hiredis; redis-py below 7,"
            " with 8 its stream broker hung after the first read",
            promise=promise,
            killed=killed,
            options={"broker": broker},
            phases=_PEER,
            count=4_000,
        )
        for broker, promise, killed in (
            ("list", "at most once: popped before it runs", "2 lost"),
            ("stream", "at least once: a consumer group, XAUTOCLAIM", "none lost, 156 stuck"),
        )
    ),
    Row(
        name="dramatiq",
        module="dramatiq_",
        store="redis",
        requires=("dramatiq[redis]", "hiredis"),
        settings="two threads, dramatiq_queue_prefetch=1000, worker_timeout=10, JSON, hiredis",
        promise="at least once",
        phases=_PEER,
        count=5_000,
    ),
    Row(
        name="celery",
        module="celery_",
        store="redis",
        requires=("celery[redis]", "hiredis"),
        settings="solo pool, acks_late, worker_prefetch_multiplier=500, ignore_result, no gossip, mingle or heartbeat, JSON, hiredis",
        promise="at least once with acks_late (set here), after the visibility time-out",
        killed="1 lost, in 2 of 8 kills",
        phases=_PEER,
        count=1_500,
    ),
    Row(
        name="rq",
        module="rq_",
        store="redis",
        requires=("rq", "hiredis"),
        settings="SimpleWorker (no fork), result_ttl=0, hiredis",
        promise="a killed worker's job fails unless a retry is set",
        killed="nothing lost with a retry set",
        phases=(*_ONE_BY_ONE, "bulk", "latency"),
        count=800,
    ),
    Row(
        name="repid",
        module="repid_",
        store="redis",
        requires=("repid[redis]", "hiredis", "uvloop", "typing_extensions"),
        settings="batch_size=50, tasks_limit=1000, JSON, uvloop, hiredis",
        promise="at least once with a claim interval",
        phases=_PEER,
        count=4_000,
    ),
)
