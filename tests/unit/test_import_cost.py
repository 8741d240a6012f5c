"""Importing notifykit costs attrs and anyio, and its face is whole."""

import json
import subprocess
import sys

import pytest

import notifykit

ALLOWED = {"anyio", "attr", "attrs", "idna", "notifykit", "sniffio", "typing_extensions"}
"""attrs, anyio, and what these import themselves."""
HEAVY = {
    "asyncio",
    "cattrs",
    "ctypes",
    "email",
    "hypothesis",
    "httpx",
    "jinja2",
    "limits",
    "msgspec",
    "pytest",
    "redis",
    "sqlite3",
    "ssl",
    "trio",
}

PROBE = """
import json, sys
before = set(sys.modules)
{code}
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def imported_by(code: str) -> set[str]:
    """Return the top-level modules that *code* brings in, in a Python of its own."""
    command = [sys.executable, "-c", PROBE.format(code=code)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return {name.partition(".")[0] for name in json.loads(done.stdout)}


def test_importing_the_package_brings_in_no_package_but_attrs_and_anyio() -> None:
    found = imported_by("import notifykit")
    assert "notifykit" in found
    assert {name for name in found if name not in sys.stdlib_module_names} <= ALLOWED


@pytest.mark.parametrize("module", ["notifykit", "notifykit.errors", "notifykit.abc"])
def test_importing_what_every_plugin_needs_brings_in_nothing_heavy_that_anyio_does_not(module: str) -> None:
    assert imported_by(f"import {module}") & HEAVY <= imported_by("import anyio, attrs")


@pytest.mark.parametrize(
    ("name", "absent"),
    [
        ("Notifier", {"httpx", "aiosmtplib", "pywebpush", "redis", "hypothesis", "pytest"}),
        ("Recipient", {"httpx", "jinja2", "msgspec", "cattrs", "limits", "sqlite3"}),
        ("Secret", {"httpx", "jinja2", "msgspec", "cattrs", "limits", "sqlite3"}),
    ],
)
def test_a_name_of_the_face_brings_in_only_what_it_needs(name: str, absent: set[str]) -> None:
    assert not imported_by(f"from notifykit import {name}") & absent


def test_every_name_of_the_face_resolves() -> None:
    for name in notifykit.__all__:
        assert getattr(notifykit, name) is getattr(notifykit, name)


def test_the_names_of_the_face_are_sorted_and_listed() -> None:
    assert list(notifykit.__all__) == sorted(set(notifykit.__all__))
    assert set(notifykit.__all__) <= set(dir(notifykit))


def test_all_that_is_imported_from_the_face_at_once_is_its_names() -> None:
    names: dict[str, object] = {}
    exec("from notifykit import *", names)
    assert set(notifykit.__all__) == names.keys() - {"__builtins__"}


def test_a_name_that_the_face_does_not_have_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        notifykit.no_such_name  # noqa: B018
