"""Where messages go: onto the bus, or into the outbox in the application's own transaction and from there to the bus."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager

import anyio

from notifykit._messages import Message, Receipt, Status
from notifykit._notifier.compose import Skip
from notifykit._notifier.intake import Intake
from notifykit._notifier.tracing import enqueueing
from notifykit._outbox import DBAPIConnection, Outbox
from notifykit.errors import ConfigurationError
from notifykit.events import Tracer

__all__ = ["Relaying"]


class Relaying:
    """What a notifier does with its bus and its outbox."""

    _outbox: Outbox | None
    _intake: Intake
    _tracers: Sequence[Tracer]

    async def relay(self) -> int:
        """Put on the bus what the outbox holds, and return how many messages that were; :meth:`run` does it by itself.

        Raises:
            ConfigurationError: the notifier has no outbox.
            BusError: the bus, or the application's database, cannot be used now; what was not put is kept.
        """
        return await self._known_outbox().relay(self._intake.put)

    async def _enqueue(self, made: Sequence[Message | Skip]) -> list[Receipt]:
        """Put on the bus, and return the receipts of each, in their order."""
        with self._traced(made) as messages:
            receipts = await self._intake.put(messages)
        return [receipt for each in made for receipt in ([self._intake.skipped(each)] if isinstance(each, Skip) else receipts[each.id])]

    def _write(self, connection: DBAPIConnection, made: Sequence[Message | Skip]) -> list[Receipt]:
        """Store in the transaction of *connection*, in the thread that calls, and return the receipts."""
        outbox = self._known_outbox()
        with self._traced(made) as messages:
            outbox.write(connection, messages)
        return [self._intake.skipped(each) if isinstance(each, Skip) else _queued(each) for each in made]

    def _traced(self, made: Sequence[Message | Skip]) -> AbstractContextManager[Sequence[Message]]:
        return enqueueing(self._tracers, [each for each in made if isinstance(each, Message)])

    @asynccontextmanager
    async def _relayed(self) -> AsyncIterator[anyio.Event]:
        """Relay in the background; the event is set when the outbox was found empty."""
        emptied = anyio.Event()
        if self._outbox is None:
            emptied.set()
            yield emptied
            return
        async with anyio.create_task_group() as background:
            background.start_soon(self._outbox.run, self._intake.put, emptied)
            yield emptied
            background.cancel_scope.cancel()

    def _known_outbox(self) -> Outbox:
        if self._outbox is None:
            raise ConfigurationError(
                "this notifier has no outbox: give it outbox=Outbox(connect), with a function that connects to the application's database"
            )
        return self._outbox


def _queued(message: Message) -> Receipt:
    return Receipt(message_id=message.id, channel=message.channel, recipient_id=message.recipient_id, status=Status.QUEUED)
