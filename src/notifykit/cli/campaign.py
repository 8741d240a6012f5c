"""``notifykit campaign``: everybody in a file, streamed onto the queue."""

import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import click
from attrs import define

from notifykit._messages import Recipient
from notifykit._notifier.campaign import Progress
from notifykit._notifier.notifier import Notifier
from notifykit.cli.application import app_option, find_notifier, with_notifier
from notifykit.cli.failures import BAD_ANSWER
from notifykit.cli.output import Bar, Output, json_option
from notifykit.cli.people import read_people
from notifykit.cli.records import progress_record
from notifykit.cli.variables import read_variables, variable_options

__all__ = ["campaign"]


@click.command()
@app_option
@click.argument("group")
@click.argument("template")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option("--format", "form", type=click.Choice(["csv", "jsonl"]), help="Of FILE.  [default: by its name]")
@click.option("--via", metavar="CHANNEL", multiple=True, help="On this channel; may come several times.  [default: all]")
@click.option("--rate", metavar="N/PERIOD", help="No faster than this, such as 1000/hour, beside the limits of the channels.")
@click.option("--skip", type=click.IntRange(0), default=0, help="Leave out so many recipients at the start of FILE.")
@click.option("--batch-size", type=click.IntRange(1, 1000), default=500, show_default=True, help="Recipients in one step.")
@variable_options
@json_option
def campaign(
    app: str | None,
    group: str,
    template: str,
    file: str,
    form: str | None,
    via: tuple[str, ...],
    rate: str | None,
    skip: int,
    batch_size: int,
    var: tuple[str, ...],
    variables: str | None,
    out: Output,
) -> None:
    """Enqueue a notification for everybody in a file.

    TEMPLATE goes onto the campaign lane, and workers send it. FILE is CSV with a header (id, then a column for each channel's
    address, locale, timezone, and variables), or JSON lines ({"id": "7", "addresses": {"email": "a@example.com"}, "variables": {}});
    - is standard input. A line with an id alone stands for the person that the notifier's find_recipient knows. FILE is streamed: it
    may be of any length.

    To resume, run the same command again: nobody gets a GROUP twice, because its name is the idempotency key. That holds for as
    long as a message waits and for 24 hours after it was enqueued (the bus's idempotency_ttl); for a later resume, give --skip the
    number of recipients that was printed.
    """
    notifier = find_notifier(app)
    form = form or {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}.get(Path(file).suffix.lower())
    if form is None:
        raise click.UsageError("say what FILE is: --format csv or --format jsonl")
    given = read_variables(var, variables)
    reached = _Reached(skip)
    source = _Counted(sys.stdin.buffer if file == "-" else Path(file).open("rb"))  # noqa: SIM115 - closed below
    size = None if file == "-" else Path(file).stat().st_size
    try:
        with source.stream, out.progress(f"campaign {group}", size) as bar:
            people = islice(read_people(source, form, notifier), skip, None)
            with_notifier(
                notifier, lambda notifier: _run(notifier, group, template, people, given, via, rate, batch_size, reached, bar, source)
            )
    except BaseException:
        out.record({"group": group, "done": False, "skip": reached.number, **progress_record(reached.progress)})
        if reached.number > skip:
            out.warn(f"stopped after {reached.number:,} recipients; run it again to go on, within 24 hours or with --skip {reached.number}")
        raise
    out.record({"group": group, "done": True, "skip": reached.number, **progress_record(reached.progress)})
    _conclude(out, reached.progress)
    if reached.progress.refused:
        raise click.exceptions.Exit(BAD_ANSWER)


@define
class _Reached:
    """How far it has come, however it ends."""

    skipped: int
    progress: Progress = Progress()

    @property
    def number(self) -> int:
        return self.skipped + self.progress.recipients


class _Counted:
    """The lines of a file, and how many bytes of them were read."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream
        self.read = 0

    def __iter__(self) -> Iterator[bytes]:
        for line in self.stream:
            self.read += len(line)
            yield line


async def _run(
    notifier: Notifier,
    group: str,
    template: str,
    people: Iterator[Recipient | str],
    given: dict[str, object],
    via: tuple[str, ...],
    rate: str | None,
    batch_size: int,
    reached: _Reached,
    bar: Bar,
    source: _Counted,
) -> None:
    def on_progress(progress: Progress) -> None:
        reached.progress = progress
        bar.to(source.read, f"{reached.number:,} recipients")

    await notifier.campaign(
        group, template, people, given, rate=rate, batch_size=batch_size, on_progress=on_progress, via=list(via) or None
    )


def _conclude(out: Output, progress: Progress) -> None:
    counted = {
        "enqueued": progress.enqueued,
        "there already": progress.duplicates,
        "without an address": progress.skipped,
        "suppressed": progress.suppressed,
        "cancelled": progress.cancelled,
        "refused": progress.refused,
    }
    out.say(f"{progress.recipients:,} recipients: " + (", ".join(f"{n:,} {what}" for what, n in counted.items() if n) or "nothing to do"))
    for who, error in progress.errors[:10]:
        out.say(f"refused {who}: {type(error).__name__}: {error}", "red")
    if progress.refused > 10:
        out.say(f"and {progress.refused - 10:,} more; --json lists a hundred", "red")
