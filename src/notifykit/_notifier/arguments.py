"""The arguments of a notifier, each refused at once where it cannot be what was meant."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import PurePath

from notifykit._bus_checks import check_lease
from notifykit._checks import expect, named
from notifykit._outbox import Outbox
from notifykit._outcomes import RetryPolicy
from notifykit._plugins import channel_from_url, get_bus
from notifykit._policies import ChannelPolicy
from notifykit._unsubscribe import UnsubscribeLinks
from notifykit.abc import Bus, Channel
from notifykit.errors import ConfigurationError
from notifykit.events import Observer
from notifykit.telemetry.logging import log_events

__all__ = ["bus_of", "channels_of", "check_functions", "check_kinds", "check_times", "observers_of", "policies_of"]


def bus_of(given: Bus | str) -> Bus:
    """Return the bus that is meant.

    Raises: as :func:`get_bus`, and ConfigurationError for what is neither.
    """
    if isinstance(given, PurePath):
        raise ConfigurationError(f"bus takes a URL and no path: 'sqlite:///{given.name}', or four slashes before an absolute path")
    if isinstance(given, str):
        return get_bus(given)
    expect("bus", given, Bus, "a URL, as sqlite:///notify.db, or a Bus")
    return given


def channels_of(given: Mapping[str, Channel | str]) -> dict[str, Channel]:
    """Return the channels by their names.

    Raises: as :func:`channel_from_url`, and ConfigurationError for names and channels that are none.
    """
    expect("channels", given, Mapping, 'a mapping from names to channels or URLs, as {"email": "console://email"}')
    made: dict[str, Channel] = {}
    for name, each in given.items():
        expect("the name of a channel", name, str, "text")
        if not name:
            raise ConfigurationError("a channel needs a name, as in {'email': …}")
        if isinstance(each, type):
            raise ConfigurationError(f"channel {name} is the class {each.__name__}: construct it, or give a URL")
        made[name] = channel_from_url(each) if isinstance(each, str) else each
        expect(f"channel {name}", made[name], Channel, "a Channel or a URL")
    return made


def policies_of(channels: Mapping[str, Channel], given: Mapping[str, ChannelPolicy] | None) -> dict[str, ChannelPolicy]:
    """Return a policy for each channel.

    Raises:
        ConfigurationError: one is for a channel that is not there, or is no policy.
    """
    given = {} if given is None else given
    expect("policies", given, Mapping, "a mapping from channels to policies, as {'email': ChannelPolicy(limits='100/hour')}")
    unknown = sorted(map(str, set(given) - set(channels)))
    if unknown:
        raise ConfigurationError(f"policies are given for {', '.join(unknown)}, but the channels are: {', '.join(channels) or 'none'}")
    for name, each in given.items():
        expect(f"the policy of {name}", each, ChannelPolicy, "a ChannelPolicy, as ChannelPolicy(limits='100/hour')")
    return {name: given.get(name) or ChannelPolicy() for name in channels}


def observers_of(given: Sequence[Observer] | None) -> tuple[Observer, ...]:
    """Return the observers; where nothing was said, the one that logs.

    Raises:
        ConfigurationError: they are no list of functions.
    """
    if given is None:
        return (log_events,)
    if isinstance(given, str) or not isinstance(given, Sequence) or not all(callable(each) for each in given):
        raise ConfigurationError("observers takes a list of functions that take an event, as observers=[log_events]")
    return tuple(given)


def check_functions(**given: object) -> None:
    """Refuse what cannot be called; None is nothing.

    Raises: ConfigurationError.
    """
    for name, each in given.items():
        if each is not None and not callable(each):
            raise ConfigurationError(f"{name} takes an async function, not {named(each)}")


def check_kinds(retry: RetryPolicy | None, unsubscribe: object, outbox: Outbox | None) -> None:
    """Refuse what is of another type; None is nothing.

    Raises: ConfigurationError.
    """
    for name, each, kind, what in (
        ("retry", retry, RetryPolicy, "a RetryPolicy, as RetryPolicy(max_attempts=6)"),
        ("unsubscribe", unsubscribe, UnsubscribeLinks, "UnsubscribeLinks(url, key), or None if there are no links"),
        ("outbox", outbox, Outbox, "an Outbox"),
    ):
        if each is not None:
            expect(name, each, kind, what)


def check_times(lease: timedelta, grace: timedelta, keep_dead_letters: timedelta | None) -> None:
    """Refuse times that are none, or mean nothing.

    Raises: ConfigurationError.
    """
    check_lease(lease)
    expect("grace", grace, timedelta, "a timedelta, as timedelta(seconds=25)")
    if grace < timedelta(0):
        raise ConfigurationError("grace cannot be negative")
    if keep_dead_letters is not None:
        expect("keep_dead_letters", keep_dead_letters, timedelta, "a timedelta, as timedelta(days=30), or None to keep them")
        if keep_dead_letters <= timedelta(0):
            raise ConfigurationError("keep_dead_letters must be longer than nothing; None keeps them")
