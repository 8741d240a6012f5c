"""Reference pages that say what the code says: each table stands in its page as it is made here.

``python -m tests.unit.test_reference`` writes them anew.
"""

import inspect
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import attrs
import pytest

from notifykit import events
from notifykit._configuration.schema import SETTINGS, environment_name
from notifykit._plugins import BUSES, CHANNELS, installed
from notifykit.telemetry import opentelemetry, prometheus

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"

pytestmark = pytest.mark.skipif(not REFERENCE.is_dir(), reason="the documentation is not beside the tests")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows])


def says(thing: object) -> str:
    """Return the docstring of *thing* as one line of Markdown."""
    return " ".join((inspect.getdoc(thing) or "").split()).replace("``", "`").replace("*", "_")


def event_classes() -> list[type]:
    known = [getattr(events, name) for name in events.__all__]
    return [each for each in known if isinstance(each, type) and attrs.has(each)]


def table_of_events() -> str:
    of_all = {each.name for each in attrs.fields(events.MessageEvent)}
    rows = []
    for each in event_classes():
        own = [field.name for field in attrs.fields(each) if field.name not in of_all or not issubclass(each, events.MessageEvent)]
        message = "a message" if issubclass(each, events.MessageEvent) else ""
        if each is not events.MessageEvent:
            rows.append([f"`{each.__name__}`", message, ", ".join(f"`{name}`" for name in own), says(each)])
    return table(["event", "about", "its facts", "says"], rows)


def facts_of_messages() -> str:
    return ", ".join(f"`{each.name}`" for each in attrs.fields(events.MessageEvent))


def table_for_prometheus() -> str:
    rows = [
        [f"`{name}`", kind, ", ".join(f"`{label}`" for label in labels), text] for name, (kind, labels, text) in prometheus.METRICS.items()
    ]
    return table(["metric", "kind", "labels", "says"], rows)


def table_for_opentelemetry() -> str:
    return table(["metric", "kind", "unit", "says"], [[f"`{name}`", *facts] for name, facts in opentelemetry.METRICS.items()])


def table_of_settings() -> str:
    rows = [
        [f"`{each.path.replace('*', 'NAME')}`", f"`{environment_name(each.path).replace('*', 'NAME')}`", each.kind.value, each.says]
        for each in SETTINGS.values()
    ]
    return table(["in TOML", "variable", "takes", "means"], rows)


def table_of_entry_points() -> str:
    own = [(group, each) for group in (BUSES, CHANNELS) for points in installed(group).values() for each in points]
    rows = [
        [f"`{group}`", f"`{each.name}`", f"`{each.module}:{each.attr}`", ", ".join(f"`{extra}`" for extra in each.extras)]
        for group, each in own
        if each.dist is not None and each.dist.name == "notifykit"
    ]
    return table(["group", "name", "class", "extra"], rows)


TABLES: dict[str, tuple[str, Callable[[], str]]] = {
    "events": ("events.md", table_of_events),
    "facts": ("events.md", facts_of_messages),
    "configuration": ("configuration.md", table_of_settings),
    "entry points": ("entry-points.md", table_of_entry_points),
    "prometheus": ("metrics.md", table_for_prometheus),
    "opentelemetry": ("metrics.md", table_for_opentelemetry),
}


def parts(text: str, name: str) -> tuple[str, str, str]:
    """Return what is before the table of *name*, the table, and what is behind it."""
    before, _, rest = text.partition(f"<!-- table: {name} -->\n\n")
    inside, _, after = rest.partition("\n\n<!-- end -->")
    return before, inside, after


@pytest.mark.parametrize("name", TABLES)
def test_a_page_says_what_the_code_says(name: str) -> None:
    page, made = TABLES[name]
    _, inside, _ = parts((REFERENCE / page).read_text(), name)
    assert inside == made(), "write it anew: python -m tests.unit.test_reference"


def write() -> None:
    """Put every table into its page."""
    for name, (page, made) in TABLES.items():
        path = REFERENCE / page
        before, _, after = parts(path.read_text(), name)
        path.write_text(f"{before}<!-- table: {name} -->\n\n{made()}\n\n<!-- end -->{after}")


if __name__ == "__main__":
    write()
