"""The commands that look and make: ``check``, ``preview``, ``channels``, ``buses``, ``keys``, ``migrate``, ``demo``."""

import importlib.metadata
import json
import stat
import sys
from pathlib import Path

import apprise  # noqa: F401 - takes long to load: before any test's time runs
import pytest

from notifykit import PushChannel, Secret
from notifykit.channels.push.keys import load_key
from notifykit.errors import ChannelUnavailableError
from tests._cli import SOURCE, Application, alone, command


@pytest.fixture
def application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Application:
    return Application(tmp_path, monkeypatch)


def test_check_finds_nothing_wrong_and_exits_with_0(application: Application) -> None:
    said = alone("check")
    assert (said.code, said.out) == (0, "checked the templates of sms: 0 errors, 0 warnings\n")
    assert alone("check", "--json").records == []


def test_check_finds_a_broken_template_and_exits_with_1(application: Application) -> None:
    application.template("hello/sms.text.j2", "Hello {{ name }")
    said = alone("check", "--json")
    assert said.code == 1
    (finding,) = said.records
    assert (finding["severity"], finding["template"], finding["kind"], finding["part"]) == ("error", "hello", "sms", "text")
    assert "1 errors" in alone("check").out


def test_check_compares_the_notification_classes_of_the_application_with_their_templates(application: Application) -> None:
    application.source(f"{SOURCE}\nfrom attrs import frozen\n\n@frozen\nclass Hello(Notification):\n    nickname: str\n")
    said = alone("check", "--json")
    assert said.code == 1
    assert "class Hello lacks the fields name" in [each["text"] for each in said.records]


def test_warnings_fail_only_when_strict(application: Application) -> None:
    application.template("hello/sms.txt.j2", "stray")
    assert alone("check").code == 0
    assert alone("check", "--strict").code == 1


def test_check_connects_each_channel_and_one_that_fails_hides_no_other(application: Application) -> None:
    application.source(
        SOURCE.replace("ScriptedChannel()", "Down()", 1)
        .replace("channel = ", "from notifykit.errors import ChannelUnavailableError\n\nclass Down(ScriptedChannel):\n"
                 "    async def check(self):\n        raise ChannelUnavailableError('refused')\n\nchannel = ", 1)
        .replace('{"sms": channel}', '{"sms": channel, "ok": ScriptedChannel(), "sms2": channel}')
    )  # fmt: skip
    assert alone("check").code == 0
    said = alone("check", "--connect", "--json")
    assert said.code == 1
    assert [(each["channel"], each["text"]) for each in said.records] == [
        ("sms", "the channel sms cannot be used: refused"),
        ("sms2", "the channel sms2 cannot be used: refused"),
    ]
    assert str(ChannelUnavailableError("refused")) == "refused"


def test_preview_writes_the_page_and_opens_it_unless_told_not_to(application: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("click.launch", opened.append)
    said = command("preview", "hello", "--out", "gallery", "--no-open", "--json")
    page = Path(said.record["page"])
    assert page == application.folder / "gallery" / "index.html"
    assert "hello" in page.read_text()
    assert "entry_failure" not in page.read_text()
    assert opened == []
    assert command("preview", "--out", "gallery").out == f"{page}\n"
    assert opened == [page.as_uri()]
    assert "entry_failure" in page.read_text()
    assert command("preview", "no_such", "--no-open").code == 5


def test_every_installed_plug_in_is_listed_with_its_package(application: Application) -> None:
    channels = {each["scheme"]: each for each in command("channels", "--json").records}
    assert {"console", "file", "smtp", "telegram", "webpush"} <= channels.keys()
    assert channels["telegram"] == {
        "scheme": "telegram",
        "package": "notifykit",
        "version": importlib.metadata.version("notifykit"),
        "class": "notifykit.channels.telegram:TelegramChannel [telegram]",
        "kind": "telegram",
        "state": "ok",
        "error": None,
    }
    assert {"memory", "sqlite", "redis", "valkey+cluster"} <= {each["scheme"] for each in command("buses", "--json").records}
    assert "telegram://" in command("channels").out


def install(folder: Path, name: str, entry_points: str, **files: str) -> None:
    """Put a package with a plug-in where Python looks for packages."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\nProvides-Extra: fax\nRequires-Dist: no-such-package; extra == 'fax'\n"
    )
    (info / "entry_points.txt").write_text(entry_points)
    for module, text in files.items():
        (folder / f"{module}.py").write_text(text)


def test_a_broken_plug_in_is_blamed_and_exits_with_1_and_a_missing_extra_does_not(application: Application) -> None:
    install(application.folder, "faxes", "[notifykit.channels]\nfax = faxes:Fax [fax]\n", faxes="import no_such_package\n")
    said = command("channels", "--json")
    assert said.code == 0
    (fax,) = (each for each in said.records if each["scheme"] == "fax")
    assert (fax["state"], fax["package"], fax["error"]) == (
        "not installed",
        "faxes",
        'fax:// needs an optional dependency: pip install "faxes[fax]"',
    )
    install(application.folder, "pigeons", "[notifykit.channels]\npigeon = pigeons:Pigeon\n", pigeons="1 / 0\n")
    said = command("channels")
    assert said.code == 1
    (line,) = (each for each in said.out.splitlines() if each.startswith("pigeon://"))
    assert line.split()[:4] == ["pigeon://", "pigeons", "1.0", "broken"]
    assert "ZeroDivisionError" in line


def test_a_plug_in_that_loads_without_its_extra_is_not_installed_all_the_same(application: Application) -> None:
    module = "from tests._channel import ScriptedChannel\n\nclass Fax(ScriptedChannel):\n    kind = 'fax'\n"
    install(application.folder, "lazyfax", "[notifykit.channels]\nlazyfax = lazyfax:Fax [fax]\n", lazyfax=module)
    (fax,) = (each for each in command("channels", "--json").records if each["scheme"] == "lazyfax")
    assert (fax["state"], fax["kind"]) == ("not installed", "fax")
    assert fax["error"] == 'it needs an optional dependency: pip install "lazyfax[fax]"'


def test_keys_are_a_pair_that_the_push_channel_takes(application: Application) -> None:
    pair = command("keys", "--json").record
    assert load_key(Secret(pair["private"])).public == pair["public"]
    PushChannel(pair["private"], "mailto:ops@example.com")
    assert pair["private"] != command("keys", "--json").record["private"]


def test_a_private_key_is_written_for_nobody_else_and_never_over_another(application: Application) -> None:
    said = command("keys", "--write", "vapid.key", "--json")
    assert (said.record["private"], said.record["file"]) == (None, "vapid.key")
    file = Path("vapid.key")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    private = file.read_text()
    assert private.strip() not in said.out
    assert load_key(file).public == said.record["public"] == command("keys", "--public-of", "vapid.key", "--json").record["public"]
    again = command("keys", "--write", "vapid.key")
    assert (again.code, file.read_text()) == (3, private)
    assert "vapid.key is there already" in again.err
    assert command("keys", "--write", "a", "--public-of", "vapid.key").code == 2


def test_without_its_extra_keys_says_how_to_install_it(application: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric", None)
    said = command("keys")
    assert (said.code, said.err) == (3, 'notifykit: keys for web push need an optional dependency: pip install "notifykit[push]"\n')


def test_a_file_without_a_key_is_refused_without_being_shown(application: Application) -> None:
    Path("no.key").write_text("s3cret")
    said = command("keys", "--public-of", "no.key")
    assert (said.code, "s3cret" in said.err) == (3, False)


def test_migrate_makes_the_store(application: Application) -> None:
    assert not Path("notify.db").exists()
    assert command("migrate", "--json").record == {"bus": "SQLiteBus", "ready": True, "waiting": 0}
    assert Path("notify.db").exists()
    application.enqueue("ada")
    assert "1 messages wait in it" in command("migrate").out


def test_the_demo_needs_no_application_and_sends_each_message_once(application: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFYKIT_APP")
    said = command("demo", "--json")
    assert said.code == 0
    assert said.record["receipts"] == {"queued": 9, "duplicate": 3}
    acked = {(each["channel"], each["lane"]): each["counters"]["acked"] for each in said.record["lanes"]}
    assert {channel: number for (channel, lane), number in acked.items() if lane == "transactional"} == {
        "email": 3,
        "telegram": 3,
        "push": 3,
    }
    assert said.err.count(" to ada@example.com entry_failure ") == 1
    assert json.dumps(said.record)
