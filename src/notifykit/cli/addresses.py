"""Addresses on the command line."""

import json
from typing import Any

import click

__all__ = ["read_address"]


def read_address(text: str, what: str) -> Any:
    """Return an address: JSON where it is an object, else the text as it is. *what* names it if it is neither."""
    if text.lstrip().startswith("{"):
        try:
            return json.loads(text)
        except ValueError as error:
            raise click.UsageError(f"{what} begins like a JSON object and is none") from error
    return text
