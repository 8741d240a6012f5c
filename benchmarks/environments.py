"""A virtual environment for each contender, so that none is held to another's versions; kept for the next run."""

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["ROOT", "python_with", "versions"]

ROOT = Path(__file__).resolve().parent.parent
_HOME = ROOT / "build" / "benchmarks" / "environments"


def python_with(requires: Sequence[str]) -> Path:
    """Return the interpreter of an environment with *requires*; with nothing, the one that runs now."""
    if not requires:
        return Path(sys.executable)
    wanted = [*requires, "attrs"]
    home = _HOME / hashlib.sha256("\0".join([sys.version, *wanted]).encode()).hexdigest()[:16]
    ready = home / "ready"
    if not ready.exists():
        sys.stderr.write(f"installing {', '.join(requires)} …\n")
        subprocess.run([sys.executable, "-m", "venv", "--clear", home], check=True)
        subprocess.run([home / "bin" / "python", "-m", "pip", "install", "-q", "--disable-pip-version-check", *wanted], check=True)
        ready.write_text("\n".join(wanted))
    return home / "bin" / "python"


def versions(requires: Sequence[str]) -> str:
    """Return what was installed for *requires*, with versions; nothing for nothing."""
    names = [found[0] for each in requires if (found := re.match(r"[\w.-]+", each))]
    if not names:
        return ""
    code = "import importlib.metadata as m, json, sys; print(json.dumps([f'{name} {m.version(name)}' for name in sys.argv[1:]]))"
    told = subprocess.run([python_with(requires), "-c", code, *names], check=True, capture_output=True, text=True)
    return ", ".join(json.loads(told.stdout))
