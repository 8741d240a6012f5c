"""What is known of a campaign beside its messages: whether it runs, and how fast. One record for each in the bus's ledger."""

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Literal, TypeAlias

import msgspec
from attrs import field, frozen

from notifykit._checks import check_text
from notifykit._limits import parse_limits
from notifykit.abc import Ledger, Window
from notifykit.errors import ConfigurationError

__all__ = [
    "Campaign",
    "CampaignState",
    "campaign_key",
    "read_campaign",
    "read_campaigns",
    "read_turn",
    "write_campaign",
    "write_turn",
]

_log = logging.getLogger("notifykit")

CampaignState: TypeAlias = Literal["running", "paused", "cancelled"]


def _notation(_: object, __: object, rate: str) -> None:
    parse_limits(rate)


def _name(_: object, __: object, group: str) -> None:
    check_text("group", group)
    if not group or len(group.encode(errors="replace")) > 200:
        raise ConfigurationError("a campaign needs a name, of at most 200 bytes, which keeps its recipients from getting it twice")


@frozen
class Campaign:
    """A campaign's record.

    Attributes:
        group: its name, which its messages bear.
        state: a paused one is not sent until it is resumed, a cancelled one never.
        rate: how fast it may go, in the notation of rate limits; empty for as fast as its channels.
    """

    group: str = field(validator=_name)
    state: CampaignState = "running"
    rate: str = field(default="", validator=_notation)

    @property
    def windows(self) -> list[Window]:
        """The windows that each of its messages must find room in."""
        digest = _digest(self.group)
        return [Window(f"rate:{int(period.total_seconds())}:{digest}", limit, period) for limit, period in parse_limits(self.rate)]

    @property
    def pace(self) -> timedelta:
        """The time from one message to the next, so that its rate is used evenly and nothing is claimed before its turn."""
        return max((period / limit for limit, period in parse_limits(self.rate)), default=timedelta(0))


def _digest(text: str) -> str:
    return blake2b(text.encode(errors="surrogatepass"), digest_size=16).hexdigest()


def campaign_key(group: str) -> str:
    """Return the ledger's key of a campaign."""
    return f"campaign:{_digest(group)}"


def read_campaigns(found: Mapping[str, bytes], groups: Iterable[str | None]) -> dict[str, Campaign]:
    """Return the campaigns of *groups* whose records were *found*, by name."""
    raw = {group: found.get(campaign_key(group)) for group in groups if group is not None} if found else {}
    return {group: _decoded(group, each) for group, each in raw.items() if each is not None}


async def read_campaign(ledger: Ledger, group: str) -> Campaign:
    """Return the campaign's record; a plain one where there is none."""
    return read_campaigns(await ledger.get([campaign_key(group)]), [group]).get(group) or Campaign(group)


async def write_campaign(ledger: Ledger, campaign: Campaign) -> None:
    """Store the record, or remove it where it says nothing."""
    plain = campaign == Campaign(campaign.group)
    facts = [campaign.group, campaign.state, campaign.rate]
    await ledger.put(campaign_key(campaign.group), None if plain else msgspec.json.encode(facts))


async def read_turn(ledger: Ledger, group: str, now: datetime) -> datetime:
    """Return when the next message that is enqueued for the campaign is due by its rate.

    It has a key of its own: a producer that moves it on must not undo what an operator does to the record meanwhile.
    """
    key = _turn_key(group)
    found = await ledger.get([key])
    try:
        return max(now, msgspec.json.decode(found[key], type=datetime)) if found else now
    except msgspec.MsgspecError:
        return now


async def write_turn(ledger: Ledger, group: str, next_at: datetime) -> None:
    """Note when the next one is due."""
    await ledger.put(_turn_key(group), msgspec.json.encode(next_at), next_at)


def _turn_key(group: str) -> str:
    return f"campaign-turn:{_digest(group)}"


def _decoded(group: str, raw: bytes) -> Campaign:
    try:
        return Campaign(*msgspec.json.decode(raw, type=tuple[str, CampaignState, str]))
    except (msgspec.MsgspecError, ConfigurationError):
        _log.warning("the record of campaign %r cannot be read, and is taken for that of a running one", group)
        return Campaign(group)
