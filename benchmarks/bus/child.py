"""One phase of one contender, in a process of its own: ``python -m benchmarks.bus.child MODULE PHASE PLACE COUNT [OPTIONS]``.

Prints one line of JSON: the seconds that it took, the processor's seconds, how many messages, and for the latency phase each
message's milliseconds.
"""

import json
import sys
import time
from collections.abc import Iterator
from importlib import import_module

from benchmarks.bus.contender import Contender, payloads

RATE = 200
"""Messages a second in the latency phase."""


def paced(count: int) -> Iterator[str]:
    """Yield the time of day as a message, RATE times a second."""
    begin = time.monotonic()
    for number in range(count):
        time.sleep(max(0.0, begin + number / RATE - time.monotonic()))
        yield json.dumps({"at": time.time(), "text": "x" * 272})


def drain(contender: Contender, count: int) -> dict[str, object]:
    """Fill the queue, and time the worker alone; each message must come exactly once."""
    contender.enqueue_bulk(payloads(count))
    seen: set[str] = set()
    took = timed(lambda: contender.work(count, lambda payload: seen.add(payload[8:20])))
    return {**took, "missing": count - len(seen)}


def latency(contender: Contender, count: int) -> dict[str, object]:
    """Work the queue while another process fills it, and measure from the call of enqueue to the handler."""
    times: list[float] = []
    took = timed(lambda: contender.work(count, lambda payload: times.append(1000 * (time.time() - json.loads(payload)["at"]))))
    return {**took, "latencies": times}


def timed(function: "object") -> dict[str, object]:
    """Return the seconds of the clock and of the processor that calling *function* takes."""
    begin, busy = time.perf_counter(), time.process_time()
    function()  # type: ignore[operator]
    return {"seconds": time.perf_counter() - begin, "busy": time.process_time() - busy}


def measure(contender: Contender, phase: str, count: int) -> dict[str, object]:
    """Run *phase* once."""
    match phase:
        case "each":
            messages = payloads(count)
            return timed(lambda: contender.enqueue_each(messages))
        case "at_once":
            messages = payloads(count)
            return timed(lambda: contender.enqueue_at_once(messages))
        case "bulk":
            messages = payloads(count)
            return timed(lambda: contender.enqueue_bulk(messages))
        case "drain":
            return drain(contender, count)
        case "latency":
            return latency(contender, count)
        case "produce":
            return timed(lambda: contender.enqueue_each(paced(count)))
    raise SystemExit(f"there is no phase {phase}")


def main(module: str, phase: str, place: str, count: str, options: str = "{}") -> None:
    """Measure, and print what came of it."""
    contender: Contender = import_module(f"benchmarks.bus.{module}").Contender(place, **json.loads(options))
    try:
        answer = measure(contender, phase, int(count))
    finally:
        contender.close()
    sys.stdout.write("\n" + json.dumps({"count": int(count), **answer}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
