"""``notifykit worker``: sends what is on the queue, and ends in order when told to."""

import logging
import sys
from collections.abc import Callable
from functools import partial

import anyio
import click

from notifykit._notifier.notifier import Notifier
from notifykit._worker.signals import stop_on_signals
from notifykit.cli.application import app_option, find_notifier, with_notifier
from notifykit.cli.output import Output, json_option, visible
from notifykit.cli.status import Look
from notifykit.errors import BusError
from notifykit.telemetry.logging import json_handler, log_events

__all__ = ["worker"]

_log = logging.getLogger("notifykit.worker")
_LEVELS = ["debug", "info", "warning", "error"]


@click.command()
@click.argument("named", metavar="[MODULE:ATTRIBUTE]", required=False)
@app_option
@click.option("--drain", is_flag=True, help="Stop when nothing is waiting or being sent any more.")
@click.option("--check", is_flag=True, help="Connect every channel first, and stop if one cannot be used.")
@click.option("--loop", type=click.Choice(["asyncio", "trio"]), default="asyncio", show_default=True, help="The event loop.")
@click.option("--log-level", type=click.Choice(_LEVELS), help="What is logged.  [default: info; warning on a terminal]")
@click.option("--live/--no-live", default=None, help="Show the queue below the log.  [default: on a terminal]")
@json_option
def worker(
    named: str | None, app: str | None, drain: bool, check: bool, loop: str, log_level: str | None, live: bool | None, out: Output
) -> None:
    """Send what is on the queue until stopped.

    SIGTERM and SIGINT (Ctrl-C) stop it gracefully: it takes nothing more, lets the sends that are under way finish within the
    notifier's grace period, gives back the rest, and exits with 0. A second signal cuts them off; what was cut off is sent again
    by the next worker.

    Every event is a log line on standard error; with --json, a JSON object on standard output. An application that has set up
    logging itself is left to it.
    """
    notifier = find_notifier(named or app)
    shown = out.is_live if live is None else live and not out.as_json
    _set_up_logging(out, log_level or ("warning" if shown else "info"), shown)
    _observe(notifier)
    with_notifier(notifier, partial(_work, drain=drain, check=check, out=out if shown else None), loop=loop)
    if out.as_json:
        sys.stdout.flush()  # a reader that has gone is met here, and not by the interpreter as it ends


async def _work(notifier: Notifier, *, drain: bool, check: bool, out: Output | None) -> None:
    if check:
        await notifier.check()
    working = anyio.CancelScope()
    async with stop_on_signals(partial(_stop, notifier, working), wanted=True), anyio.create_task_group() as tasks:
        _log.info("working on %s; SIGTERM or Ctrl-C stops it", ", ".join(notifier.channels) or "no channels")
        if out is not None:
            tasks.start_soon(_show, notifier, out)
        with working:
            await (notifier.drain() if drain else notifier.run())
        tasks.cancel_scope.cancel()
    _log.info("stopped")


def _stop(notifier: Notifier, working: anyio.CancelScope, *, now: bool) -> None:
    """End the work, which takes cancellation as a request to end in order; the second time, cut it off."""
    if now:
        _log.warning("cutting off what is being sent")
        notifier.stop(now=True)
    else:
        _log.warning("stopping: what is being sent may finish; once more cuts it off")
        working.cancel()


async def _show(notifier: Notifier, out: Output) -> None:
    """Draw the queue each second, below what is printed and logged."""
    from rich.live import Live
    from rich.text import Text

    look = Look(notifier)
    with Live(console=out.console, auto_refresh=False, transient=True) as live:
        while True:
            try:
                await look.again()
            except BusError as error:
                live.update(Text(f"the queue cannot be reached: {error}", style="red"), refresh=True)
            else:
                live.update(look.drawn(out), refresh=True)
            await anyio.sleep(1)


def _observe(notifier: Notifier) -> None:
    """Log every event, unless the application does."""
    if log_events not in notifier._observers:
        notifier._observe((*notifier._observers, log_events))


def _set_up_logging(out: Output, level: str, shown: bool) -> None:
    logging.getLogger("notifykit").setLevel(level.upper())
    if logging.getLogger().handlers:
        return
    if out.as_json:
        handler: logging.Handler = json_handler(sys.stdout)
    else:
        handler = _Lines(out.say) if shown else logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    logging.raiseExceptions = False  # whoever reads the log may go away; the messages go on, and no traceback takes the log's place


class _Lines(logging.Handler):
    """Log lines above the live display."""

    _STYLES = {logging.WARNING: "yellow", logging.ERROR: "red"}  # noqa: RUF012

    def __init__(self, say: Callable[[str, str], None]) -> None:
        super().__init__()
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        """Print a line."""
        self._say(visible(self.format(record)), self._STYLES.get(record.levelno, ""))
