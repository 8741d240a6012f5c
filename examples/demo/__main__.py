"""``python -m examples.demo``: the demo, or with ``worker`` the process that it starts."""

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

import anyio

from examples.demo.application import Folder
from examples.demo.keeper import WorkerFailedError
from examples.demo.performance import Options, perform
from examples.demo.screen import Screen
from examples.demo.summary import Result, as_json
from examples.demo.worker import work


def main() -> int:
    """Run the demo or a worker; 0 only if every message is accounted for."""
    arguments = _parser().parse_args()
    loop = "trio" if arguments.trio else "asyncio"
    if arguments.command == "worker":
        if not Folder(arguments.folder).wiring.exists():
            return _fail(f"no demo runs in {arguments.folder}")
        anyio.run(work, Folder(arguments.folder), arguments.parent, backend=loop)
        return 0
    try:
        folder = _folder(arguments.folder)
    except OSError as error:
        return _fail(f"{arguments.folder} cannot be used: {error.strerror}")
    try:
        return _demo(Options(folder, loop, arguments.kill_worker), as_one_json=arguments.json)
    finally:
        if arguments.folder is None:
            _leave_the_page(folder)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/demo", description="Send real notifications to real servers on this machine.")
    parser.add_argument("--folder", type=Path, help="keep the queue, the log and the page here: a new or an empty folder")
    parser.add_argument("--kill-worker", action="store_true", help="kill the worker with SIGKILL in the middle")
    parser.add_argument("--trio", action="store_true", help="run on trio in place of asyncio")
    parser.add_argument("--json", action="store_true", help="print nothing but a summary as JSON")
    commands = parser.add_subparsers(dest="command", title="commands", metavar="")
    worker = commands.add_parser("worker", help="work the queue of a running demo, beside its own worker")
    worker.add_argument("--folder", type=Path, required=True, help="the demo's folder")
    worker.add_argument("--parent", type=int, help="stop when this process, which must be the parent, is gone")
    worker.add_argument("--trio", action="store_true", default=argparse.SUPPRESS, help="run on trio in place of asyncio")
    return parser


def _folder(asked: Path | None) -> Path:
    if asked is None:
        return Path(tempfile.mkdtemp(prefix="notifykit-demo-"))
    asked.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(asked.iterdir()):
        raise FileExistsError(0, "it is not empty")
    return asked.resolve()


def _demo(options: Options, *, as_one_json: bool) -> int:
    with Screen(quiet=as_one_json) as screen:
        try:
            result = anyio.run(perform, options, screen, backend=options.loop)
        except* WorkerFailedError as failures:
            return_code = _fail("; ".join(map(str, failures.exceptions)))
        except* KeyboardInterrupt:
            return_code = 130
        else:
            return_code = 1 if result.account.faults else 0
            if as_one_json:
                print(json.dumps(as_json(result), indent=2))
            else:
                _conclude(screen, result)
    return return_code


def _conclude(screen: Screen, result: Result) -> None:
    account = result.account
    screen.title(f"The account, after {result.seconds:.1f} s")
    screen.say(f"{len(result.expected)} messages enqueued or sent: {len(account.once)} arrived once, {len(account.twice)} twice")
    if account.deaths:
        screen.say(f"workers killed: {account.deaths}; what one had sent without having noted it was sent once more by the next")
    if account.replayed:
        screen.say(f"dead letters replayed: {len(account.replayed)}")
    for fault in account.faults:
        screen.say(f"not accounted for: {fault}", "red")
    if not account.faults:
        screen.say("every message is accounted for", "green")
    screen.say(f"see what arrived: {result.page}")


def _leave_the_page(folder: Path) -> None:
    """Of a temporary folder only the page stays."""
    for each in folder.iterdir():
        if each.is_dir():
            shutil.rmtree(each)
        elif each != Folder(folder).page:
            each.unlink()
    if not any(folder.iterdir()):
        folder.rmdir()


def _fail(text: str) -> int:
    print(f"scripts/demo: {text}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
