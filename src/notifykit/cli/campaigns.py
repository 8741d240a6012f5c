"""``notifykit campaigns``: those that run, and what to do about one."""

from collections.abc import Awaitable, Callable
from typing import Any

import click

from notifykit._notifier.campaigning import CampaignStatus
from notifykit._notifier.notifier import Notifier
from notifykit.cli.application import app_option, find_notifier, with_notifier
from notifykit.cli.failures import BAD_ANSWER, Failure
from notifykit.cli.output import Output, json_option

__all__ = ["campaigns"]

_NAMED = 20
_anyway_option = click.option("--anyway", is_flag=True, help="Also where no message of GROUP is on the queue, such as before its first.")


@click.group()
def campaigns() -> None:
    """List, pause, resume and cancel campaigns."""


@campaigns.command("list")
@app_option
@json_option
def list_(app: str | None, out: Output) -> None:
    """List the campaigns that have messages on the queue.

    With --json, one object a line. One whose every message was delivered is not there any more.
    """

    async def work(notifier: Notifier) -> list[CampaignStatus]:
        return [await notifier.campaign_status(group) for group in sorted((await notifier.stats()).groups)]

    found = with_notifier(find_notifier(app), work, makes=False)
    for each in found:
        out.record(_record(each))
    if not found:
        out.say("no campaign has messages on the queue")
        return
    rows = [[each.group, each.state, each.rate, f"{each.waiting:,}", f"{each.sending:,}", f"{each.dead:,}"] for each in found]
    out.table(["campaign", "state", "rate", "waiting", "sending", "dead"], rows, right=["waiting", "sending", "dead"])


@campaigns.command()
@app_option
@click.argument("group")
@_anyway_option
@json_option
def pause(app: str | None, group: str, anyway: bool, out: Output) -> None:
    """Send nothing more of a campaign until it is resumed."""
    _act(app, group, lambda notifier: notifier.pause_campaign(group), anyway, out)


@campaigns.command()
@app_option
@click.argument("group")
@_anyway_option
@json_option
def resume(app: str | None, group: str, anyway: bool, out: Output) -> None:
    """Let a campaign go on that was paused or cancelled."""
    _act(app, group, lambda notifier: notifier.resume_campaign(group), anyway, out)


@campaigns.command()
@app_option
@click.argument("group")
@click.option("--yes", is_flag=True, help="Do not ask.")
@_anyway_option
@json_option
def cancel(app: str | None, group: str, yes: bool, anyway: bool, out: Output) -> None:
    """Take a campaign off the queue for good. Asks first, unless --yes is given."""
    if not yes and not click.confirm(f"Cancel what waits of the campaign {group} for good?", err=True):
        raise Failure("nothing was cancelled", BAD_ANSWER, "NotConfirmed", as_json=out.as_json)
    _act(app, group, lambda notifier: notifier.cancel_campaign(group), anyway, out)


def _act(app: str | None, group: str, act: Callable[[Notifier], Awaitable[object]], anyway: bool, out: Output) -> None:
    async def work(notifier: Notifier) -> CampaignStatus:
        if not anyway and _says_nothing(await notifier.campaign_status(group)):
            here = ", ".join(sorted((await notifier.stats()).groups)[:_NAMED]) or "none"
            text = f"no message of a campaign {group!r} is here (yet), and nothing was changed; the campaigns here: {here}"
            raise Failure(f"{text}. --anyway does it all the same", BAD_ANSWER, "NoCampaign", as_json=out.as_json)
        await act(notifier)
        return await notifier.campaign_status(group)

    status = with_notifier(find_notifier(app), work, makes=False)
    out.record(_record(status))
    out.say(f"the campaign {group} is {status.state}: {status.waiting:,} waiting, {status.sending:,} being sent, {status.dead:,} dead")


def _says_nothing(status: CampaignStatus) -> bool:
    """Return whether a campaign of this name is as one that never was: also when all its messages were delivered."""
    return status == CampaignStatus(group=status.group, state="running", rate="", waiting=0, sending=0, dead=0)


def _record(status: CampaignStatus) -> dict[str, Any]:
    return {
        "group": status.group,
        "state": status.state,
        "rate": status.rate,
        "waiting": status.waiting,
        "sending": status.sending,
        "dead": status.dead,
    }
