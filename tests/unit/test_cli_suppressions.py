"""``notifykit suppressions``: list, add and remove, on a real SQLite bus."""

from datetime import UTC, datetime
from pathlib import Path

import anyio
import pytest

from notifykit.errors import AddressGoneError
from tests._cli import Application, command


@pytest.fixture
def application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Application:
    return Application(tmp_path, monkeypatch)


def test_a_gone_address_is_listed_without_being_shown(application: Application) -> None:
    application.bury(AddressGoneError("gone"))
    said = command("suppressions", "list", "--json")
    assert "+420123456789" not in said.out
    entry = said.record
    assert datetime.fromisoformat(entry.pop("since")) <= datetime.now(UTC)
    assert len(entry.pop("fingerprint")) == 32
    assert entry == {"channel": "sms", "recipient_id": "ada", "reason": "gone"}
    assert "ada" in command("suppressions", "list").out
    assert command("suppressions", "list", "--recipient", "bob").out == "there are no suppressions of this sort\n"
    assert command("suppressions", "list", "--channel", "fax", "--json").records == []


def test_an_address_that_is_added_gets_nothing_until_it_is_removed(application: Application) -> None:
    added = command("suppressions", "add", "sms", "+420123456789", "--reason", "complained", "--json")
    assert added.record == {"channel": "sms", "suppressed": True, "reason": "complained"}
    assert command("send", "ada", "sms", "hello", "--var", "name=Ada", "--json").record["status"] == "suppressed"
    removed = command("suppressions", "remove", "sms", "+420123456789", "--json")
    assert removed.record == {"channel": "sms", "suppressed": False, "removed": 1}
    assert command("send", "ada", "sms", "hello", "--var", "name=Ada").code == 0
    assert application.channel.sent == [("+420123456789", "Hello Ada")]


def test_a_recipient_s_entries_are_removed_without_the_address(application: Application) -> None:
    async def unsubscribe() -> None:
        async with application.notifier as notifier:
            await notifier.unsubscribe_recipient("ada", "sms")

    anyio.run(unsubscribe)
    application.bury(AddressGoneError("gone"))
    command("suppressions", "add", "sms", "+1", "--recipient", "bob")
    assert command("suppressions", "remove", "sms", "--recipient", "ada").out == "2 entries were removed: messages on sms go out again\n"
    assert [each["recipient_id"] for each in command("suppressions", "list", "--json").records] == ["bob"]


def test_more_than_a_page_is_listed(application: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("notifykit.cli.suppressions._PAGE", 2)
    for number in range(5):
        command("suppressions", "add", "sms", f"+{number}")
    assert len(command("suppressions", "list", "--json").records) == 5
    assert len(command("suppressions", "list", "--json", "--limit", "3").records) == 3


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["remove", "sms", "+1"], 1, "nothing of this sort is on the list for sms"),
        (["remove", "sms"], 2, "give either ADDRESS or --recipient"),
        (["remove", "sms", "--recipient", ""], 2, "--recipient is empty"),
        (["add", "fax", "+1"], 5, "there is no channel 'fax'; there are: sms"),
        (["add", "sms", "1"], 5, "begins with +"),
        (["add", "sms", "{"], 2, "ADDRESS begins like a JSON object"),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, list) else "",
)
def test_what_is_wrong_is_said(application: Application, arguments: list[str], code: int, says: str) -> None:
    assert command("migrate").code == 0
    said = command("suppressions", *arguments)
    assert (said.code, says in said.err) == (code, True)
