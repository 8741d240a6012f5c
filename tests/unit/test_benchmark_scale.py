"""What a store carries, and the simulation of its day."""

from itertools import repeat
from types import MappingProxyType

import pytest

pytest.importorskip("benchmarks", reason="the benchmarks are not beside the tests")

from benchmarks.scale.capacity import HEADROOM, Measured, a_day, first, limits, plan
from benchmarks.scale.check import Compared, arrivals
from benchmarks.scale.report import compared
from benchmarks.scale.simulation import DAY, PEAK, Waits, day, simulate

FILE = Measured("sqlite", enqueue=0.0001, drain=0.0003, alone=0.001, weight=500, work={"e-mail": 0.002})
NODE = Measured(
    "redis", enqueue=0.0001, drain=0.0001, alone=0.0002, weight=600, work={"e-mail": 0.002}, core=0.00005, network=1000, spread=2.5, nodes=3
)


def test_one_writer_takes_turns_between_enqueues_and_claims() -> None:
    assert first(FILE).rate == pytest.approx(2_500)
    assert [each.rate for each in limits(FILE)] == [pytest.approx(1_000), pytest.approx(2_500)]


def test_a_cluster_is_worth_what_its_busiest_node_leaves() -> None:
    assert first(NODE, 1).rate == pytest.approx(20_000)
    assert first(NODE, 3).rate == pytest.approx(2.5 * 20_000)
    assert first(NODE, 5).rate == pytest.approx(4 * 20_000)


def test_the_network_breaks_first_when_messages_are_large() -> None:
    from attrs import evolve

    assert "network" in first(evolve(NODE, network=1e6), 1).part


def test_a_day_has_a_peak_and_headroom() -> None:
    assert a_day(1_000) == pytest.approx(1_000 * HEADROOM * DAY / PEAK)


def test_a_plan_has_as_few_nodes_and_cores_as_carry_the_day() -> None:
    carried = a_day(first(NODE, 3).rate)
    assert plan(carried * 0.999, NODE).nodes == 3
    assert plan(carried * 1.001, NODE).nodes == 4
    assert plan(a_day(first(FILE).rate) * 1.001, FILE).nodes == 2
    found = plan(DAY / PEAK * 699, NODE)
    assert found.peak == pytest.approx(699)
    assert found.workers == {"e-mail": 2}
    assert found.gigabytes == pytest.approx(699 * 3600 * 600 / 1e9)


def test_a_burst_is_worked_off_at_the_rate_of_the_store() -> None:
    found = simulate((), 0.01, enqueue=0.0, drain=0.001, backlog=(0, 5_000))
    assert found.ended == pytest.approx(5.0)
    assert found.waits[1].quantile(0.5) == pytest.approx(2.5, abs=0.02)
    assert found.most == (0, 5_000)


def test_the_transactional_lane_goes_first_and_enqueuing_takes_its_time() -> None:
    coming = [(100, 0), *repeat((0, 0), 10)]
    found = simulate(coming, 0.1, enqueue=0.001, drain=0.001, backlog=(0, 1_000))
    assert found.waits[0].quantile(1) <= 0.3
    assert found.ended == pytest.approx(1.2)
    assert simulate(coming, 0.1, enqueue=0.0, drain=0.001, backlog=(0, 1_000)).ended == pytest.approx(1.1)


def test_a_store_that_was_idle_has_saved_nothing_up() -> None:
    found = simulate([*repeat((0, 0), 50), (1_000, 0)], 0.1, enqueue=0.0, drain=0.001)
    assert found.ended == pytest.approx(5.0 + 1.0)


def test_a_message_that_takes_longer_than_a_step_is_worked_off_all_the_same() -> None:
    assert simulate((), 0.1, enqueue=0.0, drain=0.25, backlog=(3, 0)).ended == pytest.approx(0.8, abs=0.1)


def test_a_busy_worker_makes_what_comes_wait_for_its_batches() -> None:
    quick, batched = (simulate((), 0.1, 0.0, 0.001, (100, 0), batch).waits[0].quantile(0.5) for batch in (0, 100))
    assert batched - quick == pytest.approx(0.25)


def test_nothing_is_lost_in_a_day_and_what_comes_too_fast_is_left_at_its_end() -> None:
    come = [sum(pair) for pair in day(100_000, 20_000, seed=1)]
    assert len(come) == DAY
    assert sum(come) == pytest.approx(120_000, rel=0.01)
    slow = simulate(day(100_000, 20_000, seed=1), 1.0, enqueue=0.0, drain=1.0)
    assert sum(sum(waits.counted.values()) for waits in slow.waits) == sum(come)
    assert slow.ended == pytest.approx(DAY + slow.left, abs=1.5)


def test_a_day_is_the_same_for_the_same_seed_and_busiest_in_the_evening() -> None:
    one = list(day(200_000, 0, seed=1))
    assert one == list(day(200_000, 0, seed=1))
    assert one != list(day(200_000, 0, seed=2))
    by_hour = [sum(number for number, _ in one[hour * 3600 : (hour + 1) * 3600]) for hour in range(24)]
    assert max(by_hour) in by_hour[17:19]
    assert max(by_hour) == pytest.approx(200_000 / 24 * PEAK, rel=0.05)


def test_many_at_once_are_drawn_by_the_normal_distribution() -> None:
    assert sum(number for number, _ in day(20_000_000, 0, seed=3)) == pytest.approx(20_000_000, rel=0.001)


def test_a_quantile_counts_messages_and_not_moments() -> None:
    waits = Waits()
    waits.add(1.0, 98)
    waits.add(9.0, 2)
    assert (waits.quantile(0.5), waits.quantile(0.98), waits.quantile(0.99)) == (1.0, 1.0, 9.0)
    assert Waits().quantile(0.5) == 0.0


def test_a_prediction_may_be_wrong_by_a_quarter_or_by_a_moment() -> None:
    assert Compared("x", 1.2, 1.0).holds
    assert not Compared("x", 1.3, 1.0).holds
    assert Compared("x", 0.01, 0.03).holds
    assert Compared("x", 1.2, 1.0).error == pytest.approx(0.2)


def test_bursts_come_at_their_times() -> None:
    come = list(arrivals(3))
    assert [place for place, (number, _) in enumerate(come) if number] == [0, 10, 20]


def test_the_comparison_is_told_in_per_cent() -> None:
    row = MappingProxyType({"what": "all of it is out", "predicted": 1.25, "measured": 1.0, "error": 0.25})
    assert "| 1.25 s    | 1 s      | 25 %" in compared({"rows": [row]})
