"""The worker's log, which is JSON lines, read by the other process while it grows."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["Journal"]


class Journal:
    """Reads on from where it stopped the last time, and keeps what it has read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._lines: list[dict[str, Any]] = []

    def new(self) -> Iterator[dict[str, Any]]:
        """Yield the lines that have come since the last call."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._offset)
            for raw in file:
                if not raw.endswith(b"\n"):
                    return
                self._offset += len(raw)
                self._lines.append(json.loads(raw))
                yield self._lines[-1]

    def of(self, event: str) -> list[dict[str, Any]]:
        """Return the lines of this kind of event, of those that were read."""
        return [each for each in self._lines if each.get("event") == event]
