"""One contender in a process of its own: ``python -m benchmarks.channels.child MODULE SINK PORT COUNT CONNECTIONS``; prints JSON."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

__all__ = ["main"]


def main(module: str, sink: str, port: str, count: str, connections: str) -> None:
    """Measure, and print what came of it."""
    took: dict[str, float] = {}

    @contextmanager
    def clock() -> Iterator[None]:
        begin, busy = time.perf_counter(), time.process_time()
        yield
        took.update(seconds=time.perf_counter() - begin, busy=time.process_time() - busy)

    import_module(f"benchmarks.channels.{module}").run(sink, int(port), int(count), int(connections), clock)
    sys.stdout.write("\n" + json.dumps({"count": int(count), **took}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
