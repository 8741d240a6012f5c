"""Planted bugs: small changes of the memory bus, each of which a named law and the machine must catch."""

from collections import deque
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from functools import partial
from heapq import heappush

import anyio
from attrs import evolve, frozen

from notifykit._claims import MAX_BATCH, MAX_TAKEOVERS, Action, Changed, Claimed, Page, Reason, Settled, State, check_batch
from notifykit._clock import to_ms
from notifykit._ids import new_id
from notifykit._messages import Lane
from notifykit._outcomes import Ack, Release, Retry, check_settlements
from notifykit.buses.memory import MemoryBus
from notifykit.buses.memory.bus import MemoryLedger
from notifykit.buses.memory.keys import Holds, Keys
from notifykit.buses.memory.queue import CLAIMED, WAITING, LaneQueue
from notifykit.buses.memory.store import MemoryStore
from notifykit.errors import BusError

MUTANTS = {}


@frozen
class Mutant:
    store: type
    law: str

    hasty: bool = False
    bus: type = MemoryBus

    @asynccontextmanager
    async def make(self):
        store, in_haste = self.store, self.hasty

        class Bus(self.bus):
            hasty = in_haste

            @staticmethod
            def _make_store(settings):
                return store(settings.clock, settings.idempotency_ttl, settings.campaign_after, settings.capacity)

            async def claim(self, *args):
                # without the pause of the real one, so that the machine needs no event loop
                return self.opened().claim(*args) if self.hasty else await super().claim(*args)

            async def pause(self):
                if not self.hasty:
                    await super().pause()

        yield partial(Bus, name=new_id())


def caught_by(law):
    def plant(store):
        MUTANTS[store.__name__] = Mutant(store, law)
        return store

    return plant


# tokens and attempts


@caught_by("a_stale_settle_changes_nothing")
class IgnoresToken(MemoryStore):
    def _is_claimed_by(self, record, claim):
        return record.state == CLAIMED


@caught_by("no_two_claims_bear_the_same_token")
class TokenUsedAgain(MemoryStore):
    def _hand_out(self, *args):
        claims = [evolve(each, token=each.envelope.id) for each in super()._hand_out(*args)]
        for each in claims:
            self._by_id[each.envelope.id].token = each.token
        return claims


@caught_by("a_claim_counts_an_attempt")
class AttemptNotCounted(MemoryStore):
    def _retry(self, record, outcome, now):
        record.attempts -= 1
        super()._retry(record, outcome, now)


@caught_by("the_error_of_the_last_failed_attempt_is_shown")
class ShowsTheErrorsOfTheDeadOnly(MemoryStore):
    def _retry(self, record, outcome, now):
        super()._retry(record, evolve(outcome, error=""), now)


@caught_by("a_crash_uses_up_an_attempt")
class CrashCostsNoAttempt(MemoryStore):
    def _put_back(self, record, now):
        if record.lease_until <= now and record.takeovers:
            record.attempts -= 1
        super()._put_back(record, now)


@caught_by("a_release_gives_the_attempt_back")
class ReleaseCostsAnAttempt(MemoryStore):
    def _end(self, record, outcome, now):
        if isinstance(outcome, Release):
            record.attempts += 1
        return super()._end(record, outcome, now)


@caught_by("one_settle_may_hold_a_claim_twice")
class AReleaseGivenTwiceGivesTwoAttemptsBack(MemoryStore):
    def settle(self, settlements):
        answers = super().settle(settlements)
        released = [each.claim.envelope.id for each in settlements if isinstance(each.outcome, Release)]
        for message_id in {each for each in released if released.count(each) > 1 and each in self._by_id}:
            self._by_id[message_id].attempts -= 1
        return answers


# edges of time


@caught_by("a_claimed_message_is_nobody_elses")
class TakesOverAMillisecondEarly(MemoryStore):
    def _take_over(self, place, lease, now):
        return super()._take_over(place, lease, now + 1)


@caught_by("a_lease_that_is_over_is_taken_over")
class TakesOverAMillisecondLate(MemoryStore):
    def _take_over(self, place, lease, now):
        return super()._take_over(place, lease, now - 1)


@caught_by("nothing_is_claimed_before_it_is_due")
class DueAMillisecondEarly(MemoryStore):
    def _next_record(self, place, room, now):
        return super()._next_record(place, room, now + 1)


@caught_by("nothing_is_claimed_before_it_is_due")
class DueAMillisecondLate(MemoryStore):
    def _next_record(self, place, room, now):
        return super()._next_record(place, room, now - 1)


@caught_by("what_expires_while_waiting_dies")
class ExpiresAMillisecondLate(MemoryStore):
    def _expire(self, place, now):
        return super()._expire(place, now - 1)


@caught_by("a_late_settle_is_accepted")
class RefusesALateSettle(MemoryStore):
    def _is_claimed_by(self, record, claim):
        return super()._is_claimed_by(record, claim) and self.time.now() < record.lease_until


@caught_by("a_retry_stands_behind_what_was_ready_before")
class RetryInThePast(MemoryStore):
    def _retry(self, record, outcome, now):
        super()._retry(record, outcome, to_ms(outcome.due_at))


@caught_by("what_is_due_at_once_bears_the_time_of_its_arrival")
class DueInThePast(MemoryStore):
    def _add(self, envelope, now):
        return super()._add(envelope, now if envelope.due_at is None else min(now, to_ms(envelope.due_at)))


# order


class ById(LaneQueue):
    def put(self, record, now):
        heappush(self._heap, (record.due, record.envelope.id, record))

    def first(self):
        while self._heap and self._heap[0][2].state != WAITING:
            self._heap.pop(0)
            self._heap.sort(key=lambda entry: entry[:2])
        return self._heap[0][2] if self._heap else None


@caught_by("first_in_first_out")
class FirstInFirstOutById(MemoryStore):
    def _lane(self, channel, lane):
        new = channel not in self._channels
        super()._lane(channel, lane)
        if new:
            self._channels[channel].lanes = {each: ById() for each in Lane}
        return self._channels[channel].lanes[lane]


@caught_by("the_order_of_a_batch_is_kept")
class AnswersInTheOrderOfReturning(MemoryStore):
    def _hand_out(self, *args):
        return sorted(super()._hand_out(*args), key=lambda each: each.envelope.id)


@caught_by("transactional_goes_before_campaign")
class LanesReversed(MemoryStore):
    def __init__(self, clock, idempotency_ttl, campaign_after, capacity):
        super().__init__(clock, idempotency_ttl, 0, capacity)


@caught_by("transactional_goes_before_campaign")
class LanesInTurn(MemoryStore):
    def __init__(self, clock, idempotency_ttl, campaign_after, capacity):
        super().__init__(clock, idempotency_ttl, 1, capacity)


@caught_by("a_lane_gives_at_most_what_is_allowed")
class IgnoresTheLimitOfALane(MemoryStore):
    def _hand_out(self, channel, place, lanes, limit, now, until):
        return super()._hand_out(channel, place, dict.fromkeys(lanes, 256), limit, now, until)


@caught_by("a_lane_gives_at_most_what_is_allowed")
class GivesAllLanes(MemoryStore):
    def _hand_out(self, channel, place, lanes, limit, now, until):
        return super()._hand_out(channel, place, {**dict.fromkeys(Lane, 256), **lanes}, limit, now, until)


@caught_by("a_retry_stands_behind_what_was_ready_before")
class RetryKeepsItsPlace(MemoryStore):
    def _retry(self, record, outcome, now):
        self._count(record, "retried")
        record.due = max(record.due, to_ms(outcome.due_at))
        self._put_back(record, now)


@caught_by("a_release_goes_back_to_its_old_place")
class ReleaseLosesItsPlace(MemoryStore):
    def _end(self, record, outcome, now):
        if isinstance(outcome, Release):
            del self._by_seq[record.seq]
            self._seq = record.seq = self._seq + 1
            self._by_seq[record.seq] = record
        return super()._end(record, outcome, now)


@caught_by("what_is_taken_over_goes_back_to_its_old_place")
class TakeOverLosesItsPlace(MemoryStore):
    def _put_back(self, record, now):
        if record.lease_until <= now and record.takeovers:
            record.due = now
        super()._put_back(record, now)


# death


@caught_by("the_last_retry_makes_a_dead_letter")
class DiesOneAttemptLate(MemoryStore):
    def _end(self, record, outcome, now):
        if isinstance(outcome, Retry) and record.attempts == record.envelope.max_attempts:
            self._retry(record, outcome, now)
            return False
        return super()._end(record, outcome, now)


@caught_by("a_crash_uses_up_an_attempt")
class ACrashNeverKills(MemoryStore):
    def _take_over(self, place, lease, now):
        for _ in range(MAX_BATCH):
            record = place.first_lease()
            if record is None or record.lease_until > now:
                return
            self._count(record, "taken_over")
            record.takeovers += 1
            self._put_back(record, now)
        yield


@caught_by("every_lane_of_the_channel_is_taken_over")
class TakesOverWhatIsAskedForOnly(MemoryStore):
    def claim(self, channel, lanes, limit, lease, settle=()):
        self.asked = lanes
        return super().claim(channel, lanes, limit, lease, settle)

    def _expire(self, place, now):
        for record in [each for each in self._by_id.values() if each.state == WAITING and each.expires is not None and each.expires <= now]:
            if self._channels[record.envelope.channel] is place and record.envelope.lane in self.asked:
                self._bury(record, Reason.EXPIRED, "", now)
                yield record.envelope.id


@caught_by("what_expires_while_waiting_dies")
class IgnoresExpiry(MemoryStore):
    def _expire(self, place, now):
        return iter(())


@caught_by("what_expires_under_a_lease_lives_on")
class ExpiresUnderALease(MemoryStore):
    def _expire(self, place, now):
        for record in [each for each in self._by_id.values() if each.state <= CLAIMED and each.expires is not None and each.expires <= now]:
            if self._channels[record.envelope.channel] is place:
                self._bury(record, Reason.EXPIRED, "", now)
                yield record.envelope.id


@caught_by("what_expires_under_a_lease_lives_on")
class ForgetsExpiryUnderALease(MemoryStore):
    def _put_back(self, record, now):
        record.awaits_expiry = True
        super()._put_back(record, now)


@caught_by("a_bury_makes_a_dead_letter_of_its_reason")
class ForgetsTheError(MemoryStore):
    def _bury(self, record, reason, error, now):
        super()._bury(record, reason, "", now)


# cancelling, holds


@caught_by("cancel_removes_the_waiting")
class CancelTakesClaimedOnes(MemoryStore):
    def _found(self, filter, now, start=0):
        found = list(super()._found(filter, now, start))
        self.was = {each: each.state for each in found if each.state == CLAIMED}
        return iter(found)

    def change(self, filter, action, limit=1000, dry_run=False):
        if action.value == "cancel" and not dry_run:
            for each in list(super()._found(filter, self.time.now())):
                if each.state == CLAIMED and limit:
                    self._channels[each.envelope.channel].claimed -= 1
                    each.state = WAITING
        return super().change(filter, action, limit, dry_run)


class NoHolds(Holds):
    def until(self, channel, lane):
        return 0


@caught_by("nothing_held_is_handed_out")
class IgnoresHolds(MemoryStore):
    def __init__(self, *args):
        super().__init__(*args)
        self._holds = NoHolds()


class OneReason(Holds):
    def put(self, channel, lane, until, reason):
        super().put(channel, lane, until, "any")


@caught_by("each_reason_holds_for_itself")
class OneHoldForAllReasons(MemoryStore):
    def __init__(self, *args):
        super().__init__(*args)
        self._holds = OneReason()


class WholeChannel(Holds):
    def until(self, channel, lane):
        return max(Holds.until(self, channel, each) for each in Lane)


@caught_by("a_hold_of_a_lane_leaves_the_other")
class HoldsTheWholeChannel(MemoryStore):
    def __init__(self, *args):
        super().__init__(*args)
        self._holds = WholeChannel()


class Longest(Holds):
    def put(self, channel, lane, until, reason):
        old = self._untils.get((channel, lane), {}).get(reason, 0)
        super().put(channel, lane, until, reason)
        if until is not None:
            self._untils[channel, lane][reason] = max(old, to_ms(until))


@caught_by("the_same_hold_again_replaces_it")
class TheLongestHoldWins(MemoryStore):
    def __init__(self, *args):
        super().__init__(*args)
        self._holds = Longest()


# keys


class FreeAtAck(Keys):
    def end(self, key, message_id, now):
        self.free(key, message_id)


@caught_by("an_idempotency_key_outlives_the_ack_for_24_hours")
class KeyFreedByAck(MemoryStore):
    def __init__(self, *args):
        super().__init__(*args)
        self._keys = FreeAtAck(24 * 3600 * 1000, self._is_live)


class NeverFree(Keys):
    def free(self, key, message_id):
        return


@caught_by("death_frees_the_key")
class KeyKeptByTheDead(MemoryStore):
    def __init__(self, *args):
        super().__init__(*args)
        self._keys = NeverFree(24 * 3600 * 1000, self._is_live)


class ForeignFree(Keys):
    def free(self, key, message_id):
        self._taken.pop(key, None)


@caught_by("purging_takes_no_key_from_another")
class PurgeFreesTheKeyOfAnother(MemoryStore):
    def __init__(self, *args):
        super().__init__(*args)
        self._keys = ForeignFree(24 * 3600 * 1000, self._is_live)


@caught_by("an_idempotency_key_is_taken_while_its_message_lives")
class KeyEndsUnderALivingMessage(MemoryStore):
    def _is_live(self, message_id, key):
        return False


@caught_by("an_idempotency_key_outlives_the_ack_for_24_hours")
class KeyEndsAMillisecondLate(MemoryStore):
    def __init__(self, *args):
        super().__init__(*args)
        self._keys = Keys(24 * 3600 * 1000 + 1, self._is_live)


# then


@caught_by("what_ends_a_message_enqueues_its_then")
class ThenIsLost(MemoryStore):
    def _settle(self, settlement, now):
        if isinstance(settlement.outcome, Ack):
            settlement = evolve(settlement, outcome=Ack())
        return super()._settle(settlement, now)


@caught_by("a_retry_that_waits_enqueues_nothing")
class ThenOfARetryThatWaits(MemoryStore):
    def _retry(self, record, outcome, now):
        super()._retry(record, outcome, now)
        for each in outcome.then:
            self._add(each, now)


@caught_by("then_comes_after_the_outcome")
class ThenBeforeTheOutcome(MemoryStore):
    def _end(self, record, outcome, now):
        if not isinstance(outcome, Release | Retry):
            for each in outcome.then:
                self._add(each, now)
        return super()._end(record, evolve(outcome, then=()) if not isinstance(outcome, Release | Retry) else outcome, now)


@caught_by("a_stale_settle_changes_nothing")
class ThenOfAStaleSettle(MemoryStore):
    def _settle(self, settlement, now):
        answer = super()._settle(settlement, now)
        if answer is Settled.STALE and not isinstance(settlement.outcome, Release):
            for each in settlement.outcome.then:
                self._add(each, now)
        return answer


# counters


@caught_by("a_known_id_changes_nothing")
class DuplicatesNotCounted(MemoryStore):
    def _add(self, envelope, now):
        before = self._lane(envelope.channel, envelope.lane).counters["duplicates"]
        answer = super()._add(envelope, now)
        self._lane(envelope.channel, envelope.lane).counters["duplicates"] = before
        return answer


@caught_by("counters_equal_the_transitions")
class ReleaseCountedAsRetry(MemoryStore):
    def _count(self, record, counter):
        super()._count(record, "retried" if counter == "released" else counter)


@caught_by("settling_twice_is_settling_once")
class SettlingTwiceCountedTwice(MemoryStore):
    def _settle(self, settlement, now):
        answer = super()._settle(settlement, now)
        if answer is Settled.GONE and isinstance(settlement.outcome, Ack) and settlement.claim.envelope.channel in self._channels:
            envelope = settlement.claim.envelope
            self._lane(envelope.channel, envelope.lane).counters["acked"] += 1
        return answer


@caught_by("counters_equal_the_transitions")
class CountsInTheFirstLane(MemoryStore):
    def _count(self, record, counter):
        lane = Lane.TRANSACTIONAL if counter == "cancelled" else record.envelope.lane
        self._channels[record.envelope.channel].lanes[lane].counters[counter] += 1


# replay, purge, dry run


@caught_by("a_replayed_message_starts_anew")
class ReplayKeepsAttempts(MemoryStore):
    def _revive(self, old, now):
        super()._revive(old, now)
        list(self._by_seq.values())[-1].attempts = old.attempts


@caught_by("a_replayed_message_keeps_its_progress")
class ReplayLosesProgress(MemoryStore):
    def _revive(self, old, now):
        old.progress = b""
        super()._revive(old, now)


@caught_by("a_replayed_message_waits_at_the_tail")
class ReplayKeepsItsPlace(MemoryStore):
    def _revive(self, old, now):
        super()._revive(old, old.due)


@caught_by("a_replay_removes_an_expiry_that_has_passed")
class ReplayKeepsAnExpiryThatHasPassed(MemoryStore):
    def _revive(self, old, now):
        expires, message_id = old.expires, old.envelope.id
        super()._revive(old, now)
        record = self._by_id[message_id]
        record.expires = expires
        self._channels[record.envelope.channel].await_expiry(record)


@caught_by("a_replay_is_refused_while_another_has_its_key")
class ReplayIgnoresKeys(MemoryStore):
    def _replay(self, records, now, dry_run):
        for each in () if dry_run else records:
            self._revive(each, now)
        return Changed(tuple(each.envelope.id for each in records))


@caught_by("an_advanced_message_is_due_now_at_the_tail")
class AdvanceForgetsAttempts(MemoryStore):
    def _advance(self, old, now):
        old.attempts = 0
        super()._advance(old, now)


@caught_by("an_advanced_message_is_due_now_at_the_tail")
class AdvanceKeepsItsPlace(MemoryStore):
    def _advance(self, old, now):
        super()._advance(old, old.due)


@caught_by("a_dry_run_changes_nothing")
class DryRunChanges(MemoryStore):
    def change(self, filter, action, limit=1000, dry_run=False):
        return super().change(filter, action, limit, False)


@caught_by("a_change_takes_the_first_of_its_filter")
class ChangeTakesTheLast(MemoryStore):
    def change(self, filter, action, limit=1000, dry_run=False):
        found = self.find
        page = found(filter, 1000)
        dead = [
            each for each in page.messages if (each.state is State.DEAD) == (action.value != "cancel") and each.state is not State.CLAIMED
        ]
        chosen = tuple(each.envelope.id for each in dead[len(dead) - min(limit, len(dead)) :])
        return super().change(evolve(filter, ids=chosen), action, limit, dry_run)


# leases


@caught_by("extend_never_shortens")
class ExtendShortens(MemoryStore):
    def _extend(self, claim, until):
        answer = super()._extend(claim, until)
        record = self._by_id.get(claim.envelope.id)
        if answer.value == "done" and record.lease_until > until:
            record.lease_until = until
            self._channels[record.envelope.channel].lease(record)
        return answer


@caught_by("extend_ends_15_minutes_after_the_claim")
class ExtendWithoutEnd(MemoryStore):
    def _extend(self, claim, until):
        record = self._by_id.get(claim.envelope.id)
        if record is not None and self._is_claimed_by(record, claim):
            record.claimed_at = self.time.now()
        return super()._extend(claim, until)


@caught_by("a_lease_that_ended_is_extended_too")
class RefusesALateExtend(MemoryStore):
    def _extend(self, claim, until):
        record = self._by_id.get(claim.envelope.id)
        if record is not None and record.state == CLAIMED and record.lease_until <= self.time.now():
            record = None
        return super()._extend(claim if record else evolve(claim, token=""), until)


@caught_by("extend_keeps_the_progress_that_it_brings")
class ExtendForgetsProgress(MemoryStore):
    def extend(self, claims, lease, progress=None):
        return super().extend(claims, lease)


@caught_by("a_stale_extend_leaves_the_progress")
class StaleExtendKeepsProgress(MemoryStore):
    def extend(self, claims, lease, progress=None):
        for each in claims:
            record = self._by_id.get(each.envelope.id)
            if record is not None and progress is not None:
                record.progress = progress
        return super().extend(claims, lease, progress)


# answers


class NoLease(MemoryStore):
    def _next_at(self, channel, place, lanes, now):
        leases, place._leases = place._leases, []
        try:
            return super()._next_at(channel, place, lanes, now)
        finally:
            place._leases = leases


@caught_by("next_at_is_the_end_of_a_lease")
class NextAtForgetsLeases(NoLease):
    pass


@caught_by("next_at_minds_holds")
class NextAtForgetsHolds(MemoryStore):
    def _next_at(self, channel, place, lanes, now):
        holds, self._holds = self._holds, NoHolds()
        try:
            return super()._next_at(channel, place, lanes, now)
        finally:
            self._holds = holds


@caught_by("next_at_is_the_next_due_time")
class NextAtInThePast(MemoryStore):
    def _next_at(self, channel, place, lanes, now):
        return super()._next_at(channel, place, lanes, 0)


@caught_by("a_crash_uses_up_an_attempt")
class HidesTheDead(MemoryStore):
    def claim(self, *args):
        return evolve(super().claim(*args), dead=())


@caught_by("pages_list_everything_once")
class PagesOverlap(MemoryStore):
    def find(self, filter, limit=100, after=None, bodies=False):
        page = super().find(filter, limit, after, bodies)
        return Page(page.messages, page.next and str(int(page.next) - (limit > 1)))


@caught_by("find_restricts_by_every_field_of_the_filter")
class UntilIncludesItsEnd(MemoryStore):
    def _found(self, filter, now, start=0):
        if filter.until is not None:
            return super()._found(evolve(filter, until=filter.until + timedelta(milliseconds=1)), now, start)
        return super()._found(filter, now, start)


@caught_by("every_field_comes_back_as_it_went_in")
class TrimsBytes(MemoryStore):
    def _add(self, envelope, now):
        return super()._add(evolve(envelope, body=envelope.body.rstrip(b"\x00\r\n")), now)


@caught_by("a_release_keeps_progress_unless_it_brings_its_own")
class ReleaseLosesProgress(MemoryStore):
    def _end(self, record, outcome, now):
        if isinstance(outcome, Release) and outcome.progress is None:
            record.progress = b""
        return super()._end(record, outcome, now)


# all or nothing


@caught_by("an_id_twice_in_one_batch_is_stored_once")
class LooksForDuplicatesBeforeTheBatch(MemoryStore):
    def enqueue(self, envelopes):
        check_batch(envelopes)
        with self.lock:
            known = dict(self._by_id)
            answers = []
            for each in envelopes:
                stored = self._by_id
                if each.id not in known:
                    self._by_id = {name: record for name, record in stored.items() if name != each.id}
                answers.append(self._add(each, self.time.now()))
                self._by_id = {**stored, **self._by_id}
            return answers


@caught_by("enqueue_is_all_or_nothing")
class EnqueueHalfDone(MemoryStore):
    def enqueue(self, envelopes):
        return [super(EnqueueHalfDone, self).enqueue([each])[0] for each in envelopes]


@caught_by("a_refused_claim_settles_nothing")
class SettlesBeforeItChecks(MemoryStore):
    def claim(self, channel, lanes, limit, lease, settle=()):
        settled = self.settle(settle)
        return evolve(super().claim(channel, lanes, limit, lease), settled=tuple(settled))


@caught_by("a_claim_settles_first")
class SettlesLast(MemoryStore):
    def claim(self, channel, lanes, limit, lease, settle=()):
        found = super().claim(channel, lanes, limit, lease)
        return Claimed(found.claims, tuple(self.settle(settle)), found.next_at, found.dead)


@caught_by("the_sum_holds_after_everything")
class LosesWhatIsReleasedToATime(MemoryStore):
    def _end(self, record, outcome, now):
        if isinstance(outcome, Release) and outcome.due_at is not None and to_ms(outcome.due_at) > now:
            self._count(record, "released")
            self._leave(record)
            del self._by_id[record.envelope.id], self._by_seq[record.seq]
            return False
        return super()._end(record, outcome, now)


# what no short run of the machine reaches: for the laws alone

BY_LAW_ALONE = {}


def by_law(law):
    def plant(store):
        BY_LAW_ALONE[store.__name__] = Mutant(store, law)
        return store

    return plant


@by_law("holds_are_those_of_the_stats")
class HoldsWithoutEnd(MemoryStore):
    def holds(self):
        return list(self._holds.active(0))


@by_law("twenty_take_overs_end_a_life")
class TakeOversWithoutEnd(MemoryStore):
    def _take_over(self, place, lease, now):
        for record in self._by_id.values():
            record.takeovers = min(record.takeovers, MAX_TAKEOVERS - 1)
        return super()._take_over(place, lease, now)


@by_law("bus_time_never_runs_backwards")
class TimeRunsBackwards(MemoryStore):
    def __init__(self, *args):
        super().__init__(*args)
        steady = self.time

        class Backwards:
            def now(self):
                return to_ms(steady._clock.now())

            def jumped(self):
                return False

        self.time = Backwards()


@by_law("a_clock_that_was_set_back_freezes_nothing")
class TimeFreezes(MemoryStore):
    def __init__(self, *args):
        super().__init__(*args)
        steady, marks = self.time, deque([0], maxlen=1)

        class Frozen:
            def now(self):
                marks.append(max(marks[0], to_ms(steady._clock.now())))
                return marks[0]

            def jumped(self):
                return False

        self.time = Frozen()


@by_law("a_thousand_leases_are_taken_over_at_a_time")
class TakesOverWithoutBound(MemoryStore):
    def _take_over(self, place, lease, now):
        for _ in range(3):
            yield from super()._take_over(place, lease, now)


@by_law("the_bell_rings_for_a_waiting_task")
class SilentBell(MemoryStore):
    def __init__(self, *args):
        super().__init__(*args)
        self.bell.ring = lambda: None


@by_law("a_ring_before_the_wait_is_not_lost")
class BellWithoutMemory(MemoryStore):
    def __init__(self, *args):
        super().__init__(*args)
        ring = self.bell.ring

        def forget():
            ring()
            self.bell.rings -= 1

        self.bell.ring = forget


# what is refused


@by_law("an_envelope_of_other_types_is_refused")
class StoresOtherTypes(MemoryStore):
    def enqueue(self, envelopes):
        check_batch([evolve(each, recipient_id=each.recipient_id or "", template=each.template or "") for each in envelopes])
        with self.lock:
            return [self._add(each, self.time.now()) for each in envelopes]


@by_law("a_change_by_a_word_is_refused")
class TakesEveryWordForPurge(MemoryStore):
    def change(self, filter, action, limit=1000, dry_run=False):
        return super().change(filter, action if isinstance(action, Action) else Action.PURGE, limit, dry_run)


@by_law("what_one_settle_enqueues_has_the_bounds_of_an_enqueue")
class BoundsEachThenByItself(MemoryStore):
    def settle(self, settlements):
        check_settlements([evolve(each, outcome=Release()) for each in settlements])
        return [super(BoundsEachThenByItself, self).settle([each])[0] for each in settlements]


@by_law("one_call_settles_at_most_a_thousand")
class SettlesWithoutBound(MemoryStore):
    def settle(self, settlements):
        parts = [settlements[start : start + MAX_BATCH] for start in range(0, len(settlements), MAX_BATCH)]
        return [answer for part in parts for answer in super(SettlesWithoutBound, self).settle(part)]


@by_law("a_claim_that_means_nothing_is_refused")
class ClaimsOfNoChannel(MemoryStore):
    def claim(self, channel, lanes, limit, lease, settle=()):
        return super().claim(channel or "nothing", lanes, limit, lease, settle)


@by_law("a_page_that_no_listing_gave_is_refused")
class ListsFromTheStartBehindNonsense(MemoryStore):
    def find(self, filter, limit=100, after=None, bodies=False):
        known = isinstance(after, str) and after.isdigit() and len(after) < 19
        return super().find(filter, limit, after if known else None, bodies)


@by_law("half_a_surrogate_pair_is_refused")
class FindsNothingUnderHalfAPair(MemoryStore):
    def get(self, message_id):
        return super().get(message_id.encode(errors="replace").decode())


@by_law("half_a_surrogate_pair_is_refused")
class HoldsForHalfAReason(MemoryStore):
    def hold(self, channel, lane, until, reason):
        super().hold(channel, lane, until, reason.encode(errors="replace").decode())


@by_law("what_expired_long_ago_dies")
class TakesTheEpochForNever(MemoryStore):
    def _add(self, envelope, now):
        at_epoch = envelope.expires_at is not None and to_ms(envelope.expires_at) == 0
        return super()._add(evolve(envelope, expires_at=None) if at_epoch else envelope, now)


# hearts


def heart(law):
    def plant(bus):
        BY_LAW_ALONE[bus.__name__] = Mutant(MemoryStore, law, bus=bus)
        return bus

    return plant


@heart("a_heartbeat_asks_anew_each_time")
class AsksOnceWhatItHolds(MemoryBus):
    def heartbeat(self, claims, lease):
        held = tuple(claims())
        return super().heartbeat(lambda: held, lease)


@heart("a_heartbeat_asks_anew_each_time")
class KeepsWhatItHasEverHeld(MemoryBus):
    def heartbeat(self, claims, lease):
        ever = {}

        def every():
            ever.update({each.token: each for each in claims()})
            return tuple(ever.values())

        return super().heartbeat(every, lease)


@heart("a_heartbeat_asks_anew_each_time")
class ExtendsAtItsEnd(MemoryBus):
    @asynccontextmanager
    async def heartbeat(self, claims, lease):
        yield
        await self.extend(claims(), lease)


@heart("a_heartbeat_outlives_a_bus_that_is_away")
class StopsAtTheFirstFailure(MemoryBus):
    @asynccontextmanager
    async def heartbeat(self, claims, lease):
        async def beat():
            try:
                while True:
                    await anyio.sleep(lease.total_seconds() / 3)
                    await self.extend(claims(), lease)
            except BusError:
                return

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(beat)
            yield
            tasks.cancel_scope.cancel()


@heart("a_heartbeat_outlives_a_bus_that_is_away")
class ItsFailureEndsTheSend(MemoryBus):
    @asynccontextmanager
    async def heartbeat(self, claims, lease):
        async def beat():
            while True:
                await anyio.sleep(lease.total_seconds() / 3)
                await self.extend(claims(), lease)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(beat)
            yield
            tasks.cancel_scope.cancel()


@heart("a_heartbeat_outlives_whatever_failed_once")
class OutlivesAnAbsentBusAlone(MemoryBus):
    @asynccontextmanager
    async def heartbeat(self, claims, lease):
        async def beat():
            try:
                while True:
                    await anyio.sleep(lease.total_seconds() / 3)
                    with suppress(BusError):
                        await self.extend(claims(), lease)
            except Exception:
                return

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(beat)
            yield
            tasks.cancel_scope.cancel()


# doorbells and ledgers that take what means nothing


@heart("a_wait_that_is_no_time_is_refused")
class NaNIsAtOnce(MemoryBus):
    async def wait(self, timeout):
        return await super().wait(0 if timeout != timeout else timeout)


def of_ledger(law):
    def plant(kind):
        class Bus(MemoryBus):
            def __init__(self, **settings):
                super().__init__(**settings)
                self.ledger = kind(self)

        BY_LAW_ALONE[kind.__name__] = Mutant(MemoryStore, law, bus=Bus)
        return kind

    return plant


@of_ledger("a_key_that_is_no_text_is_refused")
class ListsNothingUnderHalfAPair(MemoryLedger):
    async def keys(self, prefix, limit=1000, after=""):
        return await super().keys(prefix.encode(errors="replace").decode(), limit, after)


@of_ledger("a_key_that_is_no_text_is_refused")
class KeepsHalfAPair(MemoryLedger):
    async def put(self, key, value, expires_at=None):
        await super().put(key.encode(errors="replace").decode(), value, expires_at)


@of_ledger("a_window_that_means_nothing_is_refused")
class CutsPeriodsShort(MemoryLedger):
    async def acquire(self, windows):
        return await super().acquire([evolve(each, period=min(each.period, timedelta(days=36_525))) for each in windows])
