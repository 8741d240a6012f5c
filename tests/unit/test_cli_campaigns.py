"""``notifykit campaigns``: what runs, and holding it up."""

import json
from pathlib import Path

import pytest

from notifykit import Lane
from tests._cli import Application, command


@pytest.fixture
def application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Application:
    return Application(tmp_path, monkeypatch)


def start(application: Application) -> None:
    Path("people.csv").write_text("id,sms,name\n" + "".join(f"{n},+{n},Name\n" for n in range(3)))
    assert command("campaign", "june", "hello", "people.csv", "--rate", "1000/second").code == 0


def test_campaigns_are_listed_with_their_state_and_rate(application: Application) -> None:
    assert command("migrate").code == 0
    assert command("campaigns", "list").out == "no campaign has messages on the queue\n"
    start(application)
    expected = {"group": "june", "state": "running", "rate": "1000/second", "waiting": 3, "sending": 0, "dead": 0}
    assert command("campaigns", "list", "--json").records == [expected]
    assert command("campaigns", "list").out.splitlines()[1].split() == ["june", "running", "1000/second", "3", "0", "0"]


def test_a_paused_campaign_waits_until_it_is_resumed(application: Application) -> None:
    start(application)
    assert command("campaigns", "pause", "june", "--json").record["state"] == "paused"
    application.enqueue("ada", lane=Lane.TRANSACTIONAL)
    assert command("campaigns", "resume", "june").out == "the campaign june is running: 3 waiting, 0 being sent, 0 dead\n"
    application.drain()
    assert len(application.channel.sent) == 4


@pytest.mark.parametrize("action", [["pause"], ["resume"], ["cancel", "--yes"]], ids=lambda words: words[0])
def test_a_campaign_that_nobody_knows_is_not_acted_on(application: Application, action: list[str]) -> None:
    start(application)
    said = command("campaigns", *action, "jun")
    assert (said.code, said.out) == (1, "")
    assert said.err == (
        "notifykit: no message of a campaign 'jun' is here (yet), and nothing was changed; the campaigns here: june."
        " --anyway does it all the same\n"
    )
    assert json.loads(command("campaigns", *action, "jun", "--json").err)["error"] == "NoCampaign"
    assert command("campaigns", "list", "--json").record["state"] == "running"
    assert command("campaigns", *action, "june").code == 0


def test_a_campaign_may_be_paused_before_its_first_message_and_is_known_from_then_on(application: Application) -> None:
    assert command("migrate").code == 0
    assert "the campaigns here: none." in command("campaigns", "pause", "june").err
    assert command("campaigns", "pause", "june", "--anyway", "--json").record["state"] == "paused"
    start(application)
    assert command("campaigns", "resume", "june", "--json").record["state"] == "running"
    assert command("campaigns", "pause", "july", "--anyway").code == 0
    assert command("campaigns", "resume", "july").code == 0
    assert command("campaigns", "resume", "july").code == 1


def test_cancelling_asks_and_takes_what_waits_off_the_queue(application: Application) -> None:
    start(application)
    no = command("campaigns", "cancel", "june", given="n\n")
    assert (no.code, no.err.endswith("notifykit: nothing was cancelled\n")) == (1, True)
    assert command("campaigns", "list", "--json").record["waiting"] == 3
    assert command("campaigns", "cancel", "june", "--json", given="y\n").record == {
        "group": "june",
        "state": "cancelled",
        "rate": "1000/second",
        "waiting": 0,
        "sending": 0,
        "dead": 0,
    }
    said = command("campaign", "june", "hello", "people.csv", "--json")
    assert (said.record["enqueued"], said.record["cancelled"]) == (0, 3)
