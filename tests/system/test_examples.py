"""The examples run, and do what they say: on real servers on the loopback, with TLS."""

from pathlib import Path

import pytest

from examples.newsletter import __main__ as newsletter
from examples.shop import __main__ as shop
from examples.shop.application import OrderShipped
from examples.trading_alerts import __main__ as trading_alerts
from notifykit.channels.email import EmailChannel
from notifykit.channels.push import PushChannel
from notifykit.channels.telegram import TelegramChannel
from notifykit.rendering import JinjaRenderer
from notifykit.rendering.checking import check_templates

ROOT = Path(__file__).parents[2]
CHANNELS = {"email": EmailChannel, "telegram": TelegramChannel, "push": PushChannel}


@pytest.mark.anyio
async def test_trading_alerts_reach_every_channel_within_its_limit(tmp_path: Path) -> None:
    outcome = await trading_alerts.perform(tmp_path)
    assert outcome.arrived == {"email": 10, "telegram": 12, "push": 12}
    assert outcome.waiting == {"email": 2, "telegram": 0, "push": 0}
    subjects = {mail.parsed["Subject"] for mail in outcome.servers.mail.mails}
    assert len(subjects) == 3
    texts = {text.text for text in outcome.servers.telegram.texts}
    assert all("Margin *too low* (needs 1_000.00!)" in text for text in texts)
    assert sorted(f"order-{n}" for n in range(12)) == sorted(
        each.content["notification"]["data"]["order_id"] for each in outcome.servers.push.messages
    )


@pytest.mark.anyio
async def test_the_shop_tells_each_customer_once_on_the_first_channel_that_reaches_them(tmp_path: Path) -> None:
    outcome = await shop.perform(tmp_path)
    assert outcome.told == ["email", "push", "telegram"]
    assert outcome.gone == [("jana", "push")]
    (push,), (text,), (mail,) = outcome.servers.push.messages, outcome.servers.telegram.texts, outcome.servers.mail.mails
    assert (push.browser, push.content["notification"]["title"]) == ("Ada's phone", "Order 81 is on its way")
    assert (text.chat_id, text.text) == (815_002, "Objednávku 82 veze U_P_S.")
    assert (mail.recipient, mail.parsed["Subject"]) == ("bob@example.com", "Order 83 is on its way")
    assert "in 2 pieces" in mail.body("html")


def test_the_newsletter_is_unsubscribed_from_by_one_post_and_by_no_get(tmp_path: Path) -> None:
    outcome = newsletter.perform(tmp_path)
    assert (outcome.looked_at, outcome.unsubscribed) == (200, 200)
    everybody = {f"reader{n}@example.com" for n in range(newsletter.READERS)}
    assert sorted(mail.recipient for mail in outcome.first) == sorted(everybody)
    assert sorted(mail.recipient for mail in outcome.second) == sorted(everybody - {"reader7@example.com"})
    assert [each.enqueued for each in outcome.progress] == [50, 49]
    assert [each.suppressed for each in outcome.progress] == [0, 1]


@pytest.mark.parametrize("name", ["shop", "newsletter"])
def test_the_templates_of_an_example_pass_the_check(name: str) -> None:
    renderer = JinjaRenderer(ROOT / "examples" / name / "templates", built_in=False)
    assert check_templates(renderer, CHANNELS, [OrderShipped] if name == "shop" else []) == []


def test_an_example_says_what_came_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    shop.main()
    assert capsys.readouterr().out.splitlines() == [
        "push to Ada's phone: Order 81 is on its way",
        "telegram to 815002: Objednávku 82 veze U_P_S.",
        "e-mail to bob@example.com: Order 83 is on its way",
        "jana's address on push is gone: the shop should forget it",
    ]
