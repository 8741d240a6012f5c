"""Recipients out of a file, one line at a time: CSV with a header, or JSON lines."""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from notifykit._messages import Recipient
from notifykit._notifier.notifier import Notifier
from notifykit.cli.failures import InputError
from notifykit.errors import NotifykitError

__all__ = ["read_people"]

_KEYS = {"id", "addresses", "locale", "timezone", "variables"}


def read_people(lines: Iterable[bytes], form: str, notifier: Notifier) -> Iterator[Recipient | str]:
    """Yield a Recipient for each line, or an id alone where the line has nothing else.

    Raises:
        InputError: names the line that cannot be read; shows nothing of it.
    """
    yield from _from_csv(_decoded(lines), notifier) if form == "csv" else _from_json(_decoded(lines))


def _decoded(lines: Iterable[bytes]) -> Iterator[str]:
    for number, line in enumerate(lines, 1):
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            raise InputError(f"line {number} is not UTF-8: save the file in that encoding") from None


def _from_csv(lines: Iterator[str], notifier: Notifier) -> Iterator[Recipient | str]:
    reader = csv.reader(lines, strict=True)
    header: list[str] = []
    kinds = {*notifier.channels, *(channel.kind for channel in notifier.channels.values())}
    while True:
        try:
            row = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            raise InputError(f"line {reader.line_num} is no CSV: {error}") from None
        if not any(row):
            continue
        if not header:
            header = _header(row)
            continue
        if len(row) != len(header):
            raise InputError(f"line {reader.line_num} has {len(row)} columns, and the header has {len(header)}")
        yield _person(dict(zip(header, row, strict=True)), kinds, reader.line_num)


def _header(row: list[str]) -> list[str]:
    header = [name.strip() for name in row]
    if "id" not in header:
        raise InputError("the first line of the CSV names its columns, and one of them must be id")
    if twice := sorted({name for name in header if header.count(name) > 1}):
        raise InputError(f"the header names {', '.join(twice)} twice")
    return header


def _person(cells: Mapping[str, str], kinds: set[str], number: int) -> Recipient | str:
    if not cells["id"]:
        raise InputError(f"line {number} has no id")
    others = {name: text for name, text in cells.items() if name != "id"}
    if not any(others.values()):
        return cells["id"]
    addresses = {name: text for name, text in others.items() if name in kinds and text}
    variables = {name: text for name, text in others.items() if name not in kinds and name not in ("locale", "timezone")}
    return Recipient(cells["id"], addresses, others.get("locale") or None, others.get("timezone") or None, variables)


def _from_json(lines: Iterator[str]) -> Iterator[Recipient | str]:
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield _from_object(json.loads(line))
            except (ValueError, TypeError, NotifykitError):
                raise InputError(
                    f'line {number} is no recipient: write a text, or an object such as {{"id": "7", "addresses": {{"email": …}}}}'
                    f" with the keys {', '.join(sorted(_KEYS))}"
                ) from None


def _from_object(read: Any) -> Recipient | str:
    if isinstance(read, str) and read:
        return read
    if not isinstance(read, dict) or not set(read) <= _KEYS or not isinstance(read.get("id"), str) or not read["id"]:
        raise ValueError
    addresses, variables = read.get("addresses", {}), read.get("variables", {})
    texts = (read.get("locale"), read.get("timezone"))
    if not (isinstance(addresses, dict) and isinstance(variables, dict) and all(each is None or isinstance(each, str) for each in texts)):
        raise ValueError
    if set(read) == {"id"}:
        return str(read["id"])
    return Recipient(read["id"], addresses, *texts, variables)
