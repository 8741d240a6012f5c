"""The test send: one call that finds each thing that can be wrong by its own error."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from notifykit import ChannelPolicy, Lane, Notifier, Recipient, Status
from notifykit.buses.memory import MemoryBus
from notifykit.errors import (
    AddressGoneError,
    ChannelUnavailableError,
    ConfigurationError,
    DeliveryError,
    InvalidAddressError,
    MissingPartError,
    MissingVariablesError,
    NoAddressError,
    OutcomeUnknownError,
    PermanentError,
    RateLimitedError,
    TransientError,
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


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ChannelUnavailableError("down"), Status.FAILED),
        (TransientError("busy"), Status.FAILED),
        (RateLimitedError("wait", retry_after=timedelta(seconds=3)), Status.FAILED),
        (OutcomeUnknownError("lost"), Status.UNKNOWN),
        (PermanentError("no"), Status.FAILED),
        (AddressGoneError("gone"), Status.FAILED),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_each_way_a_delivery_fails_is_its_own_error_with_its_delivery_time_and_is_tried_once(
    notifier: Notifier, channel: ScriptedChannel, error: DeliveryError, status: Status
) -> None:
    channel.script = [error]
    async with notifier:
        receipt = await notifier.test_send("ada", "sms", "hello", {"name": "Ada"})
        assert not any(depth.ready + depth.scheduled + depth.dead for depth in (await notifier.stats()).depths.values())
    assert (receipt.status, receipt.error, receipt.attempt) == (status, error, 1)
    assert receipt.delivery_time_ms is not None
    assert sum(channel.calls.values()) == 1


async def test_what_is_not_sent_at_all_says_why_and_took_no_time(tmp_path: Path, notifier: Notifier, channel: ScriptedChannel) -> None:
    limited = Notifier(
        MemoryBus(), channels={"sms": channel}, templates=tmp_path, find_recipient=find, policies={"sms": ChannelPolicy(limits="1/hour")}
    )
    async with notifier, limited:
        await notifier.suppress("sms", "+1", "complaint")
        suppressed = await notifier.test_send("ada", "sms", "hello", {"name": "Ada"})
        await limited.test_send("ada", "sms", "hello", {"name": "Ada"})
        over = await limited.test_send("ada", "sms", "hello", {"name": "Ada"})
    assert (suppressed.status, suppressed.reason, suppressed.delivery_time_ms) == (Status.SUPPRESSED, "complaint", None)
    assert (over.status, type(over.error), over.delivery_time_ms) == (Status.FAILED, RateLimitedError, None)
    assert len(channel.sent) == 1


async def test_an_id_without_a_way_to_find_its_recipient_is_a_fault_of_the_configuration(tmp_path: Path, notifier: Notifier) -> None:
    async with Notifier(MemoryBus(), channels={"sms": ScriptedChannel()}, templates=tmp_path) as nobody:
        with pytest.raises(ConfigurationError, match="find_recipient"):
            await nobody.test_send("ada", "sms", "hello", {"name": "Ada"})


async def test_a_template_may_name_its_lane(notifier: Notifier) -> None:
    async with notifier:
        await notifier.enqueue("ada", "sale", {"name": "a", "price": "b"})
        await notifier.enqueue("ada", "sale", {"name": "a", "price": "b"}, lane=Lane.TRANSACTIONAL)
        depths = (await notifier.stats()).depths
    assert {lane: depth.ready for (_, lane), depth in depths.items()} == {Lane.CAMPAIGN: 2, Lane.TRANSACTIONAL: 2}
