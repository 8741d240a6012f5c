"""``notifykit channels`` and ``notifykit buses``: what is installed, and whether it loads."""

from importlib.metadata import EntryPoint
from typing import Any

import click

from notifykit._plugins import BUSES, CHANNELS, installed, load, missing_extra
from notifykit.cli.failures import BAD_ANSWER
from notifykit.cli.output import Output, json_option
from notifykit.errors import BrokenPluginError, ConfigurationError, MissingExtraError

__all__ = ["buses", "channels"]

_STYLES = {"ok": "green", "not installed": "dim", "broken": "bold red"}


@click.command()
@json_option
def channels(out: Output) -> None:
    """What channels are installed, and whether they load.

    Exits with 1 if a plug-in is broken. One whose optional dependency is not installed is not broken: the table says how to
    install it.
    """
    _show(CHANNELS, out)


@click.command()
@json_option
def buses(out: Output) -> None:
    """What queues are installed, and whether they load.

    Exits with 1 if a plug-in is broken. One whose optional dependency is not installed is not broken: the table says how to
    install it.
    """
    _show(BUSES, out)


def _show(group: str, out: Output) -> None:
    records = [_record(group, name, points[0]) for name, points in installed(group).items()]
    for each in records:
        out.record(each)
    if not out.as_json:
        from rich.text import Text

        out.table(
            ["URL", "package", "version", "state", ""],
            [
                [f"{each['scheme']}://", each["package"], each["version"], Text(each["state"], _STYLES[each["state"]]), each["error"] or ""]
                for each in records
            ],
        )
    if any(each["state"] == "broken" for each in records):
        raise click.exceptions.Exit(BAD_ANSWER)


def _record(group: str, name: str, point: EntryPoint) -> dict[str, Any]:
    state, error, kind = "ok", None, None
    extra = missing_extra(point)
    try:
        kind = getattr(load(group, name), "kind", None)
        if extra is not None and point.dist is not None:  # it loads, and would say so when it is made
            state, error = "not installed", f'it needs an optional dependency: pip install "{point.dist.name}[{extra}]"'
    except MissingExtraError as missing:
        state, error = "not installed", str(missing)
    except (BrokenPluginError, ConfigurationError) as broken:
        state, error = "broken", str(broken)
    return {
        "scheme": name,
        "package": point.dist.name if point.dist else None,
        "version": point.dist.version if point.dist else None,
        "class": point.value,
        "kind": kind or None,
        "state": state,
        "error": error,
    }
