"""The pages for operators: their files are what systemd, Docker and Kubernetes read, and their commands are commands that there are."""

import configparser
import getpass
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest

import tests.unit.test_docs as docs
from notifykit import Notifier
from notifykit.cli.root import notifykit

yaml = pytest.importorskip("yaml")

HOW_TO = docs.ROOT / "docs" / "how-to"
GRACE = 25
"""Seconds that a notifier gives its sends by default."""

pytestmark = pytest.mark.skipif(not HOW_TO.is_dir(), reason="the documentation is not beside the tests")


def file(page: str, name: str) -> str:
    """Return a file that a page shows."""
    return docs.read((HOW_TO / page).read_text()).files[name]


def parse(words: list[str]) -> None:
    """Fail unless *words* name a command and options that there are."""
    context, command = click.Context(notifykit), notifykit
    current: click.Command = command
    rest = words
    while isinstance(current, click.Group):
        assert rest, f"{words}: no command"
        found = current.get_command(context, rest[0])
        assert found is not None, f"there is no command {rest[0]}"
        current, rest = found, rest[1:]
    options = {name for each in current.params if isinstance(each, click.Option) for name in (*each.opts, *each.secondary_opts)}
    unknown = {each.partition("=")[0] for each in rest if each.startswith("-") and each != "-"} - options - {"--help"}
    assert not unknown, f"{words} has no {unknown}"


def commands_in(text: str) -> list[list[str]]:
    """Return every command line of notifykit in the shell blocks and the quoted words of a page."""
    lines = [line for block in docs.BLOCK.finditer(text) if block["language"] == "sh" for line in block["code"].splitlines()]
    prose = docs.BLOCK.sub("", text)
    lines += [each for each in re.findall(r"`([^`\n]+)`", prose) if re.match(r"notifykit [a-z]", each)]
    found = []
    for line in lines:
        words = shlex.split(line.replace("…", ""), comments=True)
        if "notifykit" in words[:1]:
            found.append(words[1:])
    return found


PAGES = [*docs.PAGES]


@pytest.mark.parametrize("path", [each for each in PAGES if commands_in(each.read_text())], ids=lambda each: each.name)
def test_every_command_in_the_documentation_is_one_that_there_is(path: Path) -> None:
    for words in commands_in(path.read_text()):
        if words[0] != "|" and not words[0].startswith("-"):
            parse(words)


def test_a_command_that_is_not_there_is_found() -> None:
    for wrong in (["dea", "list"], ["dead", "lst"], ["dead", "list", "--resaon", "x"], ["dead"]):
        with pytest.raises(AssertionError):
            parse(wrong)
    assert commands_in("`notifykit dead` x\n\n```sh\nnotifykit status # why\nls\n```\n") == [["status"], ["dead"]]


def test_the_default_grace_is_what_the_pages_say() -> None:
    assert Notifier("memory://", channels={})._grace.total_seconds() == GRACE
    for page in ("run-under-systemd.md", "run-in-docker.md", "run-on-kubernetes.md"):
        assert f"({GRACE} s by default)" in (HOW_TO / page).read_text()


def test_the_systemd_unit_waits_for_the_sends_and_does_not_restart_what_is_configured_wrongly() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None, delimiters="=")
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(file("run-under-systemd.md", "acme-notify@.service"))
    service = unit["Service"]
    assert int(service["TimeoutStopSec"]) > GRACE
    assert {"2", "3"} == set(service["RestartPreventExitStatus"].split())
    for key in ("ExecStart", "ExecStartPre"):
        program, *words = shlex.split(service[key])
        assert program.endswith("/bin/notifykit")
        parse(words)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    text = file("run-under-systemd.md", "acme-notify@.service")
    text = (
        text.replace("/srv/acme/.venv/bin/notifykit", sys.executable)
        .replace("/srv/acme", str(tmp_path))
        .replace("User=acme", f"User={getpass.getuser()}")
    )
    unit = tmp_path / "acme-notify@1.service"
    unit.write_text(text)
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False, timeout=20)
    assert [line for line in done.stderr.splitlines() if "acme-notify" in line] == []
    unit.write_text(text.replace("Restart=always", "Restart=never"))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False, timeout=20)
    assert "acme-notify" in done.stderr


def test_the_containers_start_the_worker_without_a_shell_and_wait_for_the_sends() -> None:
    dockerfile = file("run-in-docker.md", "Dockerfile")
    for words in re.findall(r"^(?:CMD|RUN) (\[.*\])$", dockerfile, re.MULTILINE):
        program, *rest = json.loads(words)
        assert program == "notifykit"
        parse(rest)
    assert re.search(r'^CMD \["notifykit", "worker"', dockerfile, re.MULTILINE)
    services = yaml.safe_load(file("run-in-docker.md", "compose.yaml"))["services"]
    assert int(services["worker"]["stop_grace_period"].removesuffix("s")) > GRACE
    assert services["worker"]["init"] is True
    parse(services["migrate"]["command"][1:])


def test_the_pods_start_the_worker_and_wait_for_the_sends() -> None:
    deployment: Any = yaml.safe_load(file("run-on-kubernetes.md", "worker.yaml"))
    pod = deployment["spec"]["template"]["spec"]
    assert deployment["spec"]["selector"]["matchLabels"] == deployment["spec"]["template"]["metadata"]["labels"]
    assert pod["terminationGracePeriodSeconds"] > GRACE
    for container in (*pod["initContainers"], *pod["containers"]):
        assert container["command"][0] == "notifykit"
        parse(container["command"][1:])
    assert yaml.safe_load(file("run-on-kubernetes.md", "watch.yaml"))["kind"] == "CronJob"


def test_the_watch_fails_when_messages_are_late(tmp_path: Path) -> None:
    script = tmp_path / "watch.py"
    script.write_text(file("run-on-kubernetes.md", "app/watch.py"))
    command = tmp_path / "notifykit"
    for age, code in ((301, 1), (5, 0)):
        lane = {"channel": "sms", "lane": "transactional", "oldest_ready_seconds": age, "dead": 0}
        command.write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps({'lanes': [lane]})}\nEND\n")
        command.chmod(0o755)
        done = subprocess.run(
            [sys.executable, script], env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True, check=False, timeout=20
        )
        assert done.returncode == code


def test_the_end_of_the_tutorial_does_what_it_says(tmp_path: Path) -> None:
    for name, text in docs.read((docs.ROOT / "docs" / "tutorial.md").read_text()).files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    def run(*words: str) -> str:
        command_line = [sys.executable, "-W", "error", *words]
        environment = {**os.environ, "NOTIFYKIT_APP": "app:notifier"}
        return subprocess.run(command_line, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=20, check=True).stdout

    assert run("shop.py") == "email queued\ntelegram queued\n"
    assert run("shop.py") == "email duplicate\ntelegram duplicate\n"
    lanes = [each for each in json.loads(run("-m", "notifykit", "status", "--json"))["lanes"] if each["ready"]]
    assert [(each["channel"], each["ready"]) for each in lanes] == [("email", 1), ("telegram", 1)]
    sent = run("-m", "notifykit", "worker", "--drain")
    assert "text Your order 83 left our house with DHL." in sent
    assert "text Order *83* left with DHL\\." in sent
    counters = [each["counters"] for each in json.loads(run("-m", "notifykit", "status", "--json"))["lanes"]]
    assert sum(each["acked"] for each in counters) == 2
