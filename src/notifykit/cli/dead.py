"""``notifykit dead``: what was set aside, and what to do with it."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import click
from attrs import evolve

from notifykit._claims import Action, Filter, State, StoredMessage
from notifykit._notifier.dead_letters import DeadLetter, dead_letter, stays
from notifykit._notifier.notifier import Notifier
from notifykit.cli.application import app_option, find_notifier, with_notifier
from notifykit.cli.failures import BAD_ANSWER, Failure
from notifykit.cli.filters import filter_options, make_filter
from notifykit.cli.output import Output, json_option
from notifykit.cli.records import dead_record, whole_dead_record

__all__ = ["dead"]

_PAGE = 500
_NOTHING = Filter()


@click.group()
def dead() -> None:
    """List, show, replay and purge dead letters.

    A message becomes a dead letter when its retries are used up, or when it can never be delivered.
    """


@dead.command("list")
@app_option
@filter_options
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="How many at most, the oldest first.")
@json_option
def list_(app: str | None, limit: int, out: Output, **options: Any) -> None:
    """List dead letters, the oldest first.

    With --json, one object a line.
    """

    async def work(notifier: Notifier) -> list[DeadLetter]:
        found: list[DeadLetter] = []
        async for each in _stored(notifier, make_filter(**options)):
            found.append(dead_letter(each))
            out.record(dead_record(found[-1]))
            if len(found) == limit:
                break
        return found

    found = with_notifier(find_notifier(app), work, makes=False)
    if not found:
        out.say("there are no dead letters of this sort")
        return
    rows = [
        [f"{each.died_at:%Y-%m-%d %H:%M:%S}", each.id, each.channel, each.template, each.recipient_id, each.reason.value, each.attempts]
        for each in found
    ]
    out.table(["died (UTC)", "id", "channel", "template", "recipient", "reason", "attempts"], rows, right=["attempts"])
    if len(found) == limit:
        out.say(f"these are the oldest {limit}; --limit shows more")


@dead.command()
@app_option
@click.argument("id_", metavar="ID")
@click.option("--reveal", is_flag=True, help="Show the address and the values of the variables too.")
@json_option
def show(app: str | None, id_: str, reveal: bool, out: Output) -> None:
    """Show all about one dead letter.

    Its address and the values of its variables are personal data, and stay hidden without --reveal.
    """

    async def work(notifier: Notifier) -> DeadLetter:
        stored = await notifier.bus.get(id_)
        if stored is None or stored.state is not State.DEAD:
            raise Failure(f"there is no dead letter {id_}", BAD_ANSWER, "NoDeadLetter", as_json=out.as_json)
        return dead_letter(stored)

    record = whole_dead_record(with_notifier(find_notifier(app), work, makes=False), reveal=reveal)
    out.record(record)
    message = record.pop("message")
    out.table(["", ""], [[name, _shown(value)] for name, value in {**record, **(message or {})}.items() if value not in (None, "", [])])
    if message is None:
        out.say("its body cannot be read: it was written by another version of notifykit, or is damaged")


@dead.command()
@app_option
@click.argument("ids", metavar="[ID]...", nargs=-1)
@filter_options
@click.option("--all", "all_", is_flag=True, help="All of them: needed where no ID and no filter is given.")
@click.option("--dry-run", is_flag=True, help="Change nothing, and say what would be.")
@json_option
def replay(app: str | None, ids: tuple[str, ...], all_: bool, dry_run: bool, out: Output, **options: Any) -> None:
    """Put dead letters back on the queue, with their attempts at 0.

    One whose idempotency key a live message has is refused, and stays dead. What went on to a new
    address is left alone, unless you give its ID or --reason address_moved.
    """
    _change(app, Action.REPLAY, _chosen(ids, all_, options), dry_run=dry_run, asked=True, out=out)


@dead.command()
@app_option
@click.argument("ids", metavar="[ID]...", nargs=-1)
@filter_options
@click.option("--all", "all_", is_flag=True, help="All of them: needed where no ID and no filter is given.")
@click.option("--dry-run", is_flag=True, help="Change nothing, and say what would be.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def purge(app: str | None, ids: tuple[str, ...], all_: bool, dry_run: bool, yes: bool, out: Output, **options: Any) -> None:
    """Remove dead letters for good. Asks first, unless --yes is given."""
    _change(app, Action.PURGE, _chosen(ids, all_, options), dry_run=dry_run, asked=yes or dry_run, out=out)


def _chosen(ids: tuple[str, ...], all_: bool, options: dict[str, Any]) -> Filter:
    chosen = make_filter(ids, **options)
    if chosen == _NOTHING and not all_:
        raise click.UsageError("say which ones: by ID, by a filter such as --reason or --channel, or --all")
    return chosen


def _change(app: str | None, action: Action, chosen: Filter, *, dry_run: bool, asked: bool, out: Output) -> None:
    """Change what was there at the start; what dies while it runs is left alone."""
    notifier = find_notifier(app)

    async def find(notifier: Notifier) -> list[str]:
        found = [each async for each in _stored(notifier, chosen)]
        return [each.envelope.id for each in found if action is not Action.REPLAY or not stays(each, chosen)]

    ids = with_notifier(notifier, find, makes=False)
    # The question is asked outside the event loop, where Ctrl-C is heard.
    if ids and not asked and not click.confirm(f"Purge {_count(len(ids))} for good?", err=True):
        raise Failure("nothing was removed", BAD_ANSWER, "NotConfirmed", as_json=out.as_json)
    done: list[str] = []
    refused: list[str] = []

    async def change(notifier: Notifier) -> None:
        with out.progress(f"{action.value} dead letters", len(ids)) as bar:
            for start in range(0, len(ids), _PAGE):
                some = tuple(ids[start : start + _PAGE])
                changed = await notifier.bus.change(Filter(ids=some, state=State.DEAD), action, len(some), dry_run)
                done.extend(changed.ids)
                refused.extend(changed.refused)
                bar.to(start + len(some))

    if ids:
        with_notifier(notifier, change, makes=False)
    out.record({"action": action.value, "dry_run": dry_run, "count": len(done), "ids": done, "refused": refused})
    verb = {Action.REPLAY: "put back on the queue", Action.PURGE: "removed"}[action]
    was = "would be" if dry_run else "was" if len(done) == 1 else "were"
    out.say(f"{_count(len(done))} {was} {verb}")
    if refused:
        out.say(f"refused, because a live message has the same idempotency key: {', '.join(refused)}", "yellow")
    missing = set(chosen.ids or ()) - {*done, *refused}
    if missing or refused:
        if missing:
            out.warn(f"no dead letters of this sort: {', '.join(sorted(missing))}")
        raise click.exceptions.Exit(BAD_ANSWER)


async def _stored(notifier: Notifier, chosen: Filter) -> AsyncIterator[StoredMessage]:
    """Yield the dead ones of a filter without their bodies, page by page."""
    dead_ones = evolve(chosen, state=State.DEAD)
    for some in _parts(dead_ones.ids):
        after: str | None = None
        while True:
            page = await notifier.bus.find(evolve(dead_ones, ids=some), _PAGE, after)
            for stored in page.messages:
                yield stored
            after = page.next
            if after is None:
                break


def _parts(ids: tuple[str, ...] | None) -> Sequence[tuple[str, ...] | None]:
    return [None] if ids is None else [ids[start : start + _PAGE] for start in range(0, len(ids), _PAGE)]


def _count(number: int) -> str:
    return f"{number:,} dead letter{'' if number == 1 else 's'}"


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "\n".join(f"{name}: {each}" for name, each in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
