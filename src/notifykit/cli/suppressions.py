"""``notifykit suppressions``: whom nothing is sent to, and why."""

from typing import Any

import click

from notifykit._notifier.notifier import Notifier
from notifykit._suppression import Suppression
from notifykit.cli.addresses import read_address
from notifykit.cli.application import app_option, find_notifier, with_notifier
from notifykit.cli.failures import BAD_ANSWER, Failure
from notifykit.cli.output import Output, json_option

__all__ = ["suppressions"]

_PAGE = 500


@click.group()
def suppressions() -> None:
    """List, add and remove addresses that get nothing.

    An address comes onto the list when its provider says that it is gone, when its owner unsubscribes (then from campaigns alone),
    or by the application. Addresses lie there hashed, and cannot be read back.
    """


@suppressions.command("list")
@app_option
@click.option("--channel", metavar="NAME", help="On this channel.")
@click.option("--recipient", metavar="ID", help="Of this recipient.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="How many at most.")
@json_option
def list_(app: str | None, channel: str | None, recipient: str | None, limit: int, out: Output) -> None:
    """List addresses that get nothing.

    With --json, one object a line.
    """

    async def work(notifier: Notifier) -> list[Suppression]:
        found: list[Suppression] = []
        after: str | None = None
        while len(found) < limit:
            page = await notifier.suppressions(channel, _PAGE, after)
            found += [each for each in page.entries if recipient in (None, each.recipient_id)]
            after = page.next
            if after is None:
                break
        return found[:limit]

    found = with_notifier(find_notifier(app), work, makes=False)
    for each in found:
        out.record(_record(each))
    if not found:
        out.say("there are no suppressions of this sort")
        return
    rows = [[f"{each.since:%Y-%m-%d %H:%M:%S}", each.channel, each.recipient_id, each.reason, each.fingerprint] for each in found]
    out.table(["since (UTC)", "channel", "recipient", "reason", "fingerprint"], rows)
    if len(found) == limit:
        out.say(f"these are {limit}; --limit shows more")


@suppressions.command()
@app_option
@click.argument("channel")
@click.argument("address")
@click.option("--reason", default="operator", show_default=True, help="A word that says why.")
@click.option("--recipient", metavar="ID", default="", help="Whose address it is, for the list.")
@json_option
def add(app: str | None, channel: str, address: str, reason: str, recipient: str, out: Output) -> None:
    """Send nothing more to ADDRESS on CHANNEL; JSON for a push subscription."""
    raw = read_address(address, "ADDRESS")

    async def work(notifier: Notifier) -> None:
        await notifier.suppress(channel, raw, reason, recipient_id=recipient)

    with_notifier(find_notifier(app), work)
    out.record({"channel": channel, "suppressed": True, "reason": reason})
    out.say(f"nothing more is sent to this address on {channel}")


@suppressions.command()
@app_option
@click.argument("channel")
@click.argument("address", required=False)
@click.option("--recipient", metavar="ID", help="In place of ADDRESS: all entries of this recipient on CHANNEL, unsubscribing included.")
@json_option
def remove(app: str | None, channel: str, address: str | None, recipient: str | None, out: Output) -> None:
    """Send to ADDRESS, or to a recipient, on CHANNEL again.

    Do so only when the person wants it: whoever unsubscribed has said that they do not.
    """
    if (address is None) == (recipient is None):
        raise click.UsageError("give either ADDRESS or --recipient")
    if recipient == "":  # as of a variable of the shell that is not set: it would be that of all entries without a recipient
        raise click.UsageError("--recipient is empty: give a recipient's ID")
    raw = None if address is None else read_address(address, "ADDRESS")

    async def work(notifier: Notifier) -> int:
        before = await _entries(notifier, channel)
        if recipient is None:
            await notifier.unsuppress(channel, raw)
        else:
            for each in before:
                if each.recipient_id == recipient:
                    await notifier.unsuppress(channel, each)
        return len(before) - len(await _entries(notifier, channel))

    removed = with_notifier(find_notifier(app), work, makes=False)
    if not removed:
        raise Failure(f"nothing of this sort is on the list for {channel}", BAD_ANSWER, "NoSuppression", as_json=out.as_json)
    out.record({"channel": channel, "suppressed": False, "removed": removed})
    out.say(f"{removed} {'entry was' if removed == 1 else 'entries were'} removed: messages on {channel} go out again")


async def _entries(notifier: Notifier, channel: str) -> list[Suppression]:
    found: list[Suppression] = []
    after: str | None = None
    while True:
        page = await notifier.suppressions(channel, _PAGE, after)
        found += page.entries
        after = page.next
        if after is None:
            return found


def _record(entry: Suppression) -> dict[str, Any]:
    return {
        "channel": entry.channel,
        "recipient_id": entry.recipient_id,
        "reason": entry.reason,
        "since": entry.since.isoformat(timespec="milliseconds"),
        "fingerprint": entry.fingerprint,
    }
