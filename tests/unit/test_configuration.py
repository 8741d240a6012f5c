"""Configuration from the environment and from TOML: one schema, checked as a whole, without a secret in any error."""

import io
import json
import logging
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from notifykit import ChannelPolicy, Notifier, Recipient, Status, UnsubscribeLinks, blocking
from notifykit._configuration.schema import SETTINGS, Kind, environment_name, setting_of, settings_of_variable
from notifykit.errors import ConfigurationError
from notifykit.telemetry.logging import log_events

SECRET = "hunter2-canary"
SMTP = f"smtp+starttls://acme:{SECRET}@mail.example:587?sender=no-reply@acme.example"
LEAST = {"NOTIFYKIT_BUS": "memory://", "NOTIFYKIT_CHANNELS_EMAIL": "console://email"}
EVERYTHING = {
    **LEAST,
    "NOTIFYKIT_CHANNELS_TELEGRAM": f"telegram://123456:{SECRET}@",
    "NOTIFYKIT_ATTACHMENTS": "files",
    "NOTIFYKIT_LEASE": "30",
    "NOTIFYKIT_GRACE": "2.5",
    "NOTIFYKIT_RETRY_MAX_ATTEMPTS": "6",
    "NOTIFYKIT_RETRY_FIRST_DELAY": "2",
    "NOTIFYKIT_RETRY_LONGEST_DELAY": "10",
    "NOTIFYKIT_RETRY_UNKNOWN_CAMPAIGN": "assume_sent",
    "NOTIFYKIT_POLICIES_EMAIL_LIMITS": "100/hour",
    "NOTIFYKIT_POLICIES_EMAIL_ADDRESS_LIMITS": "1/minute",
    "NOTIFYKIT_POLICIES_EMAIL_CONCURRENCY": "3",
    "NOTIFYKIT_POLICIES_EMAIL_SEND_TIMEOUT": "20",
    "NOTIFYKIT_POLICIES_EMAIL_SUPPRESS_GONE": "no",
    "NOTIFYKIT_POLICIES_TELEGRAM_RETRY_MAX_ATTEMPTS": "2",
    "NOTIFYKIT_UNSUBSCRIBE_URL": "https://acme.example/u",
    "NOTIFYKIT_UNSUBSCRIBE_KEY": f"{SECRET}-long-enough",
    "NOTIFYKIT_UNSUBSCRIBE_OLD_KEYS": f"{SECRET}-the-one-before, {SECRET}-the-first-one",
}
TOML = """
bus = "memory://"
attachments = "files"
lease = 30
grace = 2.5

[channels]
email = "console://email"
telegram = {env = "BOT"}

[retry]
max_attempts = 6
first_delay = 2
longest_delay = 10
unknown_campaign = "assume_sent"

[policies.email]
limits = "100/hour"
address_limits = "1/minute"
concurrency = 3
send_timeout = 20
suppress_gone = false

[policies.telegram.retry]
max_attempts = 2

[unsubscribe]
url = "https://acme.example/u"
key = {file = "key.txt"}
old_keys = {env = "OLD_KEYS"}
"""

Make = Callable[..., Notifier]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "files").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def from_toml(text: str, environ: Mapping[str, str] | None = None, **arguments: Any) -> Notifier:
    Path("notify.toml").write_text(text)
    return Notifier.from_toml("notify.toml", environ or {}, **arguments)


def refused(make: Callable[[], object]) -> str:
    with pytest.raises(ConfigurationError) as caught:
        make()
    assert SECRET not in str(caught.value)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    return str(caught.value)


def picture(notifier: Notifier) -> dict[str, Any]:
    policies = notifier._policies
    retry, links = notifier._retry, notifier._links
    assert links is not None
    return {
        "channels": {name: type(each).__name__ for name, each in notifier.channels.items()},
        "times": (notifier._lease, notifier._grace),
        "retry": (retry.max_attempts, retry.unknown_transactional, retry.unknown_campaign),
        "delays": [round(retry.backoff(attempt).total_seconds() / 1.05) for attempt in (1, 2, 3, 9)],
        "email": (policies["email"].limits, policies["email"].address_limits, policies["email"].concurrency),
        "more": (policies["email"].send_timeout, policies["email"].suppress_gone, policies["email"].retry),
        "telegram": policies["telegram"].retry and policies["telegram"].retry.max_attempts,
        "links": (links.url, links.key.reveal(), [each.reveal() for each in links.old_keys]),
    }


def test_the_environment_and_a_file_say_the_same_with_the_same_words() -> None:
    Path("key.txt").write_text(f"{SECRET}-long-enough\n")
    environ = {"BOT": EVERYTHING["NOTIFYKIT_CHANNELS_TELEGRAM"], "OLD_KEYS": EVERYTHING["NOTIFYKIT_UNSUBSCRIBE_OLD_KEYS"]}
    made = picture(Notifier.from_env(EVERYTHING))
    assert made == picture(from_toml(TOML, environ))
    assert made == {
        "channels": {"email": "ConsoleChannel", "telegram": "TelegramChannel"},
        "times": (timedelta(seconds=30), timedelta(seconds=2.5)),
        "retry": (6, "retry", "assume_sent"),
        "delays": [2, 4, 8, 10],
        "email": ("100/hour", "1/minute", 3),
        "more": (timedelta(seconds=20), False, None),
        "telegram": 2,
        "links": ("https://acme.example/u", f"{SECRET}-long-enough", [f"{SECRET}-the-one-before", f"{SECRET}-the-first-one"]),
    }


@pytest.mark.anyio
async def test_what_was_configured_sends(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "a" / "hello").mkdir(parents=True)
    (folder / "a" / "hello" / "email.subject.j2").write_text("Hello")
    (folder / "a" / "hello" / "email.text.j2").write_text("Hello {{ name }}")
    (folder / "b").mkdir()
    environ = {**LEAST, "NOTIFYKIT_BUS": "sqlite:///notify.db", "NOTIFYKIT_TEMPLATES": f"b{os.pathsep}a"}
    async with Notifier.from_env(environ) as notifier:
        (receipt,) = await notifier.send(Recipient("u", {"email": "ada@example.com"}), "hello", {"name": "Ada"})
    assert receipt.status is Status.SENT
    assert "Hello Ada" in capsys.readouterr().out


def test_the_synchronous_front_is_configured_alike() -> None:
    Path("notify.toml").write_text('bus = "memory://"\n[channels]\nemail = "console://email"\n')
    for notifier in (blocking.Notifier.from_env(LEAST), blocking.Notifier.from_toml("notify.toml")):
        with notifier:
            assert notifier.dead_letters() == []


def test_the_process_environment_is_read_and_arguments_win(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**EVERYTHING, "NOTIFYKIT_APP": "app:notifier", "NOTIFYKIT_TEST_REDIS_URL": "redis://localhost"}.items():
        monkeypatch.setenv(name, value)
    assert Notifier.from_env()._grace == timedelta(seconds=2.5)
    mine = Notifier.from_env(grace=timedelta(seconds=1), policies={"email": ChannelPolicy(concurrency=1)}, unsubscribe=None)
    assert (mine._grace, mine._lease, mine._links) == (timedelta(seconds=1), timedelta(seconds=30), None)
    assert mine._policies["email"].concurrency == 1


def test_arguments_may_stand_for_what_has_to_be_there() -> None:
    notifier = Notifier.from_env({"NOTIFYKIT_POLICIES_BOT_CONCURRENCY": "2"}, bus="memory://", channels={"bot": "console://telegram"})
    assert notifier._policies["bot"].concurrency == 2


def test_every_fault_is_named_in_one_error() -> None:
    environ = {
        "NOTIFYKIT_CHANNELS_EMAIL": "smtp+starttls://mail.example",
        "NOTIFYKIT_CHANNELS_FAX": "fax://123",
        "NOTIFYKIT_GRACE": "soon",
        "NOTIFYKIT_LEASE": "-1",
        "NOTIFYKIT_POLICIES_EMAIL_CONCURRENCY": "1000",
        "NOTIFYKIT_POLICIES_EMAIL_LIMITS": "many",
        "NOTIFYKIT_POLICIES_EMIAL_SEND_TIMEOUT": "5",
        "NOTIFYKIT_RETRY_MAX_ATEMPTS": "3",
        "NOTIFYKIT_RETRY_MAX_ATTEMPTS": "0",
        "NOTIFYKIT_RETRY_FIRST_DELAY": "9",
        "NOTIFYKIT_RETRY_LONGEST_DELAY": "3",
        "NOTIFYKIT_UNSUBSCRIBE_URL": "http://acme.example/u",
        "NOTIFYKIT_LOGGING_JSON": "perhaps",
        "NOTIFYKIT_LOGGING_LEVEL": "LOUD",
        "NOTIFYKIT_TEMPLATES": "not/there",
    }
    lines = refused(lambda: Notifier.from_env(environ)).splitlines()
    assert lines[0] == f"the configuration has {len(lines) - 1} faults:"
    for beginning, says in {
        "NOTIFYKIT_RETRY_MAX_ATEMPTS is no setting": "did you mean NOTIFYKIT_RETRY_MAX_ATTEMPTS?",
        "there is no setting for bus": "sqlite:///",
        "NOTIFYKIT_CHANNELS_EMAIL: ": "sender",
        "NOTIFYKIT_CHANNELS_FAX: ": "fax://",
        "NOTIFYKIT_GRACE takes": "a number of seconds above 0",
        "NOTIFYKIT_LEASE takes": "a number of seconds above 0",
        "NOTIFYKIT_POLICIES_EMAIL_CONCURRENCY: ": "1 to 256",
        "NOTIFYKIT_POLICIES_EMAIL_LIMITS: ": "10/hour",
        "NOTIFYKIT_POLICIES_EMIAL_SEND_TIMEOUT is for a channel that is not there": "did you mean email?",
        "NOTIFYKIT_RETRY_MAX_ATTEMPTS: ": "1 to 1000",
        "NOTIFYKIT_RETRY_FIRST_DELAY: ": "cap",
        "unsubscribe links need unsubscribe.key too": "",
        "NOTIFYKIT_LOGGING_JSON takes yes or no": "",
        "NOTIFYKIT_LOGGING_LEVEL takes DEBUG": "",
        "NOTIFYKIT_TEMPLATES names a folder that is not there, or may not be entered": "",
    }.items():
        assert any(line.startswith(f"- {beginning}") and says in line for line in lines), beginning


def test_every_fault_of_a_file_is_named_too() -> None:
    text = """
bus = {env = "NOT_SET"}
templates = 7
gracee = 3
lease = true
[channels]
email = {file = "not-there.txt"}
sms = {url = "console://sms"}
[policies.email]
concurrency = "3"
limit = "1/hour"
[retry]
max_attempts = 1.5
[unsubscribe]
url = "https://acme.example/u"
none = true
[loggings]
json = true
"""
    told = refused(lambda: from_toml('channels = 3\nbus = "memory://"\n'))
    assert "channels in notify.toml is a table: write [channels]" in told
    lines = refused(lambda: from_toml(text)).splitlines()
    for beginning in (
        "bus in notify.toml wants the variable NOT_SET, which is not set",
        "templates in notify.toml takes a folder, or several",
        "gracee in notify.toml is no setting; did you mean grace?",
        "lease in notify.toml takes a number of seconds above 0",
        "the file that channels.email in notify.toml names cannot be read: FileNotFoundError",
        'channels.sms in notify.toml is a value, {env = "NAME"} or {file = "path"}, and no other table',
        "policies.email.concurrency in notify.toml takes a whole number",
        "policies.email.limit in notify.toml is no setting; did you mean limits?",
        "retry.max_attempts in notify.toml takes a whole number",
        "unsubscribe.none in notify.toml says that there are no links",
        "loggings in notify.toml is no setting; did you mean logging?",
    ):
        assert any(line.startswith(f"- {beginning}") for line in lines), beginning


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("bus", f'bus = "redis://:{SECRET}@localhost"'),
        ("channels.email", f'[channels]\nemail = "{SMTP}"'),
        ("channels.telegram", f'[channels]\ntelegram = "telegram://123456:{SECRET}@"'),
        ("channels.telegram", f'[channels]\ntelegram = "telegram:///?token=123456:{SECRET}"'),
        ("channels.hooks", f'[channels]\nhooks = "webhook://?timeout=3&secret=whsec_{SECRET}"'),
        ("channels.push", f'[channels]\npush = "webpush://?private_key={SECRET}&subject=mailto:ops@example.com"'),
        ("unsubscribe.key", f'[unsubscribe]\nkey = "{SECRET}-long-enough"'),
        ("unsubscribe.old_keys", f'[unsubscribe]\nold_keys = ["{SECRET}-long-enough"]'),
    ],
)
def test_a_secret_in_the_file_is_refused_with_what_to_do(key: str, text: str) -> None:
    told = refused(lambda: from_toml(text))
    name = environment_name(key)
    assert (
        f"{key} in notify.toml has a secret in it: put that into the environment or a file of its own, and write "
        f'{key} = {{env = "{name}"}} or {{file = "/run/secrets/…"}}'
    ) in told


def test_a_sender_with_its_address_is_no_secret() -> None:
    text = '[channels]\nemail = "smtp+starttls://mail.example?sender=Acme <no-reply@acme.example>"\npush = "webpush:///key.pem?subject=mailto:a@b.example"\n'
    assert "secret" not in refused(lambda: from_toml(text))  # there is no bus, and no key.pem


def test_a_variable_may_name_a_file_that_has_the_value() -> None:
    Path("smtp").write_text(f"{SMTP}\n")
    environ = {"NOTIFYKIT_BUS": "memory://", "NOTIFYKIT_CHANNELS_EMAIL_FILE": "smtp"}
    assert type(Notifier.from_env(environ).channels["email"]).__name__ == "EmailChannel"
    told = refused(lambda: Notifier.from_env({**environ, "NOTIFYKIT_CHANNELS_EMAIL": SMTP}))
    assert "NOTIFYKIT_CHANNELS_EMAIL_FILE and NOTIFYKIT_CHANNELS_EMAIL say the same thing" in told
    told = refused(lambda: Notifier.from_env({**LEAST, "NOTIFYKIT_UNSUBSCRIBE_KEY_FILE": "gone"}))
    assert "the file that NOTIFYKIT_UNSUBSCRIBE_KEY_FILE names cannot be read: FileNotFoundError" in told


SAYS_ITS_VALUE = ("LIMITS", "UNKNOWN_TRANSACTIONAL", "UNKNOWN_CAMPAIGN")
"""Words of a policy, which show the slip in them, and are no place for a secret."""
VARIABLES = [environment_name(each.path).replace("*", "EMAIL") for each in SETTINGS.values()]


@pytest.mark.parametrize("name", [each for each in VARIABLES if not each.endswith(SAYS_ITS_VALUE)])
def test_no_variable_shows_its_value_where_it_is_wrong(name: str) -> None:
    with_it = {**LEAST, name: f"smtp+starttls://acme:{SECRET}@mail.example:port"}
    if name in ("NOTIFYKIT_BUS", "NOTIFYKIT_CHANNELS_EMAIL", "NOTIFYKIT_UNSUBSCRIBE_NONE") or not name.endswith(("KEY", "KEYS", "URL")):
        assert name in refused(lambda: Notifier.from_env(with_it))
    else:
        assert "unsubscribe" in refused(lambda: Notifier.from_env(with_it))


@pytest.mark.parametrize("text", [f'bus = "{SECRET}', f"bus = {SECRET}", f'bus = "a"\nbus = "{SECRET}"'])
def test_a_file_that_is_no_toml_is_refused_without_its_text(text: str) -> None:
    assert "notify.toml is no TOML (at " in refused(lambda: from_toml(text))


def test_a_file_that_cannot_be_read_says_so() -> None:
    assert refused(lambda: Notifier.from_toml("gone.toml")) == "gone.toml cannot be read: No such file or directory"
    Path("latin.toml").write_bytes(b'bus = "\xe9"')
    assert refused(lambda: Notifier.from_toml("latin.toml")) == "latin.toml cannot be read: it is not UTF-8"
    Path("broken.toml").write_text("bus = ")
    assert refused(lambda: Notifier.from_toml("broken.toml")) == "broken.toml is no TOML (at end of document)"


def test_what_is_there_and_faulty_is_not_called_missing_too() -> None:
    Path("notify.toml").write_text('bus = {env = "GONE"}\n[channels]\nemail = {file = "gone"}\n')
    assert refused(lambda: Notifier.from_toml("notify.toml")).splitlines()[1:] == [
        "- bus in notify.toml wants the variable GONE, which is not set",
        "- the file that channels.email in notify.toml names cannot be read: FileNotFoundError",
    ]
    said = refused(lambda: Notifier.from_env({"NOTIFYKIT_BUS_FILE": "gone", "NOTIFYKIT_CHANNELS_EMAIL": "console://email"}))
    assert said == "the configuration has a fault: the file that NOTIFYKIT_BUS_FILE names cannot be read: FileNotFoundError"


def test_no_links_are_an_explicit_choice() -> None:
    assert Notifier.from_env({**LEAST, "NOTIFYKIT_UNSUBSCRIBE_NONE": "yes"})._composer.bare_campaigns
    assert not Notifier.from_env(LEAST)._composer.bare_campaigns
    links = UnsubscribeLinks("https://acme.example/u", f"{SECRET}-long-enough")
    assert Notifier.from_env(LEAST, unsubscribe=links)._links is links


def test_events_are_logged_unless_observers_are_given_or_logging_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging, "basicConfig", lambda **facts: None)
    assert Notifier.from_env(LEAST)._observers == (log_events,)
    assert Notifier.from_env(LEAST, observers=[print])._observers == (print,)
    assert Notifier.from_env({**LEAST, "NOTIFYKIT_LOGGING_EVENTS": "yes"}, observers=[print, log_events])._observers == (print, log_events)
    assert Notifier.from_env({**LEAST, "NOTIFYKIT_LOGGING_JSON": "yes"})._observers == (log_events,)
    assert Notifier.from_env({**LEAST, "NOTIFYKIT_LOGGING_EVENTS": "yes"}, observers=[print])._observers == (log_events, print)
    assert Notifier.from_env({**LEAST, "NOTIFYKIT_LOGGING_LEVEL": "INFO", "NOTIFYKIT_LOGGING_EVENTS": "no"})._observers == ()


def test_json_lines_are_one_variable_away(folder: Path) -> None:
    code = """
from notifykit import Recipient, blocking
facts = dict(side="buy", symbol="A", quantity=1, price=1, reason="r", order_id=1, occurred_at="now")
with blocking.Notifier.from_env() as notifier:
    notifier.enqueue(Recipient("u", {"email": "ada@example.com"}), "entry_failure", facts, request_id="req-7")
"""
    environ = {**os.environ, **LEAST, "NOTIFYKIT_LOGGING_JSON": "true"}
    done = subprocess.run([sys.executable, "-c", code], env=environ, cwd=folder, capture_output=True, text=True, check=True, timeout=15)
    (line,) = [json.loads(each) for each in io.StringIO(done.stderr)]
    assert (line["event"], line["request_id"], line["level"]) == ("Enqueued", "req-7", "INFO")


@pytest.mark.parametrize("path", SETTINGS)
def test_a_setting_and_its_variable_are_one(path: str) -> None:
    named = path.replace("*", "text_me")
    assert settings_of_variable(environment_name(named)) == named
    assert setting_of(named) is SETTINGS[path]


def test_every_kind_of_setting_is_used() -> None:
    assert {each.kind for each in SETTINGS.values()} == set(Kind)


def test_a_folder_that_cannot_even_be_looked_at_is_a_fault() -> None:
    said = refused(lambda: Notifier.from_env({**LEAST, "NOTIFYKIT_BUS": "memory://", "NOTIFYKIT_TEMPLATES": "x" * 300}))
    assert said == "the configuration has a fault: NOTIFYKIT_TEMPLATES names a folder that is not there, or may not be entered"
