"""Runs every library against every fault, and prints the table."""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.environments import ROOT, python_with
from benchmarks.faults.roster import ROSTER, Peer
from benchmarks.faults.servers import NAMES, REDIRECT, REFUSED, UNASKED, trial

PAGE = ROOT / "docs" / "explanation" / "channels-compared.md"
TITLES = {"smtp": "SMTP", "telegram": "Telegram", "push": "Web push", "webhook": "JSON over HTTP"}


class Child:
    """A library in an environment of its own."""

    def __init__(self, peer: Peer) -> None:
        python = python_with(peer.requires)
        # The loopback servers' certificates are nobody's; no environment variable may say otherwise.
        environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
        command = [str(python), "-m", "benchmarks.faults.child", peer.module]
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def ask(self, port: int, tls: bool, alone: bool) -> tuple[str, str]:
        """Send two messages there; return both outcomes."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"port": port, "tls": tls, "alone": alone}) + "\n")
        self.process.stdin.flush()
        first, second = json.loads(self.process.stdout.readline())
        return first, second

    def close(self) -> None:
        """End it; calls that still wait are left behind."""
        self.process.kill()
        self.process.wait()


def cell(peer: Peer, name: str, first: str, second: str, elsewhere: int) -> str:
    """Return what the table says."""
    said = _said(first)
    if name == REDIRECT and elsewhere:
        said += ", **followed it**"
    if not second:
        return said
    return f"{said}; next: {_next(peer, name, second)}"


def _said(outcome: str) -> str:
    if outcome.startswith("sent:"):
        return "`False`" if outcome == "sent:False" else "says *sent*"
    if outcome == "waits":
        return "still waiting after 8 s"
    name, _, more = outcome.partition(" ")
    return f"`{name}` **{more}**" if more else f"`{name}`"


def _next(peer: Peer, name: str, outcome: str) -> str:
    refused = peer.protocol == "smtp" or name == UNASKED  # the second message is one that the server refuses
    if outcome.startswith("sent:") and outcome != "sent:False":
        right = not refused and (peer.protocol != "telegram" or outcome == "sent:2")
        return "sent" if right else "**says *sent*, was refused**"
    return _said(outcome)


def versions(peers: Sequence[Peer]) -> str:
    """Return the versions of the libraries, as their environments have them."""
    told = [f"Python {sys.version.split()[0]}"]
    for name in dict.fromkeys(each for peer in peers for each in peer.requires):
        python = python_with((name,))
        code = f"import importlib.metadata as m; print(m.version({name!r}))"
        told.append(f"{name} {subprocess.run([python, '-c', code], capture_output=True, text=True, check=True).stdout.strip()}")
    return ", ".join(told)


def tables(peers: Sequence[Peer]) -> str:
    """Return the tables, in Markdown."""
    text = [f"Seen with {versions(peers)}."]
    for protocol in dict.fromkeys(each.protocol for each in peers):
        chosen = [each for each in peers if each.protocol == protocol]
        rows: dict[str, list[str]] = {}
        for peer in chosen:
            child = Child(peer)
            for name in NAMES:
                with trial(protocol, name) as server:
                    if server is None:
                        continue
                    sys.stderr.write(f"{peer.name}, {protocol}: {name}\n")
                    first, second = child.ask(server.port, server.tls, alone=name == REFUSED or server.tls)
                    rows.setdefault(name, []).append(cell(peer, name, first, second, len(server.elsewhere)))
                if first == "waits":
                    child.close()
                    child = Child(peer)
            child.close()
        text.append(f"### {TITLES[protocol]}\n")
        text += [f"| fault | {' | '.join(each.name for each in chosen)} |", f"| --- |{' --- |' * len(chosen)}"]
        text += [f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items()]
        text.append("")
    return "\n".join(text)


def main() -> None:
    """Print the tables, or put them into the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"put the tables into {PAGE.relative_to(ROOT)}")
    parser.add_argument("--only", help="a protocol: " + ", ".join(TITLES))
    given = parser.parse_args()
    made = tables([each for each in ROSTER if given.only in (None, each.protocol)])
    if given.write:
        _write(PAGE, made)
    else:
        print(made)


def _write(page: Path, made: str) -> None:
    before, _, rest = page.read_text().partition("<!-- tables -->\n")
    page.write_text(f"{before}<!-- tables -->\n{made.rstrip()}\n<!-- end of tables -->{rest.partition('<!-- end of tables -->')[2]}")


main()
