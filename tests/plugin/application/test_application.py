"""An application that uses both packages by their URLs, and imports neither."""

import sys

import pytest

from notifykit import Notifier, Recipient
from notifykit.errors import UnknownPluginError
from notifykit.testing import Sandbox

ADA = Recipient("user:42", {"sms": "+1 555 000 1234"})
TEMPLATES = {"order_shipped/sms.text.j2": "Order {{ order }} is on its way"}


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.mark.anyio
async def test_a_channel_and_a_bus_are_found_by_their_schemes(tmp_path):
    assert not {"acme_sms", "acme_filebus"} & set(sys.modules)
    notifier = Notifier(f"files:///{tmp_path}/queue", channels={"sms": "acme-sms://token"}, templates=TEMPLATES)
    async with notifier:
        (receipt,) = await notifier.enqueue(ADA, "order_shipped", {"order": 81})
    assert receipt.status.value == "queued"
    assert (tmp_path / "queue" / "queue.json").is_file()
    with Sandbox(notifier) as sandbox:
        await notifier.enqueue(ADA, "order_shipped", {"order": 82})
        await sandbox.drain()
        sent = sandbox.assert_sent("order_shipped", to=ADA, channel="sms", times=1)
    assert (sent["text"], sent.address) == ("Order 82 is on its way", "+15550001234")


def test_what_is_not_installed_is_told_with_what_is():
    with pytest.raises(UnknownPluginError, match="acme-sms"):
        Notifier("memory://", channels={"sms": "other-sms://token"})
