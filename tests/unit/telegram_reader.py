"""Telegram's own reading of MarkdownV2: TDLib's parser, offline."""

import json
from typing import Any

import tdjson
from attrs import frozen

tdjson.td_execute(b'{"@type":"setLogVerbosityLevel","new_verbosity_level":0}')

_PREFIX = "textEntityType"


@frozen
class Read:
    """What Telegram shows: a text, and per character (UTF-16 unit) the names of its styles."""

    text: str
    entities: tuple[tuple[str, str, str], ...]

    def styles(self) -> list[frozenset[str]]:
        return self._styles

    _styles: list[frozenset[str]]


def read(markdown: str) -> Read:
    """Parse as MarkdownV2; raise ValueError where Telegram would refuse the message."""
    request = {
        "@type": "parseTextEntities",
        "text": markdown,
        "parse_mode": {"@type": "textParseModeMarkdown", "version": 2},
    }
    answer: dict[str, Any] = json.loads(tdjson.td_execute(json.dumps(request).encode()))
    if answer["@type"] == "error":
        raise ValueError(answer["message"])
    units = answer["text"].encode("utf-16-le")
    styles: list[set[str]] = [set() for _ in range(len(units) // 2)]
    entities = []
    for each in answer["entities"]:
        start, end = each["offset"], each["offset"] + each["length"]
        name = each["type"]["@type"].removeprefix(_PREFIX)
        fact = str(each["type"].get("url") or each["type"].get("language") or each["type"].get("user_id") or "")
        entities.append((name, units[2 * start : 2 * end].decode("utf-16-le"), fact))
        for place in range(start, end):
            styles[place].add(name)
    return Read(answer["text"], tuple(entities), [frozenset(each) for each in styles])
