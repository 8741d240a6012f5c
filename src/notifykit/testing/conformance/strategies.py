"""Hypothesis strategies for what a bus is given. Times are offsets, because an example brings its own clock."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from notifykit._claims import Action, Envelope, Reason, State
from notifykit._messages import Lane

__all__ = ["actions", "bodies", "changes_of_time", "drafts", "envelopes", "filters", "lane_limits", "leases", "marks", "outcome_drafts"]

IDS = ("a", "b", "c", "d", "e", "f")
CHANNELS = ("email", "push")
MS = timedelta(milliseconds=1)
SECOND = timedelta(seconds=1)
OFFSETS = (timedelta(seconds=-5), timedelta(0), MS, SECOND, 2 * SECOND, 2 * SECOND, timedelta(hours=1))


def actions() -> st.SearchStrategy[Action]:
    """What ``change`` can do."""
    return st.sampled_from(Action)


def bodies() -> st.SearchStrategy[bytes]:
    """Bodies: mostly short, any bytes."""
    return st.one_of(st.just(b""), st.binary(max_size=20))


def marks() -> st.SearchStrategy[bytes | None]:
    """Progress that an extend brings: mostly none."""
    return st.one_of(st.none(), st.none(), bodies())


def _offsets() -> st.SearchStrategy[timedelta]:
    return st.sampled_from(OFFSETS)


def drafts(**fields: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Fields of envelopes from small pools, so that ids and keys meet; due and expiry are offsets from now."""
    parts: dict[str, st.SearchStrategy[Any]] = {
        "id": st.sampled_from(IDS),
        "channel": st.sampled_from(("email", "email", "email", "push")),
        "lane": st.sampled_from(Lane),
        "due_at": st.one_of(st.none(), st.none(), _offsets()),
        "expires_at": st.one_of(st.none(), st.none(), st.none(), _offsets()),
        "max_attempts": st.sampled_from((1, 2, 2, 9)),
        "idempotency_key": st.sampled_from((None, None, "k", "l")),
        "group": st.sampled_from((None, None, "g", "h")),
        "recipient_id": st.sampled_from(("user:1", "user:2")),
        "template": st.sampled_from(("", "news")),
        "body": bodies(),
    }
    return st.fixed_dictionaries({name: fields.get(name, part) for name, part in parts.items()})


def envelopes() -> st.SearchStrategy[Envelope]:
    """Envelopes that are due at once and never expire."""
    return drafts(due_at=st.none(), expires_at=st.none()).map(lambda fields: Envelope(**fields))


def outcome_drafts() -> st.SearchStrategy[tuple[str, Mapping[str, Any]]]:
    """The kind of an outcome and its fields, due as an offset, then as drafts."""
    then = st.one_of(st.just(()), st.lists(drafts(), max_size=2).map(tuple))
    errors = st.sampled_from(("", "451 later", "ř" * 700))
    kinds: tuple[st.SearchStrategy[Any], ...] = (
        st.tuples(st.just("Ack"), st.fixed_dictionaries({"then": then})),
        st.tuples(
            st.just("Retry"), st.fixed_dictionaries({"due_at": _offsets(), "error": errors, "progress": bodies(), "then": then})
        ),
        st.tuples(
            st.just("Release"),
            st.fixed_dictionaries({
                "due_at": st.one_of(st.none(), st.sampled_from(OFFSETS[1:])),
                "progress": st.one_of(st.none(), bodies()),
            }),
        ),
        st.tuples(st.just("Bury"), st.fixed_dictionaries({"reason": st.sampled_from(Reason), "error": errors, "then": then})),
    )  # fmt: skip
    return st.one_of(*kinds)


def lane_limits() -> st.SearchStrategy[dict[Lane, int]]:
    """Lanes of a claim with the most that may come from each."""
    return st.one_of(
        st.just({Lane.TRANSACTIONAL: 9, Lane.CAMPAIGN: 9}),
        st.dictionaries(st.sampled_from(Lane), st.integers(0, 3), max_size=2),
    )


def leases() -> st.SearchStrategy[timedelta]:
    """Leases: short ones that end soon, and the longest there is."""
    return st.sampled_from((SECOND, SECOND, 2 * SECOND, timedelta(seconds=60), timedelta(minutes=15)))


def filters() -> st.SearchStrategy[dict[str, Any]]:
    """Fields of filters that name one or two things; since and until are offsets."""
    fields: dict[str, st.SearchStrategy[Any]] = {
        "ids": st.lists(st.sampled_from(IDS), max_size=3, unique=True).map(tuple),
        "channel": st.sampled_from(CHANNELS),
        "lane": st.sampled_from(Lane),
        "recipient_id": st.just("user:1"),
        "template": st.just("news"),
        "group": st.sampled_from(("g", "h")),
        "state": st.sampled_from(State),
        "reason": st.sampled_from(Reason),
        "since": _offsets(),
        "until": _offsets(),
    }
    one = st.sampled_from(sorted(fields)).flatmap(lambda name: st.fixed_dictionaries({name: fields[name]}))
    return st.one_of(st.just({}), one, one, st.tuples(one, one).map(lambda pair: {**pair[0], **pair[1]}))


def changes_of_time() -> st.SearchStrategy[timedelta]:
    """Amounts of time that hit the edges of the offsets and leases, and pass them by a millisecond."""
    return st.sampled_from((MS, SECOND - MS, SECOND, SECOND + MS, 2 * SECOND, timedelta(seconds=60), timedelta(hours=24)))
