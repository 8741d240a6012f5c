"""A campaign: recipients streamed onto the bus in batches, however many there are."""

from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Sequence
from contextlib import aclosing

from anyio.lowlevel import checkpoint
from attrs import evolve, frozen

from notifykit._messages import Receipt, Recipient, Status
from notifykit.errors import NotifykitError

__all__ = ["Progress", "counted", "each_of", "in_batches"]

_KEPT_ERRORS = 100


@frozen
class Progress:
    """How far a campaign has come.

    Attributes:
        recipients: read so far.
        enqueued, duplicates, skipped, suppressed, cancelled: messages, by what became of them; skipped ones had no address, and
            one that was cancelled ends the reading.
        refused: recipients for whom no message could be made.
        errors: why, for the first hundred of them, by recipient id.
    """

    recipients: int = 0
    enqueued: int = 0
    duplicates: int = 0
    skipped: int = 0
    suppressed: int = 0
    cancelled: int = 0
    refused: int = 0
    errors: tuple[tuple[str, NotifykitError], ...] = ()


OnProgress = Callable[[Progress], None]


async def each_of(recipients: Iterable[Recipient | str] | AsyncIterable[Recipient | str]) -> AsyncGenerator[Recipient | str, None]:
    """Yield from an iterable of either sort."""
    if isinstance(recipients, AsyncIterable):
        async for recipient in recipients:
            yield recipient
    else:
        for recipient in recipients:
            yield recipient


async def in_batches(
    recipients: Iterable[Recipient | str] | AsyncIterable[Recipient | str], size: int
) -> AsyncGenerator[Sequence[Recipient | str], None]:
    """Yield lists of *size* recipients, the last one shorter; holds one list at a time."""
    batch: list[Recipient | str] = []
    async with aclosing(each_of(recipients)) as each:
        async for recipient in each:
            batch.append(recipient)
            if len(batch) >= size:
                yield batch
                batch = []
                await checkpoint()
    if batch:
        yield batch


def counted(progress: Progress, receipts: Sequence[Receipt], refused: Sequence[tuple[str, NotifykitError]], recipients: int) -> Progress:
    """Return *progress* with one more batch counted in."""
    number = {status: sum(receipt.status is status for receipt in receipts) for status in Status}
    return evolve(
        progress,
        recipients=progress.recipients + recipients,
        enqueued=progress.enqueued + number[Status.QUEUED],
        duplicates=progress.duplicates + number[Status.DUPLICATE],
        skipped=progress.skipped + number[Status.SKIPPED],
        suppressed=progress.suppressed + number[Status.SUPPRESSED],
        cancelled=progress.cancelled + number[Status.CANCELLED],
        refused=progress.refused + len(refused),
        errors=(progress.errors + tuple(refused))[:_KEPT_ERRORS],
    )
