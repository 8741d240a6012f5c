"""``notifykit send``: the test send from the command line."""

import json
from pathlib import Path

import pytest

from notifykit.errors import ChannelUnavailableError, PermanentError
from tests._cli import Application, command


@pytest.fixture
def application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Application:
    return Application(tmp_path, monkeypatch)


def test_it_sends_and_prints_the_receipt(application: Application) -> None:
    said = command("send", "ada", "sms", "hello", "--var", "name=Ada", "--json")
    assert said.code == 0
    receipt = said.record
    assert receipt.pop("message_id")
    assert receipt.pop("delivery_time_ms") >= 0
    assert receipt == {
        "channel": "sms",
        "recipient_id": "ada",
        "status": "sent",
        "provider_id": "sms-0",
        "attempt": 1,
        "reason": None,
        "error": None,
    }
    assert application.channel.sent == [("+420123456789", "Hello Ada")]


def test_for_people_it_is_one_sentence_that_shows_no_address(application: Application) -> None:
    said = command("send", "ada", "sms", "hello", "--var", "name=Ada")
    assert said.out.startswith("sent hello to ada on sms in ")
    assert said.out.endswith("the provider's id is sms-0\n")
    assert "+420" not in said.out


def test_an_address_may_be_given_for_somebody_unknown(application: Application) -> None:
    assert command("send", "anybody", "sms", "hello", "--address", "+1", "--locale", "cs", "--var", "name=You").code == 0
    assert application.channel.sent == [("+1", "Hello You")]


@pytest.mark.parametrize(
    "error", [PermanentError("no such number"), ChannelUnavailableError("down")], ids=lambda error: type(error).__name__
)
def test_a_delivery_that_failed_exits_with_1_and_says_why(application: Application, error: Exception) -> None:
    application.channel.script = [error, error]
    said = command("send", "ada", "sms", "hello", "--var", "name=Ada", "--json")
    assert said.code == 1
    assert said.record["status"] == "failed"
    assert said.record["error"] == {"type": type(error).__name__, "message": str(error)}
    assert command("send", "ada", "sms", "hello", "--var", "name=Ada").out == f"not sent (failed): {type(error).__name__}: {error}\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["mallory", "sms", "hello"], "there is no recipient mallory"),
        (["bob", "sms", "hello", "--var", "name=x"], "bob has no address"),
        (["ada", "fax", "hello"], "there is no channel 'fax'; there are: sms"),
        (["ada", "sms", "helo"], "there is no template 'helo'"),
        (["ada", "sms", "hello"], "needs name"),
        (["ada", "sms", "hello", "--address", "x", "--var", "name=x"], "begins with +"),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, list) else "",
)
def test_each_thing_that_can_be_wrong_is_its_own_sentence_and_exits_with_5(
    application: Application, arguments: list[str], says: str
) -> None:
    said = command("send", *arguments)
    assert (said.code, said.out) == (5, "")
    assert says in said.err
    assert application.channel.sent == []


def test_variables_come_as_text_as_json_or_from_a_file(application: Application, tmp_path: Path) -> None:
    application.template("hello/sms.text.j2", "{{ name }} {{ order + 1 }}")
    (tmp_path / "given.json").write_text(json.dumps({"name": "file", "order": 1}))
    command("send", "ada", "sms", "hello", "--variables", '{"name": "json", "order": 1}')
    command("send", "ada", "sms", "hello", "--variables", "@given.json", "--var", "name=a=b")
    assert [text for _, text in application.channel.sent] == ["json 2", "a=b 2"]


@pytest.mark.parametrize(
    "wrong",
    [
        ["--variables", "{"],
        ["--variables", "[1]"],
        ["--variables", "@no.json"],
        ["--var", "name"],
        ["--var", "=x"],
        ["--locale", "cs"],
        ["--address", "{"],
    ],
    ids=" ".join,
)
def test_options_that_mean_nothing_exit_with_2(application: Application, wrong: list[str]) -> None:
    said = command("send", "ada", "sms", "hello", *wrong)
    assert (said.code, said.out) == (2, "")
    assert wrong[0] in said.err


def test_what_is_missing_or_misspelt_is_answered_with_what_to_write(application: Application) -> None:
    said = command("send", "ada", "sms", "hello")
    assert (said.code, said.err) == (5, "notifykit: hello on sms needs name; give each with --var NAME=TEXT\n")
    said = command("send", "ada", "sms", "hello", "--variables", "{name: Ada}")
    assert said.code == 2
    assert "--variables is no JSON: write an object, such as '{\"order\": 81}'" in said.err
    said = command("send", "ada", "sms", "hello", "--var", "name=Ada", "--address", "+420123456789", "--timezone", "Prague")
    assert said.code == 2
    assert "--timezone is no time zone: write its name, such as Europe/Prague" in said.err
    assert not application.channel.sent
