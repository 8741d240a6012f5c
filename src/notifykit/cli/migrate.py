"""``notifykit migrate``: the store, made or brought up to date, at a time of one's choosing."""

import click

from notifykit._notifier.notifier import Notifier
from notifykit.cli.application import app_option, find_notifier, with_notifier
from notifykit.cli.output import Output, json_option

__all__ = ["migrate"]


@click.command()
@app_option
@json_option
def migrate(app: str | None, out: Output) -> None:
    """Make the queue's store, or bring it up to date.

    Opening a queue does this too; run it before the first worker of a new version starts, so that errors show now. A store that a
    later version wrote, or another program, is left alone, with exit code 4.
    """

    async def work(notifier: Notifier) -> int:
        stats = await notifier.stats()
        return sum(depth.ready + depth.scheduled + depth.claimed for depth in stats.depths.values())

    notifier = find_notifier(app)
    waiting = with_notifier(notifier, work)
    kind = type(notifier.bus).__name__
    out.record({"bus": kind, "ready": True, "waiting": waiting})
    out.say(f"the store of the {kind} is up to date; {waiting:,} messages wait in it", "green")
