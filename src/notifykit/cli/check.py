"""``notifykit check``: what would fail at night, found by day."""

import sys
from collections.abc import Sequence
from typing import Any

import click

from notifykit._notifications import Notification
from notifykit._notifier.notifier import Notifier
from notifykit.cli.application import app_option, find_notifier, with_notifier
from notifykit.cli.failures import BAD_ANSWER
from notifykit.cli.output import Output, json_option
from notifykit.errors import NotifykitError
from notifykit.rendering.checking import Finding, check_templates

__all__ = ["check"]

_STYLES = {"error": "red", "warning": "yellow"}


@click.command()
@app_option
@click.option("--connect", is_flag=True, help="Open the queue and connect every channel too; nothing is sent.")
@click.option("--strict", is_flag=True, help="Let warnings fail as well.")
@json_option
def check(app: str | None, connect: bool, strict: bool, out: Output) -> None:
    """Find what is wrong with templates and configuration.

    Imports the application, which finds wrong URLs, missing extras and missing variables of the environment. Renders every template
    on every channel in every locale, with its examples and with made-up data, and compares the notification classes that the
    application has imported with their templates. With --json, one finding a line.
    """
    notifier = find_notifier(app)
    findings = [_finding(each) for each in check_templates(notifier.renderer, notifier.channels, _classes(Notification))]
    if connect:
        findings += with_notifier(notifier, _connect)
    for each in findings:
        out.record(each)
        where = " ".join(filter(None, [each["template"], ".".join(filter(None, [each["kind"], each["part"]])), each["locale"]]))
        out.say(f"{each['severity']}: {where}: {each['text']}", _STYLES[each["severity"]])
    errors = sum(each["severity"] == "error" for each in findings)
    warnings = len(findings) - errors
    checked = "the templates, the queue and the connections" if connect else "the templates"
    out.say(f"checked {checked} of {', '.join(notifier.channels)}: {errors} errors, {warnings} warnings", "red" if errors else "green")
    if errors or (strict and warnings):
        raise click.exceptions.Exit(BAD_ANSWER)


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "severity": finding.severity,
        "template": finding.template,
        "kind": finding.kind,
        "part": finding.part,
        "locale": finding.locale,
        "channel": None,
        "text": finding.text,
    }


async def _connect(notifier: Notifier) -> Sequence[dict[str, Any]]:
    """Connect each channel by itself, so that one that fails hides no other."""
    found = []
    for name, channel in notifier.channels.items():
        try:
            await notifier.check(name)
        except NotifykitError as error:
            finding = _finding(Finding("", channel.kind, text=f"the channel {name} cannot be used: {error}"))
            found.append({**finding, "channel": name})
    return found


def _classes(base: type[Notification]) -> list[type[Notification]]:
    """Return the application's notification classes: those that their modules still have, and that are no base of others."""
    found: list[type[Notification]] = []
    for each in base.__subclasses__():
        below = _classes(each)
        found += below or [each] * _is_there(each)
    return found


def _is_there(kind: type[Any]) -> bool:
    """Return whether its module knows *kind* by its name: attrs leaves behind each class that it gives slots to."""
    found: Any = sys.modules.get(kind.__module__)
    for name in kind.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is kind
