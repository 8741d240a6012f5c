"""A notifier with other ends: the same templates, policies and observers on another bus, other channels and another clock."""

import copy
from collections.abc import Mapping
from typing import Any

from attrs import evolve

from notifykit._notifier.notifier import Notifier
from notifykit._notifier.open_channels import OpenChannels
from notifykit.abc import Bus, Channel, Clock

__all__ = ["rewired"]


def rewired(notifier: Notifier, bus: Bus, channels: Mapping[str, Channel], clock: Clock) -> Notifier:
    """Return a copy of *notifier*, not open, that knows nothing of the original's bus, channels and clock.

    *bus* must have a ledger.
    """
    made: Any = copy.copy(notifier)
    made.bus, made.channels, made.ledger, made._aside, made._clock = bus, channels, bus.ledger, None, clock
    made._composer = evolve(made._composer, channels=channels)
    made._intake = evolve(made._intake, bus=bus, ledger=bus.ledger, clock=clock)
    made._opened_in = None
    made._open_channels = OpenChannels(channels)
    made._workers = []
    return made  # type: ignore[no-any-return]
