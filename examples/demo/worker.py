"""The worker: a process of its own that takes messages from the queue and sends them, until it is told to stop, or killed."""

import logging
import os
from collections.abc import Callable

import anyio

from examples.demo.application import Folder, Wiring, notifier
from notifykit.telemetry.logging import json_handler, log_events

__all__ = ["work"]


async def work(folder: Folder, parent: int | None) -> None:
    """Work the queue in *folder* until SIGTERM, or until the process *parent* is gone."""
    logging.basicConfig(level=logging.WARNING, handlers=[json_handler(folder.journal.open("a"))])
    logging.getLogger("notifykit").setLevel(logging.INFO)
    async with notifier(folder, Wiring.read(folder.wiring), [log_events]) as application, anyio.create_task_group() as tasks:
        if parent is not None:
            tasks.start_soon(_stop_after, parent, application.stop)
        await application.check()  # wrong credentials show now, and not at the first message
        await application.run(signals=True)
        tasks.cancel_scope.cancel()


async def _stop_after(parent: int, stop: Callable[[], None]) -> None:
    while os.getppid() == parent:  # noqa: ASYNC110 - no event tells that a parent has died
        await anyio.sleep(0.5)
    stop()
