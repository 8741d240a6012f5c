"""The three messages that notifykit brings along: on every channel, for both sides, valid whatever the values are."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import html5lib
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from telegram_reader import read

from notifykit._messages import Content, Lane, Markup, Part
from notifykit.errors import MissingVariablesError
from notifykit.rendering import JinjaRenderer

PARTS = {
    "email": {"subject": Part(Markup.LINE), "html": Part(Markup.HTML, required=False), "text": Part(Markup.TEXT, required=False)},
    "telegram": {"text": Part(Markup.MARKDOWN_V2)},
    "push": {"json": Part(Markup.JSON)},
}
TEMPLATES = ["entry_failure", "stop_loss_failure", "take_profit_failure"]
VALUES: dict[str, Any] = {
    "side": "buy",
    "symbol": "BTC-USD",
    "quantity": Decimal("0.75"),
    "price": "64250.50",
    "reason": "Margin <too> low (needs 5.00)!",
    "order_id": "ord_7f3a-2291",
    "occurred_at": datetime(2026, 3, 1, 14, 5, 12, tzinfo=UTC),
}
LINKED = {
    "url": "https://trade.example.com/o/1?a=1&b=2",
    "icon": "https://trade.example.com/i.png",
    "badge": "https://trade.example.com/b.png",
}
RENDERER = JinjaRenderer()

every = pytest.mark.parametrize("template", TEMPLATES)
both_sides = pytest.mark.parametrize("side", ["buy", "sell"])


def render(template: str, kind: str, **changes: Any) -> Content:
    return RENDERER.render(template, kind, PARTS[kind], {**VALUES, **changes}, locale="en", timezone="Europe/Prague")


def words_of(html: str) -> str:
    """Return the text of *html* that people see; raise where it is not valid."""
    tree = html5lib.HTMLParser(tree=html5lib.getTreeBuilder("etree"), strict=True, namespaceHTMLElements=False).parse(html)
    body = tree.find("body")
    assert body is not None
    return " ".join("".join(body.itertext()).split())


@every
def test_each_is_there_for_all_three_channels_and_describes_itself(template: str) -> None:
    assert RENDERER.kinds(template) == {"email", "telegram", "push"}
    about = RENDERER.describe(template)
    assert about.description
    assert about.lane is Lane.TRANSACTIONAL
    for kind, parts in PARTS.items():
        found = RENDERER.variables(template, kind, parts)
        assert found.required == set(VALUES)
        assert found.optional <= {"url", "icon", "badge"}
        RENDERER.render(template, kind, parts, about.example)


@every
@pytest.mark.parametrize("kind", PARTS)
def test_all_missing_variables_are_named(template: str, kind: str) -> None:
    with pytest.raises(MissingVariablesError) as caught:
        RENDERER.check(template, kind, PARTS[kind], {"side": "buy"})
    assert caught.value.variables == ("occurred_at", "order_id", "price", "quantity", "reason", "symbol")


CONSEQUENCES = {
    ("entry_failure", "buy"): ("entry order to buy", "No long position was opened."),
    ("entry_failure", "sell"): ("entry order to sell", "No short position was opened."),
    ("stop_loss_failure", "buy"): ("stop-loss order to buy", "Your short position is open without protection."),
    ("stop_loss_failure", "sell"): ("stop-loss order to sell", "Your long position is open without protection."),
    ("take_profit_failure", "buy"): ("take-profit order to buy", "Your short position is still open and its profit not taken."),
    ("take_profit_failure", "sell"): ("take-profit order to sell", "Your long position is still open and its profit not taken."),
}


@every
@both_sides
@pytest.mark.parametrize("linked", [LINKED, {}], ids=["linked", "unlinked"])
def test_every_channel_tells_the_same_facts(template: str, side: str, linked: dict[str, str]) -> None:
    email, telegram, push = (render(template, kind, side=side, **linked) for kind in PARTS)
    shown = read(telegram["text"])
    payload = json.loads(push["json"])
    notification = payload["notification"]
    texts = [words_of(email["html"]), " ".join(email["text"].split()), " ".join(shown.text.split()), notification["body"]]
    for text in texts:
        for fact in CONSEQUENCES[template, side]:
            assert fact in text
        assert "0.75 BTC-USD at 64,250.50" in text
        assert VALUES["reason"] in text
    for text in texts[:3]:
        assert "ord_7f3a-2291" in text
        assert "Mar 1, 2026, 3:05\u202fPM CET" in text or "Mar 1, 2026, 3:05 PM CET" in text or "2026-03-01 15:05 CET" in text
    assert payload["web_push"] == 8030
    assert notification["title"] == email["subject"]
    assert notification["tag"] == f"{template}:ord_7f3a-2291"
    assert notification["data"]["order_id"] == "ord_7f3a-2291"
    assert notification["data"]["side"] == side
    assert {name: notification.get(name) for name in ("navigate", "icon", "badge")} == {
        "navigate": linked.get("url"),
        "icon": linked.get("icon"),
        "badge": linked.get("badge"),
    }
    assert ("url" in notification["data"]) == bool(linked)
    assert [entity for entity in shown.entities if entity[0] == "TextUrl"] == (
        [("TextUrl", "Open the order", linked["url"])] if linked else []
    )
    assert ('href="https://trade.example.com/o/1?a=1&amp;b=2"' in email["html"]) == bool(linked)


@every
def test_the_look_is_as_it_was_agreed(template: str) -> None:
    html = render(template, "email", **LINKED)["html"]
    for needed in ("prefers-color-scheme: dark", 'role="presentation"', 'name="viewport"', 'scope="row"', "max-width:100%"):
        assert needed in html
    assert "<script" not in html
    assert "src=" not in html
    shown = read(render(template, "telegram", **LINKED)["text"])
    assert {entity[0] for entity in shown.entities} == {"Bold", "Italic", "Code", "TextUrl"}
    assert len(json.dumps(json.loads(render(template, "push", **LINKED)["json"])).encode()) < 2000


HOSTILE = (
    st.text(st.sampled_from("<>&'\"/_*[]()~`#+-=|{}.!\\ab%\n\t\x00\u2028é😀"))
    | st.text()
    | st.sampled_from(["<script>", "*a_", "]]>", "--><b>"])
)


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_any_values_give_valid_content_on_every_channel(data: st.DataObject) -> None:
    values = {
        name: data.draw(HOSTILE) for name in ("symbol", "quantity", "price", "reason", "order_id", "occurred_at", "url", "icon", "badge")
    }
    side = data.draw(st.sampled_from(["buy", "sell", ""]) | HOSTILE)
    for template in TEMPLATES:
        email, telegram, push = (render(template, kind, side=side, **values) for kind in PARTS)
        words_of(email["html"])
        assert "\n" not in email["subject"]
        assert "\x00" not in email["text"]
        read(telegram["text"])
        assert json.loads(push["json"])["notification"]["data"]["side"] == side.encode("utf-16", "surrogatepass").decode(
            "utf-16", "replace"
        )
        assert email == render(template, "email", side=side, **values)


@every
def test_an_application_overrides_one_block_of_a_built_in_message(template: str) -> None:
    mine = JinjaRenderer({f"{template}/email.html.j2": "{% extends 'email.html.j2' %}{% block lang %}cs{% endblock %}"})
    html = mine.render(template, "email", PARTS["email"], VALUES)["html"]
    assert '<html lang="cs">' in html
    assert CONSEQUENCES[template, "buy"][1] in words_of(html)
