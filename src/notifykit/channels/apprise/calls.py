"""The calls of Apprise; imported in a thread at the first send, for it loads a hundred plug-ins.

Apprise answers True or False (since 2.0 an object that is true or false), logs why, and catches nearly everything: whether a
False means that nothing was sent, it does not say. One URL may stand for several targets, and a long body for several requests.
"""

import enum
import inspect
from functools import cache
from typing import Any

import apprise
from attrs import frozen

from notifykit._secrets import Secret
from notifykit.channels.apprise.logs import withholding
from notifykit.errors import ChannelUnavailableError, DeliveryError, OutcomeUnknownError, PermanentError

__all__ = ["Answer", "Report", "judge", "load", "notify"]


class Answer(enum.Enum):
    """What Apprise made of a notification."""

    SENT = "sent"
    FAILED = "failed"
    UNREADABLE = "unreadable"
    BROKEN = "broken"


@frozen
class Report:
    """An answer, the HTTP status that was logged with it if there was one, and the type of an exception that came through."""

    answer: Answer
    status: str = ""
    fault: str = ""


@cache
def _loaded() -> None:
    apprise.Apprise.instantiate("json://localhost", asset=_asset(), suppress_exceptions=False)


def load() -> Report:
    """Load the plug-ins, once, and say whether that went well."""
    with withholding():
        try:
            _loaded()
        except Exception as error:
            return Report(Answer.BROKEN, fault=type(error).__name__)
    return Report(Answer.SENT)


def notify(url: Secret, title: str, body: str, timeout: float) -> Report:
    """Send once, with *timeout* seconds for each connection and each answer; raises nothing and logs nothing."""
    loaded = load()
    if loaded.answer is Answer.BROKEN:
        return loaded
    with withholding() as statuses:
        try:
            plugin = apprise.Apprise.instantiate(url.reveal(), asset=_asset())
        except Exception:  # a plug-in that stumbles over its URL
            plugin = None
        if plugin is None:
            return Report(Answer.UNREADABLE)
        # What the URL may have set otherwise: the retries are notifykit's, and a failure is one.
        plugin.retry, plugin.optional, plugin.redirects = 0, False, False
        plugin.socket_connect_timeout = plugin.socket_read_timeout = timeout
        service = apprise.Apprise(asset=_asset())
        service.add(plugin)
        try:
            sent = service.notify(body=body, title=title, body_format=apprise.NotifyFormat.TEXT)
        except Exception as error:
            return Report(Answer.FAILED, fault=type(error).__name__)
        return Report(Answer.SENT) if sent else Report(Answer.FAILED, statuses[-1] if statuses else "")


def _asset() -> apprise.AppriseAsset:
    """Return settings by which Apprise writes no files and runs in the thread that calls it."""
    wanted: dict[str, Any] = {
        "async_mode": False,
        "http_redirects": False,
        "pem_autogen": False,
        "pgp_autogen": False,
        "service_timeout": 0,
        "storage_mode": apprise.PersistentStoreMode.MEMORY,
    }
    # Not every release knows all of them, and each refuses what it does not know.
    known = {*vars(apprise.AppriseAsset), *inspect.signature(apprise.AppriseAsset).parameters}
    return apprise.AppriseAsset(**{name: value for name, value in wanted.items() if name in known})


def judge(report: Report) -> DeliveryError | None:
    """Return the error that *report* means, or None for a notification that was sent."""
    match report.answer:
        case Answer.SENT:
            return None
        case Answer.UNREADABLE:
            return PermanentError("Apprise does not understand the address, or lacks a package that its service needs")
        case Answer.BROKEN:
            return ChannelUnavailableError(f"Apprise cannot be loaded: {report.fault}")
        case _:
            # Some of it may have gone out: to one of several targets, as the first of several requests, or before a time-out.
            why = f": {report.fault}" if report.fault else f" (status {report.status})" if report.status else ""
            return OutcomeUnknownError(
                f"Apprise says that the notification failed{why}, and not whether any of it was sent", code=report.status
            )
