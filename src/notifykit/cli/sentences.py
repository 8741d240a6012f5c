"""Every error as one sentence, with the exit code that it has."""

import traceback

import click

from notifykit.cli.failures import BAD_ANSWER, CONFIGURATION, INPUT, UNAVAILABLE, UNFORESEEN, Failure
from notifykit.cli.missing import NEEDED, SENTENCE
from notifykit.errors import BusError, ChannelUnavailableError, ConfigurationError, DeliveryError, MissingVariablesError, NotifykitError

__all__ = ["failure"]


def failure(error: BaseException, *, as_json: bool, with_traceback: bool) -> Failure:
    """Return what is to be said of *error*. Texts of foreign exceptions may hold secrets, and are shown with ``--traceback`` only."""
    one = _only(error)
    cause = error if with_traceback else None
    kind = type(one).__name__
    match one:
        case click.ClickException():
            return Failure(one.format_message(), one.exit_code, kind, as_json=as_json, cause=cause)
        case MissingVariablesError():
            return Failure(f"{one}; give each with --var NAME=TEXT", _code(one), kind, as_json=as_json, cause=cause)
        case NotifykitError():
            return Failure(str(one), _code(one), kind, as_json=as_json, cause=cause)
        case ModuleNotFoundError() if (one.name or "").partition(".")[0] in NEEDED:
            return Failure(SENTENCE, CONFIGURATION, "MissingExtraError", as_json=as_json, cause=cause)
        case OSError() if one.strerror:
            what = f"{one.filename}: {one.strerror}" if one.filename else one.strerror
            return Failure(what, CONFIGURATION, kind, as_json=as_json, cause=cause)
    text = f"this went wrong in a way that nobody foresaw: {kind}{_place(one)}; --traceback shows all of it"
    return Failure(text, UNFORESEEN, kind, as_json=as_json, cause=cause)


def _only(error: BaseException) -> BaseException:
    """Return the one error in a group of one, or the first of several."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _code(error: NotifykitError) -> int:
    match error:
        case ConfigurationError():
            return CONFIGURATION
        case BusError() | ChannelUnavailableError():
            return UNAVAILABLE
        case DeliveryError():
            return BAD_ANSWER
    return INPUT


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f" in {frames[-1].filename} line {frames[-1].lineno}" if frames else ""
