"""Documentation that cannot rot: its code runs, its examples hold, and what it says is tested is.

Every ``python`` block of a page runs, all of a page's in one script, in a Python of its own, in an empty folder; the script has
the page's line numbers. A comment on the line before a block changes that: ``<!-- file: path -->`` writes the block (of any
language) into the folder first, ``<!-- not run: why -->`` leaves it out.
"""

import ast
import doctest
import importlib
import pkgutil
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from attrs import frozen

import notifykit
from notifykit.cli.status_table import _COLUMNS
from notifykit.testing import conformance

ROOT = Path(__file__).parents[2]
BEHAVIOURS = ROOT / "docs" / "reference" / "behaviours.md"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

BLOCK = re.compile(
    r"(?:^<!-- (?P<mark>file|not run): (?P<what>[^\n]+?) -->\n)?^```(?P<language>\w*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL
)

pytestmark = pytest.mark.skipif(not BEHAVIOURS.is_file(), reason="the documentation is not beside the tests")


@frozen
class Page:
    """The code of a page: one script, and the files that it finds."""

    script: str
    files: dict[str, str]


def read_if_there(path: Path) -> str:
    """Return the text of a page; none where the documentation is not beside the tests."""
    return path.read_text() if path.is_file() else ""


def read(text: str) -> Page:
    """Take the code out of a page."""
    lines = [""] * text.count("\n")
    files: dict[str, str] = {}
    for block in BLOCK.finditer(text):
        code = block["code"]
        if block["mark"] == "file":
            files[block["what"]] = code
        elif block["language"] == "python" and block["mark"] is None:
            first = text.count("\n", 0, block.start("code"))
            lines[first : first + code.count("\n")] = code.splitlines()
    return Page("\n".join(lines), files)


def run(page: Page, name: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run a page's script in *folder*, with warnings as errors."""
    for path, content in page.files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content)
    script = folder / f"{name}.py"
    script.write_text(page.script)
    return subprocess.run([sys.executable, "-W", "error", script], cwd=folder, capture_output=True, text=True, timeout=20, check=False)


@pytest.mark.parametrize("path", [each for each in PAGES if read(each.read_text()).script.strip()], ids=lambda each: each.name)
def test_the_code_of_a_page_runs(path: Path, tmp_path: Path) -> None:
    done = run(read(path.read_text()), path.stem, tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", [each for each in PAGES if "<!-- file: examples/" in each.read_text()], ids=lambda each: each.name)
def test_what_a_page_shows_of_an_example_is_the_example(path: Path) -> None:
    shown = {name: code for name, code in read(path.read_text()).files.items() if name.startswith("examples/")}
    assert shown == {name: (ROOT / name).read_text() for name in shown}


def test_a_page_that_fails_is_seen_to_fail_at_its_own_line(tmp_path: Path) -> None:
    page = read("# Title\n\n```python\nname = 'x'\n```\n\nText.\n\n```python\nassert name == 'y'\n```\n")
    assert "line 10" in run(page, "page", tmp_path).stderr


def test_blocks_that_are_marked_are_written_or_left_out(tmp_path: Path) -> None:
    page = read("<!-- file: a/b.txt -->\n```text\nhello\n```\n<!-- not run: needs a server -->\n```python\n1 / 0\n```\n```sh\nfalse\n```\n")
    assert page.files == {"a/b.txt": "hello\n"}
    assert run(page, "page", tmp_path).returncode == 0
    assert (tmp_path / "a" / "b.txt").read_text() == "hello\n"


LINK = re.compile(r"\]\((?!https?:|mailto:)(?P<path>[^)#\s]*)(?:#(?P<heading>[^)\s]+))?\)")
LINKING = [*PAGES, *(ROOT / name for name in ("AGENTS.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "examples/README.md"))]


def headings(text: str) -> set[str]:
    """Return what a link may name behind its #."""
    titles = re.findall(r"^#{1,6} (.+)$", BLOCK.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower().strip()).replace(" ", "-") for title in titles}


def loose_ends(path: Path, text: str) -> list[str]:
    """Return the links in *text*, of the page at *path*, that lead to no file, or to no heading of one."""
    found = []
    for link in LINK.finditer(BLOCK.sub("", text)):
        target = path.parent / link["path"] if link["path"] else path
        page = text if target == path else read_if_there(target) if target.suffix == ".md" else None
        if not target.exists() or (link["heading"] and page is not None and link["heading"] not in headings(page)):
            found.append(link[0])
    return found


@pytest.mark.parametrize("path", LINKING, ids=lambda each: each.relative_to(ROOT).as_posix())
def test_a_link_leads_to_a_page_and_a_heading_that_there_are(path: Path) -> None:
    assert loose_ends(path, path.read_text()) == []


def test_a_link_that_leads_nowhere_is_found() -> None:
    text = (
        "[a](docs/index.md) [b](docs/nothing.md) [c](SECURITY.md#reporting) [d](SECURITY.md#nothing)\n\n# Here\n\n[e](#here) [f](#there)\n"
    )
    assert loose_ends(ROOT / "README.md", text) == ["](docs/nothing.md)", "](SECURITY.md#nothing)", "](#there)"]


def test_every_page_is_on_the_first_one() -> None:
    docs = ROOT / "docs"
    first = (docs / "index.md").read_text()
    assert [each for each in (page.relative_to(docs).as_posix() for page in docs.rglob("*.md")) if f"({each})" not in first] == ["index.md"]


MODULES = [
    "notifykit",
    *(each.name for each in pkgutil.walk_packages(notifykit.__path__, "notifykit.") if not each.name.endswith("__main__")),
]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_docstring_hold(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert doctest.testmod(importlib.import_module(name)).failed == 0


ROW = re.compile(r"^\| (?P<id>[BRST]\d) \| (?P<what>[^|]+) \| (?P<tests>[^|]*) \|$", re.MULTILINE)
ROWS = {each["id"]: each["tests"] for each in ROW.finditer(read_if_there(BEHAVIOURS))}
EXPECTED = [
    *(f"B{n}" for n in range(1, 10)),
    *(f"R{n}" for n in range(1, 7)),
    *(f"S{n}" for n in range(1, 8)),
    *(f"T{n}" for n in range(1, 4)),
]


@cache
def names_in(path: str) -> frozenset[str]:
    """Return the names of the tests in a file, those of a class as ``Class::test``."""
    found = set()
    for node in ast.parse((ROOT / path).read_text()).body:
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}::{each.name}" for each in node.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)}
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
    return frozenset(found)


def test_the_page_of_behaviours_has_every_row_once() -> None:
    assert [each["id"] for each in ROW.finditer(BEHAVIOURS.read_text())] == EXPECTED


COMPLAINT = re.compile(r"^\| (?P<id>C\d+) \| [^|]+ \| [^|]+ \| (?P<tests>[^|]*) \|$", re.MULTILINE)
COMPLAINTS = {each["id"]: each["tests"] for each in COMPLAINT.finditer(read_if_there(ROOT / "docs" / "explanation" / "complaints.md"))}


def test_the_page_of_complaints_has_all_twenty() -> None:
    assert list(COMPLAINTS) == [f"C{n}" for n in range(1, 21)]


@pytest.mark.parametrize("row", [f"C{n}" for n in range(1, 21)])
def test_a_complaint_names_tests_that_exist(row: str) -> None:
    assert "tests/" in COMPLAINTS[row]
    check_names(COMPLAINTS[row])


@pytest.mark.parametrize("row", EXPECTED)
def test_a_behaviour_names_tests_that_exist_or_says_not_yet(row: str) -> None:
    assert "`tests/" in ROWS[row] or "law `" in ROWS[row] or "not yet" in ROWS[row]
    check_names(ROWS[row])


def check_names(cell: str) -> None:
    """Hold that the tests and laws that a cell names exist."""
    assert [law for law in re.findall(r"law `(\w+)`", cell) if not hasattr(conformance.BusTests, f"test_{law}")] == []
    for each in re.findall(r"`(tests/[^`]+)`", cell):
        path, _, test = each.partition("::")
        assert (ROOT / path).is_file(), each
        assert test in names_in(path), each


def test_the_picture_of_the_status_has_the_columns_that_there_are() -> None:
    shown = re.sub(r"<[^>]+>", " ", (ROOT / "docs" / "_static" / "status.svg").read_text()).replace("&#160;", " ")
    assert [each for each in _COLUMNS if each not in shown] == []
    assert "url(" not in re.sub(r"url\(#", "", (ROOT / "docs" / "_static" / "status.svg").read_text())
