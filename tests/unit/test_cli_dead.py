"""``notifykit dead``: list, show, replay and purge, on a real SQLite bus."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from notifykit.errors import AddressGoneError, AddressMovedError, PermanentError
from tests._cli import Application, command


@pytest.fixture
def application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Application:
    return Application(tmp_path, monkeypatch)


def test_dead_letters_are_listed_oldest_first_one_object_a_line(application: Application) -> None:
    ids = application.bury(PermanentError("no such number"), PermanentError("no"), group="june")
    said = command("dead", "list", "--json")
    assert said.code == 0
    assert [each["id"] for each in said.records] == ids
    first = said.records[0]
    assert datetime.fromisoformat(first.pop("died_at")) <= datetime.now(UTC)
    assert first == {
        "id": ids[0],
        "channel": "sms",
        "lane": "transactional",
        "recipient_id": "ada",
        "template": "hello",
        "reason": "rejected",
        "error": first["error"],
        "attempts": 1,
        "replays": 0,
    }
    assert "no such number" in first["error"]


def test_a_table_for_people_names_each_dead_letter(application: Application) -> None:
    (dead,) = application.bury(PermanentError("no"))
    table = command("dead", "list").out
    assert table.splitlines()[0].split() == ["died", "(UTC)", "id", "channel", "template", "recipient", "reason", "attempts"]
    assert dead in table
    assert "rejected" in table


def test_no_dead_letters_is_an_answer_and_no_failure(application: Application) -> None:
    assert command("migrate").code == 0
    assert command("dead", "list").out == "there are no dead letters of this sort\n"
    said = command("dead", "list", "--json")
    assert (said.code, said.out) == (0, "")


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ([], 3),
        (["--limit", "2"], 2),
        (["--reason", "rejected"], 2),
        (["--reason", "address_gone"], 1),
        (["--channel", "sms"], 3),
        (["--channel", "fax"], 0),
        (["--lane", "campaign"], 0),
        (["--template", "hello"], 3),
        (["--group", "june"], 3),
        (["--group", "july"], 0),
        (["--recipient", "ada"], 3),
        (["--recipient", "bob"], 0),
        (["--since", "1h"], 3),
        (["--since", "2999-01-01"], 0),
        (["--until", "2999-01-01T00:00+02:00"], 3),
        (["--until", "1d"], 0),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, list) else "",
)
def test_filters_restrict_the_list(application: Application, options: list[str], found: int) -> None:
    application.bury(PermanentError("no"), PermanentError("no"), AddressGoneError("gone"), group="june")
    assert len(command("dead", "list", "--json", *options).records) == found


def test_more_dead_letters_than_a_page_are_all_listed_and_all_changed(application: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("notifykit.cli.dead._PAGE", 2)
    ids = application.bury(*(PermanentError("no") for _ in range(5)))
    assert [each["id"] for each in command("dead", "list", "--json").records] == ids
    assert command("dead", "replay", "--all", "--json").record["ids"] == ids


def test_showing_one_hides_personal_data_unless_asked(application: Application) -> None:
    (dead,) = application.bury(PermanentError("no"))
    hidden = command("dead", "show", dead, "--json")
    assert "+420123456789" not in hidden.out
    assert hidden.record["message"]["address"] == "…89"
    assert hidden.record["message"]["variables"] == {"name": "…"}
    shown = command("dead", "show", dead, "--json", "--reveal").record
    assert shown["message"]["address"] == "+420123456789"
    assert shown["message"]["variables"] == {"name": "ada"}
    assert "+420123456789" not in command("dead", "show", dead).out
    assert "name: ada" in command("dead", "show", dead, "--reveal").out


def test_showing_what_is_not_dead_says_so_and_exits_with_1(application: Application) -> None:
    (waiting,) = application.enqueue("ada")
    for unknown in (waiting, "nothing"):
        said = command("dead", "show", unknown)
        assert (said.code, said.out, said.err) == (1, "", f"notifykit: there is no dead letter {unknown}\n")


def test_replay_puts_back_and_the_next_worker_sends(application: Application) -> None:
    first, second = application.bury(PermanentError("no"), PermanentError("no"))
    said = command("dead", "replay", first, "--json")
    assert said.record == {"action": "replay", "dry_run": False, "count": 1, "ids": [first], "refused": []}
    assert [each["id"] for each in command("dead", "list", "--json").records] == [second]
    application.drain()
    assert application.channel.sent == [("+420123456789", "Hello ada")]


def test_what_went_on_to_a_new_address_is_replayed_only_if_it_is_named(application: Application) -> None:
    (moved,) = application.bury(AddressMovedError("moved", new_address="+420999999999"))
    (refused,) = application.bury(PermanentError("no"))
    for chosen, ids in (("--all", [refused]), ("--channel=sms", [refused]), ("--reason=address_moved", [moved]), (moved, [moved])):
        assert command("dead", "replay", chosen, "--dry-run", "--json").record["ids"] == ids
    assert command("dead", "purge", "--all", "--dry-run", "--json").record["ids"] == [moved, refused]


def test_a_dry_run_says_the_same_and_changes_nothing(application: Application) -> None:
    ids = application.bury(PermanentError("no"), PermanentError("no"))
    for verb in ("replay", "purge"):
        assert command("dead", verb, "--all", "--dry-run", "--json").record["ids"] == ids
        assert "2 dead letters would be" in command("dead", verb, "--all", "--dry-run").out
    assert len(command("dead", "list", "--json").records) == 2


def test_a_replay_that_a_live_message_stands_against_is_refused_and_exits_with_1(application: Application) -> None:
    (dead,) = application.bury(PermanentError("no"), idempotency_key="order:1")
    application.enqueue("ada", idempotency_key="order:1")
    said = command("dead", "replay", "--all")
    assert said.code == 1
    assert f"refused, because a live message has the same idempotency key: {dead}" in said.out
    assert len(command("dead", "list", "--json").records) == 1


def test_an_id_that_is_not_dead_is_named(application: Application) -> None:
    (dead,) = application.bury(PermanentError("no"))
    said = command("dead", "replay", dead, "nothing")
    assert said.code == 1
    assert "1 dead letter were put back" not in said.out
    assert "1 dead letter was put back on the queue" in said.out
    assert said.err == "notifykit: no dead letters of this sort: nothing\n"


def test_purge_asks_and_takes_no_for_an_answer(application: Application) -> None:
    ids = application.bury(PermanentError("no"), PermanentError("no"))
    said = command("dead", "purge", "--all", given="n\n")
    assert said.code == 1
    assert said.err.endswith("notifykit: nothing was removed\n")
    assert "Purge 2 dead letters for good? [y/N]:" in said.err
    assert len(command("dead", "list", "--json").records) == 2
    assert command("dead", "purge", "--all", "--json", given="y\n").record["ids"] == ids
    assert command("dead", "list", "--json").records == []


def test_purge_without_a_question_and_by_filter(application: Application) -> None:
    application.bury(PermanentError("no"), AddressGoneError("gone"))
    assert command("dead", "purge", "--yes", "--reason", "address_gone").out == "1 dead letter was removed\n"
    assert [each["reason"] for each in command("dead", "list", "--json").records] == ["rejected"]


def test_purge_without_an_answer_removes_nothing(application: Application) -> None:
    application.bury(PermanentError("no"))
    assert command("dead", "purge", "--all").code == 130
    assert len(command("dead", "list", "--json").records) == 1


@pytest.mark.parametrize("verb", ["replay", "purge"])
def test_all_of_them_must_be_said(application: Application, verb: str) -> None:
    said = command("dead", verb)
    assert said.code == 2
    assert "--all" in said.err


def test_a_time_that_is_none_is_explained(application: Application) -> None:
    said = command("dead", "list", "--since", "yesterday")
    assert said.code == 2
    assert "2026-03-01T12:00" in said.err


def test_times_ago_are_counted_from_now() -> None:
    from notifykit.cli.filters import _Moment

    for text, ago in {
        "90s": timedelta(seconds=90),
        "15m": timedelta(minutes=15),
        "2h": timedelta(hours=2),
        "1w": timedelta(weeks=1),
    }.items():
        assert abs(datetime.now(UTC) - _Moment().convert(text, None, None) - ago) < timedelta(minutes=1)
