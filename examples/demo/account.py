"""The account: what was enqueued against what arrived. Pure."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from attrs import frozen

__all__ = ["Account", "Expected", "balance"]


@frozen
class Expected:
    """A message that somebody is to get.

    Attributes:
        mark: what it will be recognised by: an e-mail by its Message-ID, a Telegram text and a push message by where they
            arrive and the order that they are about.
    """

    message_id: str
    channel: str
    recipient_id: str
    template: str
    mark: str


@frozen(kw_only=True)
class Account:
    """How it comes out, in message ids (marks, for what nobody has sent).

    Attributes:
        once: arrived exactly once.
        twice: arrived more than once, which only a worker that was killed between sending and noting it explains.
        missing: never arrived.
        unexpected: arrived, and nobody had sent it.
        dead: are dead letters now.
        replayed: were dead letters, and were sent again.
        deaths: of workers.
    """

    once: tuple[str, ...]
    twice: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    dead: tuple[str, ...]
    replayed: tuple[str, ...]
    deaths: int

    @property
    def faults(self) -> tuple[str, ...]:
        """What is not accounted for: a sentence for each, with the ids."""
        unexplained = () if self.deaths else self.twice
        kinds = {
            "never arrived": self.missing,
            "arrived more than once, though no worker was killed": unexplained,
            "arrived, though nobody had sent it": self.unexpected,
            "is a dead letter": self.dead,
        }
        return tuple(f"{what}: {', '.join(ids)}" for what, ids in kinds.items() if ids)


def balance(
    expected: Sequence[Expected], arrived: Iterable[str], *, dead: Collection[str], replayed: Collection[str], deaths: int
) -> Account:
    """Return the account of *expected* messages and the marks that *arrived*."""
    times = Counter(arrived)
    known = {each.mark for each in expected}
    return Account(
        once=tuple(each.message_id for each in expected if times[each.mark] == 1),
        twice=tuple(each.message_id for each in expected if times[each.mark] > 1),
        missing=tuple(each.message_id for each in expected if times[each.mark] == 0),
        unexpected=tuple(sorted(mark for mark in times if mark not in known)),
        dead=tuple(dead),
        replayed=tuple(replayed),
        deaths=deaths,
    )
