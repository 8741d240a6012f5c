"""Telegram's own reading of MarkdownV2: TDLib's parser, offline."""

import json
from typing import Any

import tdjson
from attrs import frozen

tdjson.td_execute(b'{"@type":"setLogVerbosityLevel","new_verbosity_level":0}')


@frozen
class Read:
    """What Telegram shows: a text and its entities, each as (kind, covered text, its URL, language or user)."""

    text: str
    entities: tuple[tuple[str, str, str], ...]
    spans: tuple[tuple[str, int, int], ...]

    def styles(self) -> list[frozenset[str]]:
        """Return the kinds of entity over each UTF-16 unit."""
        styles: list[set[str]] = [set() for _ in range(len(self.text.encode("utf-16-le")) // 2)]
        for name, start, end in self.spans:
            for place in range(start, end):
                styles[place].add(name)
        return [frozenset(each) for each in styles]


def read(markdown: str) -> Read:
    """Parse as MarkdownV2; raise ValueError where Telegram would refuse the message."""
    request = {"@type": "parseTextEntities", "text": markdown, "parse_mode": {"@type": "textParseModeMarkdown", "version": 2}}
    answer: dict[str, Any] = json.loads(tdjson.td_execute(json.dumps(request).encode()))
    if answer["@type"] == "error":
        raise ValueError(answer["message"])
    spans = tuple(
        (each["type"]["@type"].removeprefix("textEntityType"), each["offset"], each["offset"] + each["length"])
        for each in answer["entities"]
    )
    units = answer["text"].encode("utf-16-le")
    facts = [
        str(next((each["type"][key] for key in ("url", "language", "user_id") if key in each["type"]), "")) for each in answer["entities"]
    ]
    covered = [units[2 * start : 2 * end].decode("utf-16-le") for _, start, end in spans]
    return Read(answer["text"], tuple((name, text, fact) for (name, _, _), text, fact in zip(spans, covered, facts, strict=True)), spans)
