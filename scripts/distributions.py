"""Check a wheel and an sdist that were built: what is in them, what their metadata says, and that the one makes the other.

``python scripts/distributions.py FOLDER``
"""

import configparser
import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MOST_BYTES = 2 * 1024 * 1024
"""Of one distribution: what is larger has something in it that is not meant to be."""
IN_SDIST = {"src", "tests", "docs", "examples", "requirements", "scripts"}
NEVER = re.compile(r"(^|/)(__pycache__|\.git|\.venv|\.nox|\.hypothesis|\.DS_Store|node_modules)(/|$)|\.(pyc|pyo|db|log|pem|key|env)$")


def source_files(root: Path) -> set[str]:
    """Return every file of the package, as it is named in a wheel."""
    found = (each for each in (root / "src").rglob("*") if each.is_file())
    return {each.relative_to(root / "src").as_posix() for each in found if not NEVER.search(each.as_posix())}


def faults_of_wheel(names: set[str], expected: set[str], metadata: Message, entry_points: str, project: dict) -> list[str]:
    """Return what is wrong with a wheel, a sentence each."""
    code = {name for name in names if not re.match(r"[^/]+\.dist-info/", name)}
    faults = [f"{name} is missing" for name in sorted(expected - code)]
    faults += [f"{name} does not belong there" for name in sorted(code - expected)]
    if "notifykit/py.typed" not in names:
        faults.append("py.typed is missing: type checkers would not look at the package")
    if not any(name.endswith("/licenses/LICENSE") for name in names):
        faults.append("the licence is missing")
    return faults + faults_of_metadata(metadata, project) + faults_of_entry_points(entry_points, project)


def faults_of_metadata(metadata: Message, project: dict) -> list[str]:
    """Compare the metadata with pyproject.toml."""
    told = {
        "Name": project["name"],
        "Version": project["version"],
        "Summary": project["description"],
        "Requires-Python": project["requires-python"],
        "License-Expression": project["license"],
        "Description-Content-Type": "text/markdown",
    }
    faults = [f"{name} is {metadata[name]!r}, not {value!r}" for name, value in told.items() if metadata[name] != value]
    extras = set(metadata.get_all("Provides-Extra") or [])
    if extras != set(project["optional-dependencies"]):
        faults.append(f"the extras are {sorted(extras)}")
    required = {each for each in metadata.get_all("Requires-Dist") or [] if "extra ==" not in each}
    if len(required) != len(project["dependencies"]):
        faults.append(f"without extras it requires {sorted(required)}")
    if not str(metadata.get_payload()).startswith("# notifykit"):
        faults.append("the description is not the README")
    return faults


def faults_of_entry_points(text: str, project: dict) -> list[str]:
    """Compare the entry points with pyproject.toml."""
    read = configparser.ConfigParser(delimiters="=", interpolation=None)
    read.optionxform = str  # type: ignore[assignment,method-assign]
    read.read_string(text)
    expected = {**project["entry-points"], "console_scripts": project["scripts"]}
    return [f"the entry points of {name} differ" for name, points in expected.items() if name not in read or dict(read[name]) != points]


def faults_of_sdist(names: set[str]) -> list[str]:
    """Return what is wrong with an sdist, whose *names* are without the folder that they are in."""
    folders = {name.partition("/")[0] for name in names if "/" in name}
    faults = [f"{name}/ is missing" for name in sorted(IN_SDIST - folders)]
    files = ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "noxfile.py", "PKG-INFO", "scripts/test", "scripts/demo")
    faults += [f"{name} is missing" for name in files if name not in names]
    return faults + [f"{name} does not belong there" for name in sorted(names) if NEVER.search(name)]


def files_of_sdist(path: Path) -> set[str]:
    """Return the names of the files in an sdist, which all lie in one folder."""
    with tarfile.open(path) as archive:
        files = [each.name for each in archive.getmembers() if each.isfile()]
    (folder,) = {name.partition("/")[0] for name in files}
    return {name.removeprefix(f"{folder}/") for name in files}


def wheel_from(sdist: Path, folder: Path) -> Path:
    """Build a wheel out of an sdist, as pip does where it finds no wheel."""
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (source,) = (each for each in folder.iterdir() if each.is_dir())
    out = folder / "dist"
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", out], cwd=source, check=True, stdout=subprocess.DEVNULL
    )
    (wheel,) = out.glob("*.whl")
    return wheel


def contents(wheel: Path) -> dict[str, bytes]:
    """Return every file of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}


def check(folder: Path) -> list[str]:
    """Return what is wrong with the wheel and the sdist in *folder*."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    faults = [f"{each.name} has {each.stat().st_size} bytes" for each in (wheel, sdist) if each.stat().st_size > MOST_BYTES]
    if not wheel.name.endswith("-py3-none-any.whl"):
        faults.append(f"{wheel.name} is not for every platform")
    files = contents(wheel)
    info = f"notifykit-{project['version']}.dist-info"
    metadata = Parser().parsestr(files[f"{info}/METADATA"].decode())
    faults += faults_of_wheel(set(files), source_files(ROOT), metadata, files[f"{info}/entry_points.txt"].decode(), project)
    faults += faults_of_sdist(files_of_sdist(sdist))
    with tempfile.TemporaryDirectory() as temporary:
        again = contents(wheel_from(sdist, Path(temporary)))
    faults += [
        f"{name} differs when the wheel is built from the sdist"
        for name in sorted(files.keys() | again.keys())
        if files.get(name) != again.get(name)
    ]
    return faults


def main() -> int:
    """Check, and say what is wrong."""
    faults = check(Path(sys.argv[1]))
    print("\n".join(faults) or "the wheel and the sdist are as they should be")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
