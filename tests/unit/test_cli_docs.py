"""The page of the command line says what the command line says, and documents every key of its JSON.

``python -m tests.unit.test_cli_docs`` writes the help into the page anew.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from notifykit.cli import failures
from notifykit.cli.root import notifykit
from notifykit.errors import PermanentError
from tests._cli import Application, command

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "command-line.md"
HELP = re.compile(r"^## (?P<path>notifykit[^\n]*)\n\n```text\n(?P<help>.*?)^```$", re.MULTILINE | re.DOTALL)
KEYS = re.compile(r"^\| `(?P<key>[\w.\[\]]+)` \|", re.MULTILINE)

pytestmark = pytest.mark.skipif(not PAGE.is_file(), reason="the documentation is not beside the tests")


def commands(context: click.Context, group: click.Group) -> Iterator[tuple[str, click.Command, click.Context]]:
    """Yield every command with its whole name, groups before what is in them."""
    path = context.command_path
    yield path, group, context
    for name in group.list_commands(context):
        each = group.get_command(context, name)
        assert each is not None
        inner = click.Context(each, context, name, **group_settings(context))
        if isinstance(each, click.Group):
            yield from commands(inner, each)
        else:
            yield inner.command_path, each, inner


def group_settings(context: click.Context) -> dict[str, Any]:
    return {"terminal_width": 100, "help_option_names": ["-h", "--help"]}


def helps() -> dict[str, str]:
    root = click.Context(notifykit, None, "notifykit", **group_settings(click.Context(notifykit)))
    return {path: each.get_help(context) + "\n" for path, each, context in commands(root, notifykit)}


def words(text: str) -> list[str]:
    """Return the words of a help text: how they are laid out depends on click's version."""
    return text.split()


def test_the_page_has_the_help_of_every_command_and_no_other() -> None:
    written = {each["path"]: words(each["help"]) for each in HELP.finditer(PAGE.read_text())}
    assert written == {path: words(text) for path, text in helps().items()}


def test_the_page_has_every_exit_code() -> None:
    named = {int(code) for code in re.findall(r"^\| (\d+) \| ", PAGE.read_text(), re.MULTILINE)}
    codes = {value for name, value in vars(failures).items() if name.isupper() and isinstance(value, int)}
    assert named == {0, 2, *codes}


def keys(record: Any, prefix: str = "") -> set[str]:
    """Return the names of all keys of a record, those of records inside it behind a dot."""
    found = set()
    for key, value in record.items():
        found.add(prefix + key)
        inner = value[0] if isinstance(value, list) and value and isinstance(value[0], dict) else value
        if isinstance(inner, dict) and key not in OPEN:
            found |= keys(inner, f"{prefix}{key}.")
    return found


OPEN = {"dead_by_reason", "groups", "variables", "receipts"}
"""Objects whose keys are data."""


@pytest.fixture
def records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What each command prints with ``--json``, with as much in it as there can be."""
    application = Application(tmp_path, monkeypatch)
    application.template("hello/sms.txt.j2", "nothing reads it")
    (tmp_path / "people.jsonl").write_text('"ada"\n"nobody"\n')
    (dead,) = application.bury(PermanentError("no"), group="may")
    application.channel.script = [PermanentError("no")]
    application.hold()
    return {
        "notifykit buses": command("buses", "--json").records[0],
        "notifykit campaign": command("campaign", "june", "hello", "people.jsonl", "--var", "name=x", "--json").record,
        "notifykit campaigns list": command("campaigns", "list", "--json").records[0],
        "notifykit check": command("check", "--json").records[0],
        "notifykit dead list": command("dead", "list", "--json").record,
        "notifykit dead purge": command("dead", "purge", "--all", "--dry-run", "--json").record,
        "notifykit dead replay": command("dead", "replay", "--all", "--dry-run", "--json").record,
        "notifykit dead show": command("dead", "show", dead, "--json").record,
        "notifykit keys": command("keys", "--json").record,
        "notifykit migrate": command("migrate", "--json").record,
        "notifykit preview": command("preview", "hello", "--out", "out", "--json").record,
        "notifykit send": command("send", "ada", "sms", "hello", "--var", "name=x", "--json").record,
        "notifykit status": command("status", "--json").record,
        "notifykit suppressions add": command("suppressions", "add", "sms", "+1", "--json").record,
        "notifykit suppressions list": command("suppressions", "list", "--json").records[0],
        "notifykit suppressions remove": command("suppressions", "remove", "sms", "+1", "--json").record,
    }


def test_the_page_documents_every_key_of_the_json(records: dict[str, Any]) -> None:
    text = PAGE.read_text()
    sections = {part.partition("\n")[0]: part for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]}
    documented = {path: set(KEYS.findall(sections[path])) for path in records}
    assert documented == {path: keys(record) for path, record in records.items()}


def write() -> None:
    """Write the help of every command into the page."""
    texts = helps()
    page = PAGE.read_text()
    PAGE.write_text(HELP.sub(lambda found: f"## {found['path']}\n\n```text\n{texts[found['path']]}```", page))


if __name__ == "__main__":
    write()
