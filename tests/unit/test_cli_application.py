"""How the command line finds the notifier, and what it says when it cannot."""

import json
from pathlib import Path

import pytest

from tests._cli import SOURCE, Application, command


@pytest.fixture
def application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Application:
    return Application(tmp_path, monkeypatch)


def test_the_option_wins_over_the_environment(application: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFYKIT_APP", "no.such:notifier")
    assert command("migrate").code == 3
    assert command("migrate", "--app", application.name).code == 0


@pytest.mark.parametrize(
    ("extra", "path"),
    [
        ("def make():\n    return notifier\n", "make"),
        ("class Container:\n    notifier = notifier\n", "Container.notifier"),
        ("from notifykit.blocking import Notifier as Blocking\nblocking = Blocking(notifier)\n", "blocking"),
    ],
    ids=["a function that makes it", "an attribute of an attribute", "a blocking notifier"],
)
def test_a_notifier_may_be_made_nested_or_blocking(application: Application, extra: str, path: str) -> None:
    application.source(SOURCE + extra)
    assert command("migrate", "--app", f"{application.module}:{path}").code == 0


def test_a_notifier_may_be_made_from_the_environment_or_a_toml_file(application: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFYKIT_APP")
    (application.folder / "notify.toml").write_text(
        f'bus = "sqlite:///{application.folder}/toml.db"\n[channels]\nemail = "console://email"\n'
    )
    assert command("migrate", "--app", "notify.toml").code == 0
    assert (application.folder / "toml.db").exists()
    monkeypatch.setenv("NOTIFYKIT_BUS", f"sqlite:///{application.folder}/env.db")
    monkeypatch.setenv("NOTIFYKIT_CHANNELS_EMAIL", "console://email")
    monkeypatch.setenv("NOTIFYKIT_TRACEBACK", "")
    assert command("migrate").code == 0
    assert (application.folder / "env.db").exists()
    monkeypatch.setenv("NOTIFYKIT_CHANELS_EMAIL", "smtp://ada:s3cret@mail.example")
    said = command("migrate")
    assert (said.code, "NOTIFYKIT_CHANELS_EMAIL" in said.err, "s3cret" in said.err) == (3, True, False)


@pytest.mark.parametrize(
    ("source", "app", "says"),
    [
        ("", "", "no notifier was named: "),
        ("", "app", "'app' names no notifier"),
        ("", "app.notify", "'app.notify' names no notifier"),
        ("", "no_such_module:notifier", "there is no module no_such_module in "),
        ("", "MODULE.sub:notifier", "there is no module MODULE.sub in "),
        (SOURCE, "MODULE:notify", "MODULE has no notify; it has: notifier"),
        ("", "MODULE:notifier", "MODULE has no notifier; it has: no notifier"),
        ("notifier = 7", "MODULE:notifier", "MODULE:notifier is no Notifier but int: name a Notifier, or a function without arguments"),
        ("def make(url): ...", "MODULE:make", "MODULE:make takes arguments: name a Notifier, or a function without arguments"),
        ("", "MODULE.py", "MODULE.py is a file: name its module, as MODULE:notifier"),
        ("", "./app/MODULE.py:made", "./app/MODULE.py is a file: name its module, as app.MODULE:made"),
        ("", "gone.toml", "notifykit: gone.toml cannot be read: No such file or directory"),
        ("import no_such_package", "MODULE:notifier", "MODULE cannot be imported: it needs no_such_package, which is not installed"),
        ("def notifier(:", "MODULE:notifier", "MODULE cannot be imported: a syntax error in FOLDER/MODULE.py line 1"),
        ("import os\n\nos.environ['NO_SUCH']", "MODULE:notifier", "the environment variable NO_SUCH is not set, which is needed in "),
        ("\nraise ValueError('s3cret')", "MODULE:notifier", "ValueError in FOLDER/MODULE.py line 2; --traceback shows all of it"),
        (
            "def notifier():\n    raise ValueError('s3cret')",
            "MODULE:notifier",
            "MODULE:notifier() failed: ValueError in FOLDER/MODULE.py line 2",
        ),
        (
            "from notifykit import Notifier\nnotifier = Notifier('memory://', channels={'email': 'smtp://ada:s3cret@mail.example:x'})",
            "MODULE:notifier",
            "host or port that cannot be read",
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence_with_no_secret_and_exits_with_3(
    application: Application, source: str, app: str, says: str
) -> None:
    application.source(source)
    said = command("migrate", "--app", app.replace("MODULE", application.module))
    assert says.replace("MODULE", application.module).replace("FOLDER", str(application.folder)) in said.err
    assert (said.code, said.out, said.err.count("\n")) == (3, "", 1)
    assert "s3cret" not in said.err


def test_a_wrong_url_names_the_line_of_the_application_that_has_it(application: Application) -> None:
    application.source("from notifykit import Notifier\n\nnotifier = Notifier('sqlite://x', channels={})\n")
    said = command("migrate")
    assert f"(ConfigurationError in {application.folder}/{application.module}.py line 3)" in said.err


def test_a_traceback_is_shown_when_asked_for(application: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    application.source("raise ValueError('why')")
    said = command("--traceback", "migrate")
    assert said.code == 3
    assert "ValueError: why" in said.err
    assert "Traceback" in said.err
    monkeypatch.setenv("NOTIFYKIT_TRACEBACK", "1")
    assert "ValueError: why" in command("migrate").err


def test_with_json_an_error_is_an_object_on_standard_error(application: Application) -> None:
    said = command("migrate", "--json", "--app", "no_such_module:notifier")
    assert (said.code, said.out) == (3, "")
    error = json.loads(said.err)
    assert error.pop("message").startswith("there is no module no_such_module")
    assert error == {"error": "ConfigurationError", "exit_code": 3}


@pytest.mark.parametrize(
    ("words", "kind", "says"),
    [
        (["status", "--intervall", "2", "--json"], "NoSuchOption", "--intervall"),
        (["status", "--json", "--interval", "soon"], "BadParameter", "--interval"),
        (["dead", "show", "--json"], "MissingParameter", "ID"),
        (["dead", "purge", "--json"], "UsageError", "say which ones"),
        (["statsu", "--json"], "UsageError", "No such command"),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, list) else "",
)
def test_with_json_a_wrong_command_line_is_an_object_too(application: Application, words: list[str], kind: str, says: str) -> None:
    said = command(*words)
    error = json.loads(said.err)
    assert (said.code, said.out, error["exit_code"]) == (2, "", 2)
    assert says in error["message"]
    assert error.keys() == {"error", "message", "exit_code"}
    assert command(*[word for word in words if word != "--json"]).err.startswith("Usage: ")
    assert kind in (error["error"], "UsageError")  # newer versions of click have finer kinds


def test_what_comes_behind_two_dashes_asks_for_no_json(application: Application) -> None:
    assert command("dead", "show", "1", "--", "--json").err.startswith("Usage: ")


def test_a_store_that_cannot_be_used_exits_with_4(application: Application) -> None:
    (application.folder / "notify.db").write_bytes(b"this is no database, but a text of some length " * 20)
    said = command("status")
    assert (said.code, said.out, said.err.count("\n")) == (4, "", 1)


def test_what_nobody_foresaw_is_said_without_its_text_and_exits_with_70(application: Application) -> None:
    application.source(SOURCE.replace("return PEOPLE.get(id)", "raise RuntimeError('s3cret')"))
    said = command("send", "ada", "sms", "hello", "--var", "name=Ada")
    assert (said.code, said.err.count("\n")) == (70, 1)
    assert f"RuntimeError in {application.folder}/{application.module}.py line" in said.err
    assert "s3cret" not in said.err


def test_an_interrupted_command_exits_with_130(application: Application) -> None:
    application.source(SOURCE.replace("return PEOPLE.get(id)", "raise KeyboardInterrupt"))
    said = command("send", "ada", "sms", "hello", "--var", "name=Ada")
    assert (said.code, said.out, said.err) == (130, "", "")
