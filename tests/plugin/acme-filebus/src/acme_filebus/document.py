"""What lies in the folder: one JSON document, replaced whole by a rename."""

import json
import os
from base64 import b64decode, b64encode
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Record:
    """One message. Times are milliseconds; ``place`` is waiting, claimed or dead."""

    envelope: dict[str, Any]
    body: str
    due: int
    expires: int | None
    seq: int
    place: str = "waiting"
    attempts: int = 0
    takeovers: int = 0
    replays: int = 0
    reason: str | None = None
    error: str | None = None
    died: int | None = None
    token: str = ""
    claimed: int = 0
    lease: int = 0
    progress: str = ""

    @property
    def id(self) -> str:
        return str(self.envelope["id"])


@dataclass
class Document:
    """All that is stored; ``version`` changes with every change, ``rings`` when something may have become claimable."""

    version: int = 0
    rings: int = 0
    seq: int = 0
    mark: int = 0
    mark_monotonic: float = 0.0
    records: list[Record] = field(default_factory=list)
    keys: dict[str, list[Any]] = field(default_factory=dict)
    holds: list[list[Any]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)


def load(path: Path) -> Document:
    """Read the document; a new one if there is none."""
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        return Document()
    return Document(**{**value, "records": [Record(**each) for each in value["records"]]})


def save(document: Document, path: Path) -> None:
    """Replace the document: after a crash there is the old one or the new one."""
    temporary = path.with_suffix(".tmp")
    with temporary.open("w") as file:
        json.dump(asdict(document), file, separators=(",", ":"))
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def packed(data: bytes) -> str:
    return b64encode(data).decode()


def unpacked(text: str) -> bytes:
    return b64decode(text)
