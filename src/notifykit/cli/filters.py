"""Which messages a command is about: options that become a Filter."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import click

from notifykit._claims import Filter, Reason
from notifykit._messages import Lane

__all__ = ["filter_options", "make_filter"]

F = TypeVar("F", bound=Callable[..., Any])

_AGO = re.compile(r"(\d+)\s*(s|m|h|d|w)")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class _Moment(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """A time of day in ISO 8601, or how long ago: ``90s``, ``15m``, ``2h``, ``3d``, ``1w``. Without a zone it is UTC."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return the time."""
        if isinstance(value, datetime):
            return value
        if match := _AGO.fullmatch(value):
            return datetime.now(UTC) - timedelta(**{_UNITS[match[2]]: int(match[1])})
        try:
            read = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no time: write 2026-03-01T12:00, or how long ago it was, such as 15m, 2h or 3d", param, ctx)
        return read if read.tzinfo else read.replace(tzinfo=UTC)


_OPTIONS = (
    click.option("--channel", metavar="NAME", help="On this channel."),
    click.option("--lane", type=click.Choice([each.value for each in Lane]), help="In this lane."),
    click.option("--reason", type=click.Choice([each.value for each in Reason]), help="Dead for this reason."),
    click.option("--template", metavar="NAME", help="Of this template."),
    click.option("--group", metavar="NAME", help="Of this campaign."),
    click.option("--recipient", metavar="ID", help="To this recipient."),
    click.option("--since", type=_Moment(), help="Dead since this time (2026-03-01T12:00), or as long ago (15m, 2h, 3d)."),
    click.option("--until", type=_Moment(), help="Dead before it."),
)


def filter_options(command: F) -> F:
    """Add the options to a command, as its arguments of the same names."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def make_filter(ids: tuple[str, ...] = (), **options: Any) -> Filter:
    """Return the filter that the options mean."""
    return Filter(
        ids=ids or None,
        channel=options["channel"],
        lane=Lane(options["lane"]) if options["lane"] else None,
        reason=Reason(options["reason"]) if options["reason"] else None,
        template=options["template"],
        group=options["group"],
        recipient_id=options["recipient"],
        since=options["since"],
        until=options["until"],
    )
