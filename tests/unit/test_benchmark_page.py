"""The page on performance says what the figures that are kept say."""

import json
from tempfile import gettempdir
from xml.etree import ElementTree as ET

import pytest

pytest.importorskip("benchmarks", reason="the benchmarks are not beside the tests")

from benchmarks.environments import ROOT
from benchmarks.goals import goals, goals_table
from benchmarks.page import KEPT, PAGE, PICTURES, figures_of, kept, load, pictures, put, rounded
from benchmarks.publish import commands

RATES = {
    "notifykit-memory-asyncio": {"at_once": 800.0, "drain": 900.0},
    "huey memory": {"at_once": 100.0, "drain": 300.0},
    "notifykit-redis-asyncio": {"each": 90.0, "drain": 900.0},
    "saq": {"each": 100.0, "drain": 100.0},
    "huey redis": {"each": 500.0},
}


def run(rates: dict[str, dict[str, float]]) -> dict[str, object]:
    phases = {
        name: {phase: {"rates": [rate], "busy": 1.0, "p50": None, "p99": None, "faults": []} for phase, rate in each.items()}
        for name, each in rates.items()
    }
    return {"figures": {"machine": {"processor": "two"}, "figures": phases, "deliveries": {}}}


def test_the_page_is_what_the_command_writes_of_the_figures_that_are_kept() -> None:
    text = PAGE.read_text()
    assert put(text, figures_of(load(KEPT))) == text


def test_the_pictures_are_those_of_the_figures_that_are_kept() -> None:
    made = pictures(load(KEPT))
    assert set(made) == {"growth.svg", "drained-memory.svg", "drained-sqlite.svg", "drained-redis.svg"}
    for name, text in made.items():
        assert (PICTURES / name).read_text() == text
        ET.fromstring(text)


def test_the_figures_that_are_kept_are_rounded_once_and_for_all() -> None:
    for name, text in kept(load(KEPT)).items():
        assert (KEPT / f"{name}.json").read_text() == text


def test_figures_are_rounded_to_four_digits() -> None:
    assert rounded({"a": [123456.789, 0.000123456], "b": 7}) == {"a": [123500.0, 0.0001235], "b": 7}


def test_new_figures_take_the_place_of_the_old_ones_and_of_nothing_else() -> None:
    page = put(PAGE.read_text(), "new figures")
    assert "new figures" in page
    assert "## The machine" not in page
    assert put(page, "newer") == put(PAGE.read_text(), "newer")
    before, after = PAGE.read_text().partition("<!-- figures")[0], PAGE.read_text().partition("<!-- end of figures -->")[2]
    assert page.startswith(before)
    assert page.endswith(after)


def test_a_page_without_marks_is_left_alone() -> None:
    with pytest.raises(ValueError, match="marks"):
        put("# Performance\n", "figures")


def test_a_goal_is_the_ratio_of_ours_to_the_best_of_the_others() -> None:
    found = {goal.work: goal for goal in goals(run(RATES))}
    assert found["memory: enqueue, 50 producers"].ratio == pytest.approx(8)
    assert found["memory: enqueue, 50 producers"].reached
    assert found["memory: drain"].ratio == pytest.approx(3)
    assert not found["memory: drain"].reached
    assert found["Redis: one by one, beside asynchronous peers"].against == "saq: 100/s"
    assert not found["Redis: one by one, beside asynchronous peers"].reached


def test_a_goal_that_was_not_measured_is_left_out() -> None:
    assert not [goal for goal in goals(run(RATES)) if goal.work.startswith(("SQLite", "e-mail", "push"))]
    assert goals({}) == []


def test_what_is_to_be_little_is_compared_with_the_least() -> None:
    results = run(RATES)
    results["figures"]["figures"]["notifykit-memory-asyncio"]["drain"]["busy"] = 0.1  # type: ignore[index]
    (goal,) = [each for each in goals(results) if each.work == "memory: CPU s per 10,000 drained"]
    assert (goal.ratio, goal.reached) == (pytest.approx(0.1), True)


def test_a_goal_that_is_missed_is_told_in_bold_and_who_is_ahead_is_named() -> None:
    results = run(RATES)
    assert "**no**" in goals_table(goals(results))
    assert "- redis, one by one: **huey redis**, 500/s beside 90/s" in figures_of(results)


def test_the_last_of_the_commands_writes_the_page_of_what_the_others_wrote() -> None:
    *runs, last = commands(0.1, 1)
    assert last[:2] == ["-m", "benchmarks.page"]
    assert all(any(part.startswith(last[2]) for part in each) for each in runs)


def test_what_is_kept_names_no_machine() -> None:
    for path in KEPT.glob("*.json"):
        text = path.read_text()
        machine = json.loads(text)
        machine = machine.get("machine", {}) if isinstance(machine, dict) else {}
        assert set(machine) <= {"processor", "memory", "system", "python", "sqlite", "server"}
        assert not [place for place in (ROOT.parent, gettempdir()) if f"{place}/" in text]
