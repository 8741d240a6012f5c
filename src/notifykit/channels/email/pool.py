"""The connections of one event loop: kept open, checked when they have been idle, replaced when they are old."""

import asyncio
import logging
import ssl

from notifykit.abc import Clock
from notifykit.channels.email.connection import Connection, StaleError
from notifykit.channels.email.failover import Failover
from notifykit.channels.email.mime import Mail
from notifykit.channels.email.settings import Security, Settings
from notifykit.errors import ChannelUnavailableError, DeliveryError

__all__ = ["Pool"]

MAILS_PER_CONNECTION = 50
"""Many servers refuse the 101st, some the 51st."""
TRUSTED_IDLE = 8.0
"""Seconds after which a server is asked whether it is still there; some hang up after 10."""

_log = logging.getLogger("notifykit.channels.email")


class Pool:
    """At most ``pool_size`` connections, made when a mail needs them. Belongs to one event loop."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._slots = asyncio.Semaphore(settings.pool_size)
        self._failover = Failover(len(settings.servers))
        self._idle: list[list[Connection]] = [[] for _ in settings.servers]
        self._tls: ssl.SSLContext | None = None
        self._leaving: set[asyncio.Task[None]] = set()
        self._closed = False

    async def send(self, mail: Mail) -> str | None:
        """Send *mail* over a connection that is thought good; return the server's queue id.

        Raises:
            DeliveryError: see the table in ``_replies``.
        """
        async with self._slots:
            while True:
                index, connection = await self._take()
                try:
                    accepted = await connection.deliver(mail)
                except StaleError:  # at most once for each connection that was kept: a new one never is
                    continue
                except DeliveryError:
                    self._give_back(index, connection)
                    raise
                self._give_back(index, connection)
                return accepted

    async def check(self) -> None:
        """Connect to every server, log in and say NOOP.

        Raises:
            ChannelUnavailableError: names the server.
        """
        for server in self._settings.servers:
            try:
                connection = await Connection.open(self._settings, server, await self._context())
                answered = await connection.noop()
            except DeliveryError as error:
                raise ChannelUnavailableError(f"{server}: {error}", code=error.code) from error
            await connection.quit()
            if not answered:
                raise ChannelUnavailableError(f"{server}: the mail server does not answer NOOP")

    async def close(self) -> None:
        """Say goodbye on every idle connection; those in use go when their mail has gone."""
        self._closed = True
        connections = [each for idle in self._idle for each in idle]
        for idle in self._idle:
            idle.clear()
        await asyncio.gather(*(each.quit() for each in connections), *self._leaving)

    async def _take(self) -> tuple[int, Connection]:
        """Return a connection to the best server there is: a kept one that is well, else a new one."""
        errors: list[ChannelUnavailableError] = []
        for index in self._failover.order(self._clock.monotonic()):
            while self._idle[index]:
                connection = self._idle[index].pop()
                if await self._well(connection):
                    return index, connection
            try:
                return index, await self._connect(index)
            except ChannelUnavailableError as error:
                errors.append(error)
        raise _all_failed(errors) from errors[0]

    async def _well(self, connection: Connection) -> bool:
        if not connection.alive:
            return False
        if self._clock.monotonic() - connection.idle_since < TRUSTED_IDLE:
            return True
        try:
            well = await connection.noop()
        except BaseException:
            connection.abort()
            raise
        if not well:
            connection.abort()
        return well

    async def _connect(self, index: int) -> Connection:
        server = self._settings.servers[index]
        self._failover.trying(index, self._clock.monotonic())
        try:
            connection = await Connection.open(self._settings, server, await self._context())
        except ChannelUnavailableError as error:
            self._failover.failed(index, self._clock.monotonic())
            if len(self._settings.servers) > 1:
                _log.warning("mail server %s cannot be used, trying the next: %s", server, error)
            raise
        self._failover.worked(index)
        return connection

    async def _context(self) -> ssl.SSLContext | None:
        """Return the TLS context, read from disk once, in a thread."""
        if self._tls is None and self._settings.security is not Security.NONE:
            try:
                self._tls = await asyncio.to_thread(self._settings.tls_context)
            except OSError as error:
                raise ChannelUnavailableError(
                    f"the trusted certificates cannot be loaded from ca_file: {error.strerror or error}"
                ) from error
        return self._tls

    def _give_back(self, index: int, connection: Connection) -> None:
        if not connection.alive:
            connection.abort()
        elif self._closed or connection.mails >= MAILS_PER_CONNECTION:
            # Not awaited: a cancellation then would lose the outcome of the mail just sent.
            leaving = asyncio.create_task(connection.quit())
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)
        else:
            connection.idle_since = self._clock.monotonic()
            self._idle[index].append(connection)


def _all_failed(errors: list[ChannelUnavailableError]) -> ChannelUnavailableError:
    if len(errors) == 1:
        return ChannelUnavailableError(str(errors[0]), code=errors[0].code)
    told = "; ".join(map(str, errors))
    return ChannelUnavailableError(f"none of the {len(errors)} mail servers can be used: {told}", code=errors[0].code)
