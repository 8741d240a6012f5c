"""``notifykit campaign``: a file of people, streamed onto the queue, again and again without doubling anything."""

import json
from pathlib import Path
from typing import Any

import pytest

from notifykit import Recipient
from notifykit.cli.failures import InputError
from notifykit.cli.people import read_people
from tests._cli import Application, command

COUNTED = {"enqueued": 0, "duplicates": 0, "skipped": 0, "suppressed": 0, "cancelled": 0, "refused": 0, "errors": []}


@pytest.fixture
def application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Application:
    return Application(tmp_path, monkeypatch)


def people(number: int) -> str:
    return "id,sms,name\n" + "".join(f"user:{n},+{n},Name {n}\n" for n in range(number))


def record(number: int, **counted: Any) -> dict[str, Any]:
    return {"group": "june", "done": True, "skip": number, "recipients": number, **COUNTED, **counted}


def test_everybody_in_a_csv_is_enqueued_on_the_campaign_lane(application: Application) -> None:
    Path("people.csv").write_text(people(1234))
    assert command("campaign", "june", "hello", "people.csv", "--json").record == record(1234, enqueued=1234)
    (lane,) = (each for each in command("status", "--json").record["lanes"] if each["ready"])
    assert (lane["lane"], lane["ready"]) == ("campaign", 1234)


def test_running_it_again_resumes_and_doubles_nothing(application: Application) -> None:
    Path("people.csv").write_text(people(3))
    command("campaign", "june", "hello", "people.csv")
    Path("people.csv").write_text(people(5))
    said = command("campaign", "june", "hello", "people.csv")
    assert (said.code, said.out) == (0, "5 recipients: 2 enqueued, 3 there already\n")
    application.drain()
    assert sorted(application.channel.sent) == [(f"+{n}", f"Hello Name {n}") for n in range(5)]


def test_a_line_that_cannot_be_read_stops_it_and_says_how_to_go_on(application: Application) -> None:
    Path("people.csv").write_text(people(4) + "user:5,+5\n")
    said = command("campaign", "june", "hello", "people.csv", "--batch-size", "3", "--json")
    assert said.code == 5
    assert said.record == {**record(3, enqueued=3), "done": False}
    stopped, why = said.err.splitlines()
    assert stopped == "notifykit: stopped after 3 recipients; run it again to go on, within 24 hours or with --skip 3"
    assert json.loads(why)["message"] == "line 6 has 2 columns, and the header has 3"
    Path("people.csv").write_text(people(6))
    assert command("campaign", "june", "hello", "people.csv", "--skip", "3", "--json").record == {**record(3, enqueued=3), "skip": 6}


def test_people_for_whom_no_message_can_be_made_are_listed_and_do_not_stop_it(application: Application) -> None:
    Path("people.csv").write_text("id,sms,name\nada,+1,Ada\neve,1,Eve\nbob,,Bob\n")
    said = command("campaign", "june", "hello", "people.csv", "--json")
    assert said.code == 1
    assert [(each["recipient_id"], each["type"]) for each in said.record["errors"]] == [
        ("eve", "InvalidAddressError"),
        ("bob", "NoAddressError"),
    ]
    assert (said.record["enqueued"], said.record["refused"]) == (1, 2)
    assert (
        "refused eve: InvalidAddressError: recipient eve, channel sms: a telephone number begins with +"
        in command("campaign", "june", "hello", "people.csv").out
    )


def test_ids_alone_stand_for_those_whom_the_application_knows(application: Application) -> None:
    Path("people.jsonl").write_text('"ada"\n{"id": "ada"}\n')
    said = command("campaign", "june", "hello", "people.jsonl", "--var", "name=all", "--json")
    assert said.record == record(2, enqueued=1, duplicates=1)


def test_standard_input_needs_its_format_said(application: Application) -> None:
    said = command("campaign", "june", "hello", "-", given=people(2))
    assert (said.code, "--format" in said.err) == (2, True)
    assert command("campaign", "june", "hello", "-", "--format", "csv", "--json", given=people(2)).record == record(2, enqueued=2)


def test_an_unknown_template_and_channel_enqueue_nothing(application: Application) -> None:
    Path("people.csv").write_text(people(2))
    assert command("campaign", "june", "helo", "people.csv").code == 5
    assert command("campaign", "june", "hello", "people.csv", "--via", "fax").code == 5
    assert command("campaign", "june", "hello", "people.csv", "--via", "sms").code == 0
    assert command("campaign", "june", "hello", "no.csv").code == 2


def test_csv_columns_are_addresses_language_zone_and_variables(application: Application) -> None:
    lines = [
        b"\xef\xbb\xbf id ,sms,locale,timezone,name,city\r\n",
        b'1,+1,cs,Europe/Prague,"Ada, ""A"" ',
        b'L.",Brno\r\n',
        b"\r\n",
        b"2,,,,,\r\n",
    ]
    assert list(read_people(lines, "csv", application.notifier)) == [
        Recipient("1", {"sms": "+1"}, "cs", "Europe/Prague", {"name": 'Ada, "A" L.', "city": "Brno"}),
        "2",
    ]


def test_json_lines_have_the_fields_of_a_recipient(application: Application) -> None:
    lines = [b'{"id": "1", "addresses": {"sms": ["+1", "+2"]}, "locale": "cs", "timezone": null, "variables": {"n": 1}}\n', b"\n", b'"2"']
    assert list(read_people(lines, "jsonl", application.notifier)) == [
        Recipient("1", {"sms": ["+1", "+2"]}, "cs", None, {"n": 1}),
        "2",
    ]


@pytest.mark.parametrize(
    ("form", "text", "says"),
    [
        ("csv", b"name,sms\n", "one of them must be id"),
        ("csv", b"id,sms,sms\n", "names sms twice"),
        ("csv", b"id,sms\n,+1\n", "line 2 has no id"),
        ("csv", b'id,sms\n1,"+1" x\n', "line 2 is no CSV"),
        ("csv", b"id,sms\n1,\xff\n", "line 2 is not UTF-8"),
        ("jsonl", b'{"id": "1"', "line 1 is no recipient"),
        ("jsonl", b'"1"\n{"id": 1}', "line 2 is no recipient"),
        ("jsonl", b'{"id": "1", "address": {}}', "line 1 is no recipient"),
        ("jsonl", b'{"id": "1", "addresses": ["+1"]}', "line 1 is no recipient"),
        ("jsonl", b'{"id": "1", "locale": 7}', "line 1 is no recipient"),
        ("jsonl", b"[]", "line 1 is no recipient"),
    ],
)
def test_a_wrong_line_is_named_and_nothing_of_it_is_shown(application: Application, form: str, text: bytes, says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        list(read_people(text.splitlines(keepends=True), form, application.notifier))
    assert "+1" not in str(caught.value)


def test_nothing_is_said_about_going_on_where_nothing_was_done(application: Application) -> None:
    Path("people.csv").write_text("id,sms,name\nada,+1\n")
    said = command("campaign", "june", "hello", "people.csv")
    assert (said.code, said.err) == (5, "notifykit: line 2 has 2 columns, and the header has 3\n")
