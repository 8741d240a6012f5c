"""One answer from those of several shards. Pure."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

from attrs import asdict, evolve

from notifykit._claims import Claim, Counters, Depth, Page, Stats
from notifykit.errors import BusFullError, BusUnavailableError, NotifykitError

__all__ = ["after_of", "failure_of", "in_order", "merged_page", "merged_stats", "parted", "split", "token_of"]

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)


def split(number: int, parties: Sequence[int]) -> dict[int, int]:
    """Share *number* out as evenly as may be; who comes first gets more.

    >>> split(5, [2, 0, 1])
    {2: 2, 0: 2, 1: 1}
    """
    share, rest = divmod(max(0, number), len(parties))
    return {each: share + (place < rest) for place, each in enumerate(parties)}


def parted(things: Iterable[T], place: Callable[[T], int]) -> dict[int, list[tuple[int, T]]]:
    """Return, by *place*, the things there with their numbers in the whole."""
    parts: dict[int, list[tuple[int, T]]] = {}
    for number, each in enumerate(things):
        parts.setdefault(place(each), []).append((number, each))
    return parts


def in_order(parts: Mapping[int, Sequence[tuple[int, object]]], answers: Mapping[int, Sequence[T]]) -> list[T]:
    """Return the answers to what :func:`parted` parted, in the order of the whole."""
    pairs = [(number, answer) for place, part in parts.items() for (number, _), answer in zip(part, answers[place], strict=True)]
    return [answer for _, answer in sorted(pairs, key=lambda pair: pair[0])]


def token_of(claim: Claim) -> tuple[int | None, Claim]:
    """Return which shard gave a claim out, None if no shard did, and the claim as that shard knows it."""
    shard, colon, token = claim.token.partition(":")
    if not (colon and shard.isascii() and shard.isdigit()):
        return None, claim
    return int(shard), evolve(claim, token=token)


def failure_of(failures: Sequence[NotifykitError], done: bool) -> NotifykitError:
    """Return what a call raises of which shards failed: ``maybe_done`` if another did its part, or may have."""
    first = failures[0]
    if not isinstance(first, BusFullError | BusUnavailableError):
        return first
    if not (done or any(isinstance(each, BusUnavailableError) and each.maybe_done for each in failures)):
        return first
    error = BusUnavailableError(f"a shard of the bus did not do its part; repeating is safe: {first}", maybe_done=True)
    error.__cause__ = first
    return error


def after_of(after: int, shard: int, of: int) -> str | None:
    """Return behind which place one shard is to go on, where the whole goes on behind *after*."""
    behind = (after - shard) // of
    return str(behind) if behind > 0 else None


def merged_page(pages: Sequence[Page], limit: int) -> Page:
    """Return the first *limit* messages of all shards; a place in the whole is one in its shard, times the number of shards."""
    messages = [evolve(each, seq=each.seq * len(pages) + shard) for shard, page in enumerate(pages) for each in page.messages]
    messages.sort(key=lambda each: each.seq)
    more = len(messages) > limit or any(page.next is not None for page in pages)
    shown = messages[:limit]
    return Page(tuple(shown), str(shown[-1].seq) if more and shown else None)


def merged_stats(several: Sequence[Stats]) -> Stats:
    """Return the sums; a hold stands in every shard and counts once."""
    return Stats(
        _merged([each.depths for each in several], _both_depths),
        _merged([each.counters for each in several], _both_counters),
        _merged([each.groups for each in several], _both_depths),
        tuple(dict.fromkeys(hold for each in several for hold in each.holds)),
    )


def _merged(several: Sequence[Mapping[K, T]], both: Callable[[T, T], T]) -> dict[K, T]:
    merged: dict[K, T] = {}
    for each in several:
        for key, value in each.items():
            merged[key] = both(merged[key], value) if key in merged else value
    return merged


def _both_depths(one: Depth, other: Depth) -> Depth:
    oldest = max((each for each in (one.oldest_ready, other.oldest_ready) if each is not None), default=None)
    return Depth(one.ready + other.ready, one.scheduled + other.scheduled, one.claimed + other.claimed, one.dead + other.dead, oldest)


def _both_counters(one: Counters, other: Counters) -> Counters:
    theirs = asdict(other)
    return Counters(**{name: value + theirs[name] for name, value in asdict(one).items()})
