"""Curves of the benchmarks: what is computed of them, and how they are drawn."""

from xml.etree import ElementTree as ET

import pytest

pytest.importorskip("benchmarks", reason="the benchmarks are not beside the tests")

from benchmarks.growth.__main__ import grid
from benchmarks.growth.curves import Curve, growth, in_turns, read, steepest
from benchmarks.growth.roster import ROSTER
from benchmarks.picture import panels

FLAT = [(1_000, 2.0), (10_000, 2.2), (1_000_000, 2.9)]
STEEP = [(1, 100.0), (2, 90.0), (4, 20.0), (8, 19.0)]


def curve(**fields: object) -> Curve:
    told = {"title": "T", "x": "waiting", "y": "ms", "lines": {"sqlite: claim": FLAT, "sqlite: enqueue": STEEP}}
    return Curve(**{**told, **fields})


def test_growth_is_a_factor_from_the_first_to_the_last_point() -> None:
    assert growth(FLAT) == pytest.approx(1.45)
    assert growth(STEEP) == pytest.approx(19 / 100)


def test_a_line_is_steepest_where_two_neighbours_differ_most() -> None:
    assert steepest(STEEP) == (2, 4)


def test_what_is_promised_is_held_of_the_lines_that_it_is_promised_of() -> None:
    assert curve(most=1.5, promised=("sqlite: claim",)).kept()
    assert not curve(most=1.4, promised=("sqlite: claim",)).kept()
    assert not curve(most=0.1, promised=("sqlite: enqueue",)).kept()
    assert curve(promised=("sqlite:",)).kept()


def test_places_take_turns_and_the_median_of_their_rounds_counts() -> None:
    order: list[int] = []
    answers = iter([1.0, 10.0, 3.0, 30.0, 2.0, 20.0])

    def measure(place: int) -> float:
        order.append(place)
        return next(answers)

    assert in_turns((1, 2), {"a": measure}, 3) == {"a": [(1, 2.0), (2, 20.0)]}
    assert order == [1, 2, 1, 2, 1, 2]


def test_a_curve_that_was_written_down_is_read_as_it_was() -> None:
    from attrs import asdict

    written = {"curves": {"waiting": asdict(curve(most=1.5, promised=("sqlite: claim",)))}}
    assert read(written)["waiting"] == curve(most=1.5, promised=("sqlite: claim",))


def test_the_table_of_a_curve_says_how_the_last_point_stands_to_the_first() -> None:
    lines = grid(curve(lines={"sqlite: claim": FLAT})).splitlines()
    assert [each.strip() for each in lines[0].strip("|").split("|")] == ["ms by waiting", "1,000", "10,000", "1,000,000", "last to first"]
    assert [each.strip() for each in lines[2].strip("|").split("|")] == ["sqlite: claim", "2", "2.2", "2.9", "1.4 ×"]


def test_a_picture_is_well_formed_and_draws_each_point_where_it_belongs() -> None:
    picture = ET.fromstring(panels([("A & B", "waiting", "ms", {"<one>": FLAT})]))
    name = {"svg": "http://www.w3.org/2000/svg"}
    dots = [(float(each.get("cx", "")), float(each.get("cy", ""))) for each in picture.iterfind(".//svg:circle", name)]
    assert [x for x, _ in dots] == sorted(x for x, _ in dots)
    assert dots[1][0] - dots[0][0] == pytest.approx((dots[2][0] - dots[0][0]) / 3, abs=0.2)  # a power of ten of three
    assert [y for _, y in dots] == sorted((y for _, y in dots), reverse=True)
    assert {each.text for each in picture.iterfind(".//svg:text", name)} >= {"A & B, ms", "<one>", "1 M"}


def test_a_value_of_ten_stands_on_the_line_of_ten() -> None:
    name = {"svg": "http://www.w3.org/2000/svg"}
    picture = ET.fromstring(panels([("T", "x", "y", {"one": [(1, 10.0), (2, 500.0)]})]))
    ten = float(next(picture.iterfind(".//svg:circle", name)).get("cy", ""))
    assert ten in [float(line.get("y1", "")) for line in picture.iterfind(".//svg:line", name)]
    assert ten + 4 in [float(text.get("y", "")) for text in picture.iterfind(".//svg:text", name) if text.text == "10"]


def test_places_that_begin_at_nothing_stand_at_equal_steps() -> None:
    picture = ET.fromstring(panels([("T", "per cent", "messages/s", {"one": [(0, 1.0), (50, 1.0), (100, 1.0)]})]))
    left, middle, right = (float(dot.get("cx", "")) for dot in picture.iterfind(".//{http://www.w3.org/2000/svg}circle"))
    assert middle - left == pytest.approx(right - middle, abs=0.2)


def test_each_curve_has_a_name_of_its_own_and_a_sentence_on_what_bends_it() -> None:
    assert len({row.name for row in ROSTER}) == len(ROSTER)
    assert all(row.bends.endswith(".") for row in ROSTER)
