"""The renderer keeps every law in every markup; each is read by a parser that is not ours."""

import json
import sys
from pathlib import Path

import html5lib

from notifykit import Markup
from notifykit.rendering import JinjaRenderer
from notifykit.testing.conformance import Reading, RendererTests

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

from telegram_reader import read as read_telegram


def html(text):
    tree = html5lib.HTMLParser(namespaceHTMLElements=False).parseFragment(text)
    tags = [(each.tag, set(each.attrib)) for each in tree.iter()]
    return Reading("".join(tree.itertext()), tags)


def telegram(text):
    shown = read_telegram(text)
    return Reading(shown.text, [(name, fact) for name, _, fact in shown.entities])


def in_json(text):
    value = json.loads(text)
    return Reading(value["v"].removeprefix("to "), [list(value), value["v"].startswith("to ")])


class TestJinjaRenderer(RendererTests):
    oracles = {**RendererTests.oracles, Markup.HTML: html, Markup.MARKDOWN_V2: telegram, Markup.JSON: in_json}
    frames = {Markup.JSON: '{"v": "@"}'}
    contexts = {
        Markup.HTML: {"bold": "<b>{{ x }}</b>", "attribute": '<i title="{{ x }}">{{ x }}</i>', "filter": "{{ x|bold }}"},
        Markup.MARKDOWN_V2: {
            "bold": "*{{ x }}*",
            "underline in italics": "_i__{{ x }}__i_",
            "spoiler": "||{{ x }}||",
            "filter": "{{ x|bold }}",
            "link": "[{{ x }}](https://shop.example/)",
        },
        Markup.JSON: {"beside a text": "to {{ x }}"},
    }

    def make_renderer(self, files):
        return JinjaRenderer(files)
