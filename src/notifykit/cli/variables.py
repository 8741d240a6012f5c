"""Variables of a template from the command line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

__all__ = ["read_variables", "variable_options"]

F = TypeVar("F", bound=Callable[..., Any])


def variable_options(command: F) -> F:
    """Add ``--var`` and ``--variables`` to a command."""
    command = click.option("--variables", metavar="JSON", help="Variables as a JSON object, or @FILE that holds one.")(command)
    return click.option("--var", metavar="NAME=TEXT", multiple=True, help="One variable, as text; may come several times.")(command)


def read_variables(var: tuple[str, ...], variables: str | None) -> dict[str, Any]:
    """Return what the options say; ``--var`` wins."""
    given: Any = {}
    if variables is not None:
        try:
            given = json.loads(Path(variables[1:]).read_text("utf-8") if variables.startswith("@") else variables)
        except ValueError as error:
            raise click.UsageError("--variables is no JSON: write an object, such as '{\"order\": 81}'") from error
        except OSError as error:
            raise click.UsageError(f"--variables: {error.filename}: {error.strerror}") from error
        if not isinstance(given, dict):
            raise click.UsageError("--variables is a JSON object, such as '{\"order\": 81}'")
    for each in var:
        name, equals, text = each.partition("=")
        if not (name and equals):
            raise click.UsageError(f"--var {each!r}: write NAME=TEXT")
        given[name] = text
    return dict(given)
