"""Sends two messages to each of several bad servers, in an environment of the library's own, and says what came of them.

It reads lines of JSON, ``{"port": …, "tls": …}``, and writes one for each: the outcomes of the message that met the fault and of the
next one over the same client.
"""

import importlib
import json
import sys
import threading
import traceback
from typing import Any

PATIENCE = 8.0
"""Seconds after which a call that says nothing is left behind."""
SECRET = "s3cret-capability"


def _attempt(client: Any, number: int) -> str:
    outcome: list[str] = []

    def call() -> None:
        try:
            answer = client.send(number)
            outcome.append(f"sent:{answer}")
        except BaseException as error:
            shown = " and shows the secret" if SECRET in "".join(traceback.format_exception(error)) else ""
            outcome.append(f"{type(error).__name__}{shown}")

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    return outcome[0] if outcome else "waits"


def main() -> None:
    """Do as the lines on the standard input say."""
    module = importlib.import_module(f"benchmarks.faults.peers.{sys.argv[1]}")
    for line in sys.stdin:
        given = json.loads(line)
        try:
            client = module.Client(given["port"], given["tls"])
            first = _attempt(client, 1)
            second = "" if first == "waits" or given["alone"] else _attempt(client, 2)
        except Exception as error:
            first, second = f"cannot: {error!r}", ""
        print(json.dumps([first, second]), flush=True)


main()
