"""The test send: one call that finds each thing that can be wrong by its own error."""

from pathlib import Path
from typing import Any

import pytest

from notifykit import Lane, Notifier, Recipient, Status
from notifykit.buses.memory import MemoryBus
from notifykit.errors import (
    InvalidAddressError,
    MissingPartError,
    MissingVariablesError,
    NoAddressError,
    PermanentError,
    UnknownChannelError,
    UnknownRecipientError,
    UnknownTemplateError,
)
from tests._channel import ScriptedChannel

pytestmark = pytest.mark.anyio

PEOPLE = {"ada": Recipient("ada", {"sms": ["+1", "+2"]}), "bob": Recipient("bob"), "eve": Recipient("eve", {"sms": "none"})}


async def find(recipient_id: str) -> Recipient | None:
    return PEOPLE.get(recipient_id)


@pytest.fixture
def channel() -> ScriptedChannel:
    return ScriptedChannel()


@pytest.fixture
def notifier(tmp_path: Path, channel: ScriptedChannel) -> Notifier:
    for name, text in {"hello": "Hello {{ name }}", "sale": "Sale: {{ name }} {{ price }}"}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "sms.text.j2").write_text(text)
    (tmp_path / "sale" / "template.toml").write_text('lane = "campaign"\n[example]\nname = "Shoes"\nprice = "9.99"\n')
    (tmp_path / "letter").mkdir()
    (tmp_path / "letter" / "email.subject.j2").write_text("A letter")
    return Notifier(MemoryBus(), channels={"sms": channel}, templates=tmp_path, find_recipient=find, unsubscribe=None)


async def test_it_sends_for_real_and_answers_with_the_receipt_and_its_delivery_time(notifier: Notifier, channel: ScriptedChannel) -> None:
    async with notifier:
        receipt = await notifier.test_send("ada", "sms", "hello", {"name": "Ada"})
    assert (receipt.status, receipt.provider_id) == (Status.SENT, "sms-0")
    assert receipt.delivery_time_ms is not None
    assert receipt.delivery_time_ms >= 0
    assert channel.sent == [("+1", "Hello Ada")]


async def test_examples_of_the_template_stand_in_for_missing_variables(notifier: Notifier, channel: ScriptedChannel) -> None:
    async with notifier:
        await notifier.test_send("ada", "sms", "sale", {"price": "1.99"})
    assert channel.sent == [("+1", "Sale: Shoes 1.99")]


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        (("mallory", "sms", "hello", {"name": "x"}), UnknownRecipientError, "mallory"),
        (("ada", "fax", "hello", {"name": "x"}), UnknownChannelError, "there are: sms"),
        (("ada", "sms", "helo", {"name": "x"}), UnknownTemplateError, "hello"),
        (("bob", "sms", "hello", {"name": "x"}), NoAddressError, "bob"),
        (("eve", "sms", "hello", {"name": "x"}), InvalidAddressError, "begins with"),
        (("ada", "sms", "hello", {}), MissingVariablesError, "name"),
        (("ada", "sms", "letter", {}), MissingPartError, "text"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else None,
)
async def test_each_thing_that_can_be_wrong_is_its_own_error(
    notifier: Notifier, channel: ScriptedChannel, arguments: Any, error: type[Exception], says: str
) -> None:
    async with notifier:
        with pytest.raises(error, match=says):
            await notifier.test_send(*arguments)
    assert channel.sent == []


async def test_a_failed_delivery_is_in_the_receipt(notifier: Notifier, channel: ScriptedChannel) -> None:
    channel.script = [PermanentError("no")]
    async with notifier:
        receipt = await notifier.test_send("ada", "sms", "hello", {"name": "Ada"})
    assert receipt.status is Status.FAILED
    with pytest.raises(PermanentError):
        receipt.raise_for_status()


async def test_a_template_may_name_its_lane(notifier: Notifier) -> None:
    async with notifier:
        await notifier.enqueue("ada", "sale", {"name": "a", "price": "b"})
        await notifier.enqueue("ada", "sale", {"name": "a", "price": "b"}, lane=Lane.TRANSACTIONAL)
        depths = (await notifier.stats()).depths
    assert {lane: depth.ready for (_, lane), depth in depths.items()} == {Lane.CAMPAIGN: 2, Lane.TRANSACTIONAL: 2}
