"""The checks, one session each. ``scripts/test`` runs the default ones; ``scripts/test nox -l`` lists all."""

import shutil
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2024.10"

CURRENT = f"{sys.version_info.major}.{sys.version_info.minor}"
PYTHONS = sorted({"3.11", "3.12", "3.13", CURRENT})
LOCKED = Path("requirements/locked.txt")
LOWEST = Path("requirements/lowest.txt")

nox.options.sessions = ["lint", "types", "docs", "plugin", f"tests-{CURRENT}"]
nox.options.reuse_venv = "yes"
nox.options.default_venv_backend = "virtualenv"

PROJECT = nox.project.load_toml("pyproject.toml")


def group(*names: str) -> list[str]:
    return list(nox.project.dependency_groups(PROJECT, *names))


def install(session: nox.Session, *arguments: str) -> None:
    """Install with the locked versions."""
    session.install("-c", str(LOCKED), *arguments)


def install_wheel(session: nox.Session, extras: str) -> None:
    """Build the wheel as it would be published, and install that: what it lacks fails here and not at a user's."""
    out = Path(session.create_tmp()) / "dist"
    shutil.rmtree(out, ignore_errors=True)
    install(session, *group("build"))
    session.run("hatchling", "build", "-t", "wheel", "-d", str(out), silent=True)
    (wheel,) = out.glob("*.whl")
    install(session, f"{wheel}[{extras}]")
    session.install("--force-reinstall", "--no-deps", str(wheel))


def pytest(session: nox.Session, *arguments: str) -> None:
    session.run("python", "-m", "pytest", *(session.posargs or arguments))


@nox.session
def lint(session: nox.Session) -> None:
    """Style, spelling, and the layers of the package."""
    install(session, *group("lint"))
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("codespell")
    session.run("lint-imports", env={"PYTHONPATH": "src"})


@nox.session
def types(session: nox.Session) -> None:
    """Strict mypy, and pyright on what users see."""
    install(session, *group("types"))
    install_wheel(session, "all,testing")
    session.run("mypy")
    session.run("pyright", "tests/typing")
    session.run("pyright", "--verifytypes", "notifykit", "--ignoreexternal")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Every test on this Python, on asyncio and on trio, against the installed wheel, on all cores.

    The machine that compares each bus with the model takes 300 runs of 60 steps in all; with arguments, fewer.
    """
    install(session, *group("test", "examples"))
    install_wheel(session, "all,testing")
    if not session.posargs:
        session.env.setdefault("NOTIFYKIT_PROFILE", "ci")
    pytest(session, "-m", "not battery", "-n", "auto", "--dist", "worksteal")


@nox.session
def plugin(session: nox.Session) -> None:
    """Packages of strangers: built, installed with the wheel into an environment of nothing else, and proved from outside by the kit."""
    install(session, *group("build"))
    work = Path(session.create_tmp()).absolute()
    dist, clean = work / "dist", work / "clean"
    for folder in (dist, clean):
        shutil.rmtree(folder, ignore_errors=True)
    places = [Path.cwd(), *sorted(each.parent for each in Path("tests/plugin").absolute().glob("*/pyproject.toml"))]
    for place in places:
        with session.chdir(place):
            session.run("hatchling", "build", "-t", "wheel", "-d", str(dist), silent=True)
    session.run("python", "-m", "venv", str(clean))
    python = str(clean / ("Scripts" if sys.platform == "win32" else "bin") / "python")
    ours = [f"{each}[testing]" for each in dist.glob("notifykit-*.whl")]
    for wheels in (ours, [str(each) for each in sorted(dist.glob("acme*.whl"))]):  # ours first: theirs must not bring another
        session.run(python, "-m", "pip", "install", "-q", "--no-input", "-c", str(LOCKED.absolute()), *wheels, external=True)
    for place in (*places[1:], Path("tests/plugin/application").absolute()):
        with session.chdir(place):
            session.run(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *session.posargs, external=True)


@nox.session
def coverage(session: nox.Session) -> None:
    """Which lines and branches of the package the tests reach, processes that they start included."""
    install(session, *group("test", "examples"))
    install_wheel(session, "all,testing")
    session.run("coverage", "erase")
    session.run("coverage", "run", "-m", "pytest", "-m", "not battery", "-n", "auto", "--dist", "worksteal", success_codes=[0, 1])
    session.run("coverage", "combine", "-q")
    session.run("coverage", "report", *session.posargs)


@nox.session
def battery(session: nox.Session) -> None:
    """The long tests on real parts, which print their figures: kills, cancels, faults, losses, soaks, simulations, mutants.

    Arguments are added to pytest's, as in ``-- -k kills`` or ``-- tests/kit``.
    """
    install(session, *group("test", "demo"))
    install_wheel(session, "all,testing")
    session.run("python", "-m", "pytest", "-m", "battery", "-s", "--timeout", "7200", *session.posargs)


@nox.session
def machine(session: nox.Session) -> None:
    """Compare each bus with the model in 20,000 runs of 60 steps; ``-- tests/conformance/test_sqlite.py`` takes one of them."""
    install(session, *group("test"))
    install_wheel(session, "all,testing")
    session.env["NOTIFYKIT_PROFILE"] = "thorough"
    chosen = session.posargs or ["tests/conformance"]
    session.run("python", "-m", "pytest", "-v", "--durations", "0", *chosen, "-k", "does_what_the_model_does")


@nox.session
def markdown(session: nox.Session) -> None:
    """MarkdownV2 against Telegram's own parser, with a hundred times the examples of an ordinary run."""
    install(session, *group("test"))
    install_wheel(session, "all,testing")
    files = ("test_markdown_v2.py", "test_markdown_v2_composing.py", "test_markdown_v2_reading.py", "test_rendering_splitting.py")
    session.env.setdefault("NOTIFYKIT_EXAMPLES", "100")
    pytest(session, *(f"tests/unit/{file}" for file in files), "-n", "auto", "--dist", "worksteal", "--timeout", "7200")


@nox.session(python="3.11")
def lowest(session: nox.Session) -> None:
    """The tests with the lowest versions that pyproject.toml allows; those of the frameworks in examples/ want newer ones."""
    install(session, *group("test"))
    install_wheel(session, "all,testing")
    session.install("-r", str(LOWEST))
    session.run("python", "-m", "pip", "check")
    # anyio before 4.16 leaves the socket of a connection that was cancelled while it was made to the garbage collector, which says so.
    pytest(session, "-m", "not battery", "-W", "default::pytest.PytestUnraisableExceptionWarning")


@nox.session
def benchmarks(session: nox.Session) -> None:
    """Measure queues side by side on this machine; the arguments are those of ``python -m benchmarks``, --list among them."""
    install(session, *group("test", "benchmarks"))
    install_wheel(session, "all,testing")
    session.run("python", "-m", "benchmarks", *session.posargs)


@nox.session
def growth(session: nox.Session) -> None:
    """Measure how cost grows with what waits, is dead, with channels, sizes, processes and shards; ``-- --only NAME`` takes one curve."""
    install(session, *group("test", "benchmarks"))
    install_wheel(session, "all,testing")
    session.run("python", "-m", "benchmarks.growth", *session.posargs)


@nox.session
def performance(session: nox.Session) -> None:
    """Run every measurement, and write docs/explanation/performance.md anew; ``-- --share 1 --rounds 5`` takes longer and says more."""
    install(session, *group("test", "benchmarks"))
    install_wheel(session, "all,testing")
    session.run("python", "-m", "benchmarks.publish", *session.posargs)


@nox.session
def faults(session: nox.Session) -> None:
    """Show what other libraries answer to the bad servers of the tests, beside ours; each gets an environment of its own."""
    install(session, *group("test"))
    install_wheel(session, "all,testing")
    session.run("python", "-m", "benchmarks.faults", *(session.posargs or ["--write"]))


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation, warnings being errors; its code runs in the tests."""
    install(session, *group("docs"))
    install_wheel(session, "all,testing")
    session.run("sphinx-build", "-W", "--keep-going", "-q", "-b", "html", "docs", "build/docs", *session.posargs)


@nox.session
def package(session: nox.Session) -> None:
    """Build what is published, check what is in it, and install the wheel into a new environment with each extra alone, and all.

    Arguments are the extras to try, ``none`` among them.
    """
    out = Path(session.create_tmp()) / "package"
    shutil.rmtree(out, ignore_errors=True)
    install(session, *group("build", "package"))
    session.run("hatchling", "build", "-d", str(out), silent=True)
    session.run("twine", "check", "--strict", *map(str, out.iterdir()))
    session.run("python", "scripts/distributions.py", str(out))
    (wheel,) = out.glob("*.whl")
    extras = ["none", *PROJECT["project"]["optional-dependencies"]]
    for extra in session.posargs or extras:
        environment = out / f"with-{extra}"
        session.run("python", "-m", "virtualenv", "-q", str(environment))
        wanted = str(wheel) if extra == "none" else f"{wheel}[{extra}]"
        python = str(environment / ("Scripts" if sys.platform == "win32" else "bin") / "python")
        session.run(python, "-m", "pip", "install", "-q", "-c", str(LOCKED), wanted, external=True)
        session.run(python, "-I", "-W", "error", str(Path("scripts/promises.py").resolve()), extra, external=True)


@nox.session
def lock(session: nox.Session) -> None:
    """Write the two files in requirements/ anew, from what pyproject.toml allows and what is newest today."""
    session.install(*group("lock"))
    compile_ = ("uv", "pip", "compile", "--python-version", "3.11", "--all-extras", "--no-header", "--no-annotate", "-q", "pyproject.toml")
    environment = {"UV_CUSTOM_COMPILE_COMMAND": "scripts/test nox -s lock"}
    session.run(*compile_, "--universal", "--group", "dev", "--upgrade", "-o", str(LOCKED), env=environment)
    session.run(*compile_, "--resolution", "lowest-direct", "--group", "telemetry", "--upgrade", "-o", str(LOWEST), env=environment)
