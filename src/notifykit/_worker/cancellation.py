"""Telling our own cancellation from one that a library below a channel lets escape."""

import asyncio
import math

import anyio

__all__ = ["is_astray"]


def is_astray(error: BaseException) -> bool:
    """Return whether *error* is a cancellation though nobody cancelled the code that it came to.

    On asyncio whoever awaits a future that another has cancelled gets that one's ``CancelledError``; trio knows no such thing.
    """
    if not isinstance(error, asyncio.CancelledError):
        return False
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return True  # no loop of asyncio: it is an exception like any other
    natively = task is not None and task.cancelling() > 0
    return not natively and anyio.current_effective_deadline() != -math.inf
