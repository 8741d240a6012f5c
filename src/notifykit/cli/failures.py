"""What a command that failed says, and the exit code that tells scripts why.

====  ===============================================================================================
0     done
1     done, and the answer is bad: not delivered, nothing found, a template with errors, a broken plug-in
2     the command line itself is wrong
3     the configuration is wrong, or something is not installed
4     the queue, or a channel, cannot be reached now: trying later may help
5     what was asked for is wrong: the recipient, the address, the template or its variables, a line of a file
70    nobody foresaw it
130   interrupted
====  ===============================================================================================
"""

import json
import traceback
from typing import IO, Any

import click

__all__ = ["BAD_ANSWER", "CONFIGURATION", "INPUT", "INTERRUPTED", "UNAVAILABLE", "UNFORESEEN", "Failure", "InputError"]

BAD_ANSWER, CONFIGURATION, UNAVAILABLE, INPUT, UNFORESEEN, INTERRUPTED = 1, 3, 4, 5, 70, 130


class InputError(click.ClickException):
    """Something in a file that was given cannot be read."""

    exit_code = INPUT


class Failure(click.ClickException):
    """An error of one sentence, or of one JSON object for scripts, on standard error."""

    def __init__(self, text: str, exit_code: int, kind: str, *, as_json: bool = False, cause: BaseException | None = None) -> None:
        super().__init__(text)
        self.exit_code = exit_code  # type: ignore[misc]
        self.kind = kind
        self.as_json = as_json
        self.cause = cause

    def show(self, file: IO[Any] | None = None) -> None:
        """Print it."""
        if self.cause is not None:
            click.echo("".join(traceback.format_exception(self.cause)), err=True, nl=False)
        if self.as_json:
            click.echo(json.dumps({"error": self.kind, "message": self.message, "exit_code": self.exit_code}, ensure_ascii=False), err=True)
        else:
            click.echo(f"notifykit: {self.message}", err=True)
