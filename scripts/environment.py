"""Make or reuse the virtual environment .venv, install into it what a command needs, and run the command.

The environment is made anew when it was left half-made, or when the Python, the place of the checkout or a file that says
what to install has changed.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
MARK = VENV / "made-by-notifykit"
LOCKED = ROOT / "requirements" / "locked.txt"
PYPROJECT = ROOT / "pyproject.toml"

DEMO_EXTRAS = ("email", "telegram", "push", "html", "trio")


class SetUpError(Exception):
    """What went wrong, and what to do about it."""


def key() -> str:
    """Return a digest of everything that .venv depends on."""
    facts = [sys.version, sys.base_prefix, str(ROOT)]
    files = [each.read_bytes() for each in (PYPROJECT, LOCKED, Path(__file__))]
    return hashlib.sha256(b"\0".join([*(fact.encode() for fact in facts), *files])).hexdigest()


def read(path: Path) -> str:
    """Return the text of *path*, empty if there is no such file."""
    return path.read_text() if path.is_file() else ""


def works() -> bool:
    """Return whether .venv has a Python that runs, with pip."""
    return PYTHON.exists() and subprocess.run([PYTHON, "-I", "-c", "import pip"], check=False, stderr=subprocess.DEVNULL).returncode == 0


def make() -> None:
    """Make .venv, in place of one that was left half-made or is out of date; one that somebody else made stays."""
    if VENV.is_symlink() or (VENV.exists() and not MARK.exists() and works()):
        raise SetUpError(f"{VENV} is there already and was not made by this command. Move it away, and run the command again.")
    if VENV.exists():
        shutil.rmtree(VENV)
    VENV.mkdir()
    MARK.touch()
    made = subprocess.run([sys.executable, "-I", "-m", "venv", VENV], check=False, stdout=subprocess.PIPE, text=True)
    if made.returncode:
        sys.stderr.write(made.stdout)
        raise SetUpError(
            f"{sys.executable} could not make a virtual environment in {VENV}. If its venv or ensurepip module is missing:"
            " on Debian and Ubuntu, 'apt install python3-venv' brings them. Or name another Python: PYTHON=/path/to/python3.12"
        )


def pip(*arguments: str) -> None:
    """Run pip in .venv with the locked versions."""
    environment = os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0"}
    command = [PYTHON, "-I", "-m", "pip", "install", "-q", "-c", LOCKED, *arguments]
    if subprocess.run(command, check=False, cwd=ROOT, env=environment).returncode:
        raise SetUpError(
            "pip could not install what is needed; its own words are above. It needs the network once: without it, or behind"
            " a proxy or a mirror, set HTTPS_PROXY, PIP_INDEX_URL or PIP_FIND_LINKS for pip, and run the command again."
        )


def install(purpose: str) -> None:
    """Install what *purpose* needs."""
    groups = tomllib.loads(PYPROJECT.read_text())["dependency-groups"]
    if purpose == "demo":
        pip(*groups["build"])
        pip("--no-build-isolation", "-e", f".[{','.join(DEMO_EXTRAS)}]", *groups["demo"])
    else:
        pip(*groups["nox"])


def prepare(purpose: str) -> None:
    """Bring .venv up to date for *purpose*; a second command waits here until the first is done."""
    with PYPROJECT.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = key()
        ready = VENV / f"ready-for-{purpose}"
        if read(ready) == wanted and works():
            return
        sys.stderr.write("Installing into .venv (only this first time, about a minute) …\n")
        if read(MARK) != wanted or not works():
            make()
        MARK.write_text("")  # an install that is interrupted leaves it so, and the next command begins anew
        install(purpose)
        ready.write_text(wanted)
        MARK.write_text(wanted)


def command(purpose: str, arguments: list[str]) -> list[str]:
    """Return the command line of *purpose*."""
    if purpose == "demo":
        return ["-m", "examples.demo", *arguments]
    if not arguments:
        return ["-m", "nox"]
    if arguments[0] == "nox":
        return ["-m", "nox", *arguments[1:]]
    return ["-m", "nox", "-s", f"tests-{sys.version_info.major}.{sys.version_info.minor}", "--", *arguments]


def main(purpose: str, *arguments: str) -> int:
    """Prepare .venv, and become the command; return only after a failure."""
    try:
        prepare(purpose)
    except SetUpError as failure:
        sys.stderr.write(f"scripts/{purpose}: {failure}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    os.chdir(ROOT)
    return os.execv(PYTHON, [str(PYTHON), *command(purpose, list(arguments))])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
