"""What a command prints: tables and sentences for people, JSON for scripts. The one place that knows rich."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self, TypeVar

import click

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress
    from rich.table import Table

__all__ = ["Output", "json_option", "visible"]

F = TypeVar("F", bound=Callable[..., Any])

_WIDE = 400
"""Columns of a table that goes to a file or a pipe: nothing is cut off there."""


def json_option(command: F) -> F:
    """Add ``--json`` to a command, as its argument *out*: an :class:`Output`."""

    def made(ctx: click.Context, _: click.Parameter, value: bool) -> Output:
        ctx.meta["notifykit.json"] = value
        return Output(as_json=value)

    return click.option("--json", "out", is_flag=True, is_eager=True, callback=made, help="Print JSON, for scripts.")(command)


class Output:
    """Standard output in one of two forms. Texts are never read as markup, and control characters are shown, not obeyed."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json

    @cached_property
    def console(self) -> "Console":
        """Rich's console on standard output."""
        from rich.console import Console

        console = Console(highlight=False)
        return console if console.is_terminal else Console(highlight=False, width=_WIDE, no_color=True)

    @property
    def is_live(self) -> bool:
        """Whether people watch: standard output is a terminal and JSON was not asked for."""
        return not self.as_json and sys.stdout.isatty()

    def record(self, record: Mapping[str, Any]) -> None:
        """Print one JSON object on a line; nothing where JSON was not asked for."""
        if self.as_json:
            click.echo(json.dumps(record, ensure_ascii=False, default=str))

    def say(self, text: str, style: str = "") -> None:
        """Print a sentence for people."""
        if not self.as_json:
            from rich.text import Text

            self.console.print(Text(visible(text), style=style), soft_wrap=True)

    def warn(self, text: str) -> None:
        """Print a sentence on standard error, in both forms."""
        click.echo(f"notifykit: {visible(text)}", err=True)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[Any]], *, right: Sequence[str] = ()) -> None:
        """Print a table for people; the columns named in *right* hold numbers."""
        if self.as_json:
            return
        table = self.make_table(columns, rows, right=right)
        if self.console.is_terminal:
            self.console.print(table)
            return
        with self.console.capture() as captured:
            self.console.print(table)
        click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))

    def make_table(self, columns: Sequence[str], rows: Sequence[Sequence[Any]], *, right: Sequence[str] = ()) -> "Table":
        """Return a table of texts and numbers."""
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
        for name in columns:
            table.add_column(name, justify="right" if name in right else "left", overflow="fold")
        for row in rows:
            table.add_row(*(each if isinstance(each, Text) else Text(visible(str(each))) for each in row))
        return table

    def progress(self, what: str, total: float | None) -> "Bar":
        """Return a bar on a terminal; elsewhere nothing is drawn."""
        return Bar(self, what, total)


class Bar:
    """A progress bar on standard error, so that standard output stays clean."""

    def __init__(self, out: Output, what: str, total: float | None) -> None:
        self._out = out
        self._what = what
        self._total = total
        self._progress: Progress | None = None

    def __enter__(self) -> Self:
        if not self._out.as_json and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

            self._progress = Progress(
                TextColumn("{task.description}"),
                BarColumn(30),
                TaskProgressColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.fields[note]}", style="dim"),
                console=Console(stderr=True, highlight=False),
            )
            self._task = self._progress.add_task(self._what, total=self._total, note="")
            self._progress.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._progress is not None:
            self._progress.stop()

    def to(self, done: float, note: str = "") -> None:
        """Say how far it is."""
        if self._progress is not None:
            self._progress.update(self._task, completed=done, note=note)


def visible(text: str) -> str:
    """Return *text* with control characters shown, so that no stored value can write to the terminal."""
    return "".join(char if char.isprintable() or char == "\n" else repr(char)[1:-1] for char in text)
