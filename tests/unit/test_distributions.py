"""The check of what is published finds what it is there to find; every extra has its promise."""

import re
import tomllib
from email.message import Message
from email.parser import Parser
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PYPROJECT = ROOT / "pyproject.toml"

pytestmark = pytest.mark.skipif(not (ROOT / "scripts" / "distributions.py").is_file(), reason="the scripts are not beside the tests")


@pytest.fixture
def distributions(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import distributions

    return distributions


PROJECT: dict[str, Any] = {
    "name": "notifykit",
    "version": "1.0",
    "description": "Notify people",
    "requires-python": ">=3.11",
    "license": "MIT",
    "dependencies": ["attrs>=24.2"],
    "optional-dependencies": {"email": ["aiosmtplib"]},
    "scripts": {"notifykit": "notifykit.cli.entry:main"},
    "entry-points": {"notifykit.buses": {"memory": "notifykit.buses.memory:MemoryBus"}},
}
METADATA = """Metadata-Version: 2.4
Name: notifykit
Version: 1.0
Summary: Notify people
Requires-Python: >=3.11
License-Expression: MIT
Description-Content-Type: text/markdown
Requires-Dist: attrs>=24.2
Provides-Extra: email
Requires-Dist: aiosmtplib; extra == 'email'

# notifykit
"""
POINTS = "[console_scripts]\nnotifykit = notifykit.cli.entry:main\n\n[notifykit.buses]\nmemory = notifykit.buses.memory:MemoryBus\n"
NAMES = {"notifykit/__init__.py", "notifykit/py.typed", "notifykit-1.0.dist-info/METADATA", "notifykit-1.0.dist-info/licenses/LICENSE"}
CODE = {"notifykit/__init__.py", "notifykit/py.typed"}


def metadata(text: str = METADATA) -> Message:
    return Parser().parsestr(text)


def test_a_wheel_as_it_should_be_has_no_fault(distributions: Any) -> None:
    assert distributions.faults_of_wheel(NAMES, CODE, metadata(), POINTS, PROJECT) == []


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (NAMES - {"notifykit/py.typed"}, "py.typed is missing: type checkers would not look at the package"),
        (NAMES | {"notifykit/notes.txt"}, "notifykit/notes.txt does not belong there"),
        (NAMES | {"tests/x.py"}, "tests/x.py does not belong there"),
        (NAMES - {"notifykit/__init__.py"}, "notifykit/__init__.py is missing"),
        (NAMES - {"notifykit-1.0.dist-info/licenses/LICENSE"}, "the licence is missing"),
    ],
)
def test_what_is_missing_from_a_wheel_or_should_not_be_in_it_is_found(distributions: Any, names: set[str], says: str) -> None:
    assert says in distributions.faults_of_wheel(names, CODE, metadata(), POINTS, PROJECT)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("Version: 1.0", "Version: 0.9", "Version is '0.9', not '1.0'"),
        ("Requires-Python: >=3.11\n", "", "Requires-Python is None, not '>=3.11'"),
        ("Provides-Extra: email\n", "", "the extras are []"),
        ("# notifykit", "UNKNOWN", "the description is not the README"),
        ("Requires-Dist: attrs>=24.2\n", "", "without extras it requires []"),
    ],
)
def test_metadata_that_differ_from_pyproject_are_found(distributions: Any, old: str, new: str, says: str) -> None:
    assert distributions.faults_of_metadata(metadata(METADATA.replace(old, new)), PROJECT) == [says]


def test_entry_points_that_differ_are_found(distributions: Any) -> None:
    assert distributions.faults_of_entry_points(POINTS.replace("MemoryBus", "Memory"), PROJECT) == [
        "the entry points of notifykit.buses differ"
    ]


def test_an_sdist_with_too_little_or_too_much_is_found(distributions: Any) -> None:
    files = {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "noxfile.py", "PKG-INFO", "scripts/test", "scripts/demo"}
    whole = files | {f"{folder}/x" for folder in distributions.IN_SDIST}
    assert distributions.faults_of_sdist(whole) == []
    assert distributions.faults_of_sdist(whole - {"docs/x"}) == ["docs/ is missing"]
    assert distributions.faults_of_sdist(whole | {"tests/.env", "src/a.pyc", "var/notify.db"}) == [
        "src/a.pyc does not belong there",
        "tests/.env does not belong there",
        "var/notify.db does not belong there",
    ]


def test_every_extra_has_its_promise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import promises

    extras = set(tomllib.loads(PYPROJECT.read_text())["project"]["optional-dependencies"])
    assert set(promises._PROMISES) | {"all"} == extras


WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda each: each.name)
def test_workflows_pin_their_actions_and_may_do_no_more_than_they_need(path: Path) -> None:
    yaml = pytest.importorskip("yaml")
    text = path.read_text()
    used = re.findall(r"uses: (\S+)(.*)", text)
    assert used
    for action, comment in used:
        assert re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", action), action
        assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment), action
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] == {"contents": "read"}
    may = {name: job["permissions"] for name, job in workflow["jobs"].items() if "permissions" in job}
    assert may == ({"publish": {"id-token": "write"}} if path.stem == "release" else {})
    assert all("timeout-minutes" in job for job in workflow["jobs"].values())
    assert "secrets." not in text


@pytest.mark.skipif(not WORKFLOWS, reason="the workflows are not beside the tests")
def test_the_job_that_publishes_runs_no_code_of_the_project() -> None:
    yaml = pytest.importorskip("yaml")
    publish = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text())["jobs"]["publish"]
    assert [each["uses"].partition("@")[0] for each in publish["steps"]] == ["actions/download-artifact", "pypa/gh-action-pypi-publish"]
