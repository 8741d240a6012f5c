"""The command line starts at once, says what is missing, and names every command by the same line everywhere."""

import importlib.metadata
import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from notifykit.cli.entry import main
from notifykit.cli.root import COMMANDS, notifykit
from tests._cli import command

HEAVY = {"anyio", "asyncio", "attr", "cattrs", "jinja2", "limits", "msgspec", "rich", "sqlite3", "ssl"}


def python(code: str, *options: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    command_line = [sys.executable, *options, "-c", code]
    return subprocess.run(command_line, capture_output=True, text=True, check=False, timeout=20, env=environment or None)


def test_help_loads_click_and_nothing_that_takes_time() -> None:
    done = python(
        "import json, sys; from notifykit.cli.entry import main; main(['--help']); print(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    )
    loaded = {name.partition(".")[0] for name in json.loads(done.stderr)}
    assert "click" in loaded
    assert loaded & HEAVY == set()


def test_each_line_of_the_list_is_the_first_sentence_of_the_command_itself() -> None:
    context = click.Context(notifykit)
    for name, (_, line) in COMMANDS.items():
        loaded = notifykit.get_command(context, name)
        assert loaded is not None
        assert loaded.get_short_help_str(200) == line.removesuffix(".") + "." == (loaded.help or "").partition("\n")[0]


def test_every_command_has_help_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    context = click.Context(notifykit)
    for name in COMMANDS:
        loaded = notifykit.get_command(context, name)
        paths = [[name, each] for each in loaded.commands] if isinstance(loaded, click.Group) else [[name]]
        for path in paths:
            assert main([*path, "--help"]) == 0
            said = capsys.readouterr().out
            assert "--json" in said, path
            assert said.startswith(f"Usage: notifykit {' '.join(path)} ")


def test_the_version_is_the_package_s() -> None:
    assert command("--version").out == f"notifykit {importlib.metadata.version('notifykit')}\n"


def test_python_dash_m_is_the_same_command() -> None:
    done = subprocess.run([sys.executable, "-m", "notifykit", "--version"], capture_output=True, text=True, check=True, timeout=20)
    assert done.stdout == command("--version").out


def test_the_console_script_is_registered() -> None:
    (script,) = importlib.metadata.entry_points(group="console_scripts", name="notifykit")
    assert script.load() is main


@pytest.mark.parametrize("package", ["click", "rich"])
def test_without_its_extra_it_says_how_to_install_it(package: str, tmp_path: Path) -> None:
    block = f"import sys; sys.modules[{package!r}] = None; from notifykit.cli.entry import main; sys.exit(main(['demo']))"
    done = python(block)
    assert done.stdout == ""
    assert done.returncode == 3
    assert done.stderr == 'notifykit: the command line needs an optional dependency: pip install "notifykit[cli]"\n'


def test_a_command_that_is_not_there_exits_with_2() -> None:
    said = command("no-such")
    assert (said.code, "No such command 'no-such'" in said.err) == (2, True)


def test_the_shell_completes_commands_and_options() -> None:
    import os

    def complete(words: str) -> set[str]:
        environment = {**os.environ, "_NOTIFYKIT_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
        done = python("from notifykit.cli.entry import main; main()", **environment)
        return {line.partition(",")[2] for line in done.stdout.splitlines()}

    assert {"status", "send"} <= complete("notifykit s")
    assert {"--reason", "--recipient"} <= complete("notifykit dead list --re")


def test_a_reader_that_leaves_early_ends_it_quietly() -> None:
    script = "import sys; from notifykit.cli.entry import main; sys.exit(main(['buses', '--json']))"
    shell = f'{sys.executable} -c "{script}" | true'
    done = subprocess.run(["bash", "-o", "pipefail", "-c", shell], capture_output=True, text=True, check=False, timeout=20)
    assert (done.stderr, done.returncode) == ("", 0)


def test_a_worker_whose_log_nobody_reads_goes_on_and_prints_no_traceback() -> None:
    settings = {"NOTIFYKIT_BUS": "memory://", "NOTIFYKIT_CHANNELS_EMAIL": "console://email"}
    reader, writer = os.pipe()
    os.close(reader)
    try:
        command_line = [sys.executable, "-m", "notifykit", "worker", "--drain", "--json"]
        done = subprocess.run(command_line, stdout=writer, stderr=subprocess.PIPE, text=True, check=False, timeout=20, env=settings)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")
