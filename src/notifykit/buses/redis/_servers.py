"""Finding the server that is to be asked now, and connecting to it: alone, behind sentinels, or in a cluster."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from redis import Connection, SSLConnection, exceptions
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.retry import Retry

from notifykit.buses.redis._settings import RedisSettings
from notifykit.errors import ConfigurationError

__all__ = ["Servers", "ask", "cut", "drop", "is_alive"]


def ask(connection: Any, *command: Any) -> Any:
    """Send one command and return its answer."""
    connection.send_packed_command(connection.pack_command(*command), check_health=False)
    return connection.read_response()


class Servers:
    """Knows where the bus's keys are. Used by one thread at a time."""

    def __init__(self, settings: RedisSettings, key: str) -> None:
        self._settings = settings
        self._slot = key_slot(key.encode())
        self._nodes: list[tuple[str, int]] = list(settings.hosts)
        self.hint: tuple[str, int] | None = None
        """Where a cluster said that the keys are."""

    def connect(self, timeout: float | None = None) -> Any:
        """Return a new connection to the primary; answers may take *timeout* seconds.

        Raises: redis.exceptions.RedisError; ConfigurationError for a file of a certificate.
        """
        match self._settings.mode:
            case "single":
                return self._connected(*self._settings.hosts[0], timeout)
            case "sentinel":
                return self._connected(*self._primary(), timeout)
            case "cluster":
                return self._in_cluster(timeout)

    def at(self, host: str, port: int) -> Any:
        """Return a new connection to one server.

        Raises: redis.exceptions.RedisError.
        """
        return self._connected(host, port, None)

    def _connected(self, host: str, port: int, timeout: float | None, sentinel: bool = False) -> Any:
        connection = self._make(host, port, timeout or self._settings.timeout, sentinel)
        try:
            connection.connect()
        except BaseException:
            connection.disconnect()
            raise
        return connection

    def _make(self, host: str, port: int, timeout: float, sentinel: bool) -> Any:
        settings = self._settings
        user, password = (settings.sentinel_user, settings.sentinel_password) if sentinel else (settings.user, settings.password)
        options: dict[str, Any] = {
            "host": host,
            "port": port,
            "db": 0 if sentinel else settings.db,
            "username": user or None,
            "password": password.reveal() or None,
            "socket_timeout": timeout,
            "socket_connect_timeout": settings.timeout,
            "socket_keepalive": True,
            "protocol": 2,
            # By default the client sends a command again after an error: twice, without a word.
            "retry": Retry(NoBackoff(), 0),
        }
        if not settings.tls:
            plain: Any = Connection  # its constructor bears no types
            return plain(**options)
        _check_files(settings)
        return SSLConnection(
            **options,
            ssl_cert_reqs="required",
            ssl_check_hostname=True,
            ssl_ca_certs=settings.tls_ca,
            ssl_certfile=settings.tls_cert,
            ssl_keyfile=settings.tls_key,
        )

    # Sentinel

    def _primary(self) -> tuple[str, int]:
        """Ask one sentinel after the other where the primary is; the one that knew it is asked first next time."""
        last: Exception | None = None
        for node in list(self._nodes):
            try:
                found = self._ask_sentinel(*node)
            except exceptions.RedisError as error:
                last = error
                continue
            if found is not None:
                self._nodes.sort(key=lambda each: each != node)
                return found
        raise exceptions.ConnectionError("no sentinel knows the primary") from last

    def _ask_sentinel(self, host: str, port: int) -> tuple[str, int] | None:
        connection = self._connected(host, port, None, sentinel=True)
        try:
            found = ask(connection, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._settings.service)
        finally:
            connection.disconnect()
        return None if found is None else (found[0].decode(), int(found[1]))

    # Cluster

    def _in_cluster(self, timeout: float | None) -> Any:
        """Ask the nodes that are known who has the slot, and connect to that one."""
        last: Exception | None = None
        for node in self._candidates():
            try:
                connection = self._connected(*node, timeout)
            except exceptions.RedisError as error:
                last = error
                continue
            try:
                owner = self._owner(connection, node)
            except exceptions.RedisError as error:
                connection.disconnect()
                last = error
                continue
            if owner == node:
                return connection
            connection.disconnect()
            try:
                return self._connected(*owner, timeout)
            except exceptions.RedisError as error:
                last = error
        if isinstance(last, exceptions.AuthenticationError | exceptions.NoPermissionError):
            raise last
        raise exceptions.ConnectionError("no node of the cluster leads to the primary of the bus's slot") from last

    def _candidates(self) -> Iterator[tuple[str, int]]:
        hint, self.hint = self.hint, None
        if hint is not None:
            yield hint
        yield from list(dict.fromkeys([*self._nodes, *self._settings.hosts]))

    def _owner(self, connection: Any, node: tuple[str, int]) -> tuple[str, int]:
        """Return the primary of the bus's slot, and learn the other nodes."""
        owner, nodes = None, []
        for first, last, *replicas in ask(connection, "CLUSTER", "SLOTS"):
            named = [((each[0] or b"").decode() or node[0], int(each[1])) for each in replicas]
            nodes += named
            if first <= self._slot <= last:
                owner = named[0]
        if owner is None:
            raise exceptions.ClusterDownError("the bus's slot is not served")
        self._nodes = list(dict.fromkeys(nodes))
        return owner


def _check_files(settings: RedisSettings) -> None:
    """Look at the certificates before they are used: redis-py calls one that cannot be read a server that cannot be reached.

    Raises: ConfigurationError.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if settings.tls_ca is not None:
        with _about("ca"):
            context.load_verify_locations(settings.tls_ca)
    if settings.tls_cert is not None:
        with _about("cert" if settings.tls_key is None else "cert, or that of key,"):
            context.load_cert_chain(settings.tls_cert, settings.tls_key, password="")  # None would ask at the terminal for one


@contextmanager
def _about(option: str) -> Iterator[None]:
    try:
        yield
    except ssl.SSLError:
        raise ConfigurationError(f"the file of {option} holds nothing that TLS can use: it takes PEM, a key without a password") from None
    except OSError as error:
        raise ConfigurationError(f"the file of {option} cannot be read: {error.strerror}") from None


def is_alive(connection: Any) -> bool:
    """Tell whether an idle connection still stands: nothing waits to be read on it, not even its end."""
    try:
        return not connection.can_read(0)
    except (exceptions.RedisError, OSError):
        return False


def drop(connection: Any) -> None:
    """Let go of a connection, or of None. One that a forked child inherited stays its parent's: redis-py ends only what it made there."""
    if connection is not None:
        connection.disconnect()


def cut(connection: Any) -> None:
    """End a connection that another thread may be reading from."""
    sock = connection._sock  # its own disconnect() is not for another thread
    if sock is not None:
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
