"""Rules of the source that no linter knows. The layers themselves are contracts of import-linter, in pyproject.toml."""

import ast
import re
import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "notifykit"
FILES = sorted(SOURCE.rglob("*.py"))

WORDS_NOT_USED = {"manager", "helper", "helpers", "util", "utils", "common", "handler", "item", "job", "ticket"}
MOST_LINES = 420

MODULES_OF = {
    "py-vapid": "py_vapid",
    "css-inline": "css_inline",
    "opentelemetry-api": "opentelemetry",
    "prometheus-client": "prometheus_client",
}
BY_WAY_OF_AN_EXTRA = {"cryptography", "http_ece", "py_vapid", "hiredis", "markupsafe", "trio"}
"""What comes with an optional dependency, always."""
OF_THE_CALLER = {"httpx"}
"""What is imported only with an object of it in hand."""

TIED_TO_A_LOOP = {
    "_worker/cancellation.py",  # only asyncio hands on the cancellation of others
    "buses/memory/doorbell.py",  # wakes a waiting loop from any thread, by the loop's own call for that
    "channels/email/connection.py",  # aiosmtplib knows asyncio only
    "channels/email/home.py",
    "channels/email/pool.py",
    "testing/conformance/laws_cancelling.py",  # cancels in each loop's own way
}

pytestmark = pytest.mark.skipif(not SOURCE.is_dir(), reason="the source is not beside the tests")


@cache
def optional() -> set[str]:
    """Return the modules of the declared optional dependencies."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    names = {re.split(r"[^A-Za-z0-9_-]", each, maxsplit=1)[0] for requirements in extras.values() for each in requirements}
    return {MODULES_OF.get(name, name.replace("-", "_")) for name in names - {"notifykit"}} | BY_WAY_OF_AN_EXTRA | OF_THE_CALLER


def imported(node: ast.AST) -> list[str]:
    """Return the modules that an import statement names."""
    match node:
        case ast.Import():
            return [each.name for each in node.names]
        case ast.ImportFrom(module="notifykit", level=0, names=names):
            return [f"notifykit.{each.name}" if (SOURCE / f"{each.name}.py").is_file() else "notifykit" for each in names]
        case ast.ImportFrom(module=module, level=0):
            return [module or ""]
    return []


class Source:
    """What one file imports, and how."""

    def __init__(self, file: Path) -> None:
        self.path = file.relative_to(SOURCE).as_posix()
        self.lines = len(file.read_text().splitlines())
        tree = ast.parse(file.read_text())
        self.nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
        self.late = {node for each in ast.walk(tree) if isinstance(each, FUNCTIONS) for node in ast.walk(each)} & set(self.nodes)
        branches = [each for each in ast.walk(tree) if isinstance(each, ast.If) and ast.unparse(each.test).endswith("TYPE_CHECKING")]
        self.unreal = {node for each in branches for node in ast.walk(each)} & set(self.nodes)

    def modules(self, nodes: Iterable[ast.stmt]) -> set[str]:
        return {name for node in nodes for name in imported(node)}

    def packages(self, nodes: Iterable[ast.stmt]) -> set[str]:
        return {name.partition(".")[0] for name in self.modules(nodes)}


FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
SOURCES = {f"notifykit.{each.path.removesuffix('.py').replace('/', '.').removesuffix('.__init__')}": each for each in map(Source, FILES)}


def stands_on_an_optional_dependency(module: str) -> bool:
    """Return whether *module* is one of ours that imports an optional dependency at its top."""
    source = SOURCES.get(module)
    return source is not None and bool(source.packages(set(source.nodes) - source.late - source.unreal) & optional())


def test_imports_inside_functions_are_of_optional_dependencies_only() -> None:
    late = {
        each.path: {name for name in each.modules(each.late) if not stands_on_an_optional_dependency(name)} for each in SOURCES.values()
    }
    assert {path: names for path, names in late.items() if {name.partition(".")[0] for name in names} - optional()} == {}


def test_imports_are_absolute() -> None:
    assert [each.path for each in SOURCES.values() for node in each.nodes if isinstance(node, ast.ImportFrom) and node.level] == []


def test_no_module_imports_the_face() -> None:
    importing = [each.path for each in SOURCES.values() if "notifykit" in each.modules(each.nodes)]
    assert set(importing) <= {"__init__.py"}


def test_event_loops_are_left_to_anyio() -> None:
    tied = {each.path for each in SOURCES.values() if each.packages(set(each.nodes) - each.unreal) & {"asyncio", "trio"}}
    assert tied - TIED_TO_A_LOOP == set()


def test_every_file_is_of_one_idea() -> None:
    assert {each.path: each.lines for each in SOURCES.values() if each.lines > MOST_LINES} == {}


def test_the_names_of_files_are_of_the_glossary() -> None:
    assert [each.path for each in SOURCES.values() if set(re.split(r"[_./]", each.path)) & WORDS_NOT_USED] == []


DRAWING = re.compile(r"^## Layers$.*?^```text\n(?P<lines>.*?)^```$", re.MULTILINE | re.DOTALL)


def drawn(text: str) -> list[set[str]]:
    """Return the modules of each line of the drawing; what is said of them stands behind four blanks or more."""
    found = DRAWING.search(text)
    assert found is not None
    lines = [line for line in found["lines"].splitlines() if not line.startswith("─")]
    return [set(re.split(r" {4,}", line.strip())[0].split()) for line in lines]


def test_the_page_of_the_architecture_draws_the_layers_of_the_contract() -> None:
    page = ROOT / "docs" / "explanation" / "architecture.md"
    if not page.is_file():
        pytest.skip("the documentation is not beside the tests")
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = [set(re.findall(r"\w+", layer)) for layer in contracts[0]["layers"]]
    assert [modules for modules in drawn(page.read_text()) if modules != {"notifykit"}] == layers
