"""The commands by name. Each module is loaded when its command is called, so that ``--help`` starts at once."""

import itertools
import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, NoReturn

import click

from notifykit.cli.failures import INTERRUPTED, Failure

__all__ = ["COMMANDS", "Commands", "notifykit", "run"]

COMMANDS: Mapping[str, tuple[str, str]] = {
    "buses": ("plugins", "What queues are installed, and whether they load."),
    "campaign": ("campaign", "Enqueue a notification for everybody in a file."),
    "campaigns": ("campaigns", "List, pause, resume and cancel campaigns."),
    "channels": ("plugins", "What channels are installed, and whether they load."),
    "check": ("check", "Find what is wrong with templates and configuration."),
    "dead": ("dead", "List, show, replay and purge dead letters."),
    "demo": ("demo", "Show notifications on three channels; nothing leaves this machine."),
    "keys": ("keys", "Make a key pair for web push (VAPID)."),
    "migrate": ("migrate", "Make the queue's store, or bring it up to date."),
    "preview": ("preview", "Show every template in the browser."),
    "send": ("send", "Try one recipient, one channel and one template, now."),
    "status": ("status", "How much waits, how old it is, and what died."),
    "suppressions": ("suppressions", "List, add and remove addresses that get nothing."),
    "worker": ("worker", "Send what is on the queue until stopped."),
}
"""The module of each command, and its line in the list."""


class Commands(click.Group):
    """Loads each command when it is called, and makes one sentence of every error."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in their order."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"notifykit.cli.{COMMANDS[cmd_name][0]}"), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without loading any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in self.list_commands(ctx)])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Any]:
        """Complete names without loading any."""
        from click.shell_completion import CompletionItem

        if incomplete.startswith("-"):
            return click.Command.shell_complete(self, ctx, incomplete)
        return [CompletionItem(name, help=COMMANDS[name][1]) for name in self.list_commands(ctx) if name.startswith(incomplete)]

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; what it raises becomes a :class:`Failure`."""
        try:
            return super().invoke(ctx)
        except (click.exceptions.Exit, click.Abort, click.UsageError, Failure):
            raise
        except KeyboardInterrupt:
            raise click.exceptions.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            _leave_quietly()
        except BaseExceptionGroup as group:
            if group.split(KeyboardInterrupt)[0] is not None:
                raise click.exceptions.Exit(INTERRUPTED) from None
            raise _failure(ctx, group) from group
        except Exception as error:
            raise _failure(ctx, error) from error


def _failure(ctx: click.Context, error: BaseException) -> Failure:
    from notifykit.cli.sentences import failure  # knows the errors, which --help does not need

    return failure(error, as_json=bool(ctx.meta.get("notifykit.json")), with_traceback=ctx.params["traceback"])


def _leave_quietly() -> NoReturn:
    """Leave without a word when the reader of our output has gone, as ``head`` does."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise click.exceptions.Exit(0)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--traceback", is_flag=True, envvar="NOTIFYKIT_TRACEBACK", help="Show where an error came from.")
@click.version_option(package_name="notifykit", prog_name="notifykit", message="%(prog)s %(version)s")
def notifykit(traceback: bool) -> None:
    """Notify people: operate the queue, the workers, the templates and the channels of an application.

    Most commands need the application's notifier: name it with --app MODULE:ATTRIBUTE or in NOTIFYKIT_APP.
    """


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    as_json = "--json" in itertools.takewhile(lambda word: word != "--", words)
    try:
        answer = notifykit.main(arguments, prog_name="notifykit", standalone_mode=False)
    except click.exceptions.Abort:
        error: click.ClickException = Failure("stopped", INTERRUPTED, "Abort", as_json=as_json)
    except click.UsageError as wrong:
        # What is wrong may be found before --json is read.
        error = Failure(wrong.format_message(), wrong.exit_code, type(wrong).__name__, as_json=True) if as_json else wrong
    except click.ClickException as failed:
        error = failed
    else:
        return answer if isinstance(answer, int) else 0
    error.show()
    return error.exit_code
