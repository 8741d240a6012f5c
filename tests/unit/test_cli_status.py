"""``notifykit status``: what it counts, for people and for scripts."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from notifykit import Lane, Recipient
from notifykit.cli.output import visible
from notifykit.cli.records import age
from notifykit.cli.status import Look
from notifykit.errors import AddressGoneError, PermanentError
from tests._cli import Application, command


@pytest.fixture
def application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Application:
    return Application(tmp_path, monkeypatch)


def test_the_record_counts_each_lane_and_the_dead_by_reason(application: Application) -> None:
    application.bury(PermanentError("no"), PermanentError("no"), AddressGoneError("gone"), group="june")
    application.enqueue(Recipient("eve", {"sms": "+7"}), delay=timedelta(hours=1))
    said = command("status", "--json")
    assert said.code == 0
    (lane,) = (each for each in said.record["lanes"] if each["lane"] == "transactional")
    counters = lane.pop("counters")
    assert lane == {
        "channel": "sms",
        "lane": "transactional",
        "ready": 0,
        "scheduled": 1,
        "claimed": 0,
        "dead": 3,
        "oldest_ready_seconds": None,
        "dead_by_reason": {"rejected": 2, "address_gone": 1},
        "delivered_per_second": None,
    }
    assert (counters["enqueued"], counters["died"], counters["acked"]) == (4, 3, 0)
    assert said.record["groups"]["june"]["dead"] == 3


def test_the_age_of_what_has_been_ready_longest_is_there(application: Application) -> None:
    application.enqueue("ada", "ada")
    (lane,) = (each for each in command("status", "--json").record["lanes"] if each["ready"])
    assert lane["ready"] == 2
    assert 0 <= lane["oldest_ready_seconds"] < 3600


def test_a_table_for_people_has_a_line_for_each_lane_that_was_used(application: Application) -> None:
    assert command("migrate").code == 0
    assert command("status").out == "nothing was ever enqueued here\n"
    application.bury(PermanentError("no"))
    application.enqueue("ada")
    header, *rest = command("status").out.splitlines()
    assert header.split() == ["channel", "lane", "ready", "oldest", "scheduled", "sending", "dead", "delivered", "retried", "per", "second"]
    lane, dead, *_ = rest
    assert lane.split()[:3] == ["sms", "transactional", "1"]
    assert dead == "dead on sms transactional: 1 rejected"


def test_a_hold_says_until_when_and_why(application: Application) -> None:
    application.enqueue("ada")
    application.hold()
    assert "held: sms until 2999-01-01 12:30:00 UTC, because: unavailable" in command("status").out
    assert command("status", "--json").record["holds"] == [
        {"channel": "sms", "lane": None, "until": "2999-01-01T12:30:00.000+00:00", "reason": "unavailable"}
    ]


@pytest.mark.anyio
async def test_rates_are_what_was_delivered_between_two_looks(application: Application) -> None:
    async with application.notifier as notifier:
        look = Look(notifier)
        for name in ("Ada", "Eve", "Joe"):
            await notifier.enqueue("ada", "hello", {"name": name})
        await look.again()
        assert look.rates == {}
        await notifier.drain()
        await look.again()
        assert look.rates[("sms", Lane.TRANSACTIONAL)] > 0
        await look.again()
        assert look.rates[("sms", Lane.TRANSACTIONAL)] == 0


def test_rates_are_there_when_asked_for(application: Application) -> None:
    application.enqueue("ada")
    (lane,) = (each for each in command("status", "--rates", "--interval", "0.1", "--json").record["lanes"] if each["ready"])
    assert lane["delivered_per_second"] == 0


@pytest.mark.parametrize(
    "words",
    [
        ["status"],
        ["status", "--watch"],
        ["campaigns", "list"],
        ["campaigns", "pause", "june"],
        ["dead", "list"],
        ["dead", "show", "1"],
        ["dead", "replay", "--all"],
        ["dead", "purge", "--all", "--yes"],
        ["suppressions", "list"],
        ["suppressions", "remove", "sms", "+1"],
    ],
    ids=" ".join,
)
def test_a_queue_that_is_not_there_is_not_made_by_looking_at_it(application: Application, words: list[str]) -> None:
    file = application.folder / "notify.db"
    said = command(*words)
    assert (said.code, said.out) == (3, "")
    assert said.err.startswith(f"notifykit: there is no queue in {file}: look whether this is the right folder")
    assert json.loads(command(*words, "--json").err)["error"] == "ConfigurationError"
    assert not file.exists()
    assert command("migrate").code == 0
    assert file.exists()


def test_ages_have_two_units_at_most() -> None:
    assert [age(timedelta(seconds=seconds)) for seconds in (0, 61, 3600, 90_000)] == ["0s", "1m 01s", "1h 00m", "1d 01h"]


def test_control_characters_are_shown_and_not_obeyed() -> None:
    assert visible("a\x1b[2Jb\r") == "a\\x1b[2Jb\\r"
