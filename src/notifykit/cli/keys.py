"""``notifykit keys``: the key pair of web push."""

import os
from pathlib import Path

import click

from notifykit._secrets import Secret
from notifykit.channels.push.keys import generate_vapid_keys, load_key
from notifykit.cli.output import Output, json_option
from notifykit.errors import ConfigurationError

__all__ = ["keys"]

_NEW = click.Path(dir_okay=False, path_type=Path)
_OLD = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option(
    "--write", "path", type=click.Path(dir_okay=False, path_type=Path), help="Write the private key to this new file, for your eyes only."
)
@click.option(
    "--public-of",
    "source",
    type=_OLD,
    help="Make none: show the public key of this file.",
)
@json_option
def keys(path: Path | None, source: Path | None, out: Output) -> None:
    """Make a key pair for web push (VAPID).

    The private key is for PushChannel and stays secret. The public one is what the browser takes as applicationServerKey. Make
    them once: every subscription belongs to the key that it was made with.
    """
    if path and source:
        raise click.UsageError("--write and --public-of exclude each other")
    if source:
        private, public = None, load_key(source).public
    else:
        private, public = generate_vapid_keys()
    if path and private:
        _write(path, Secret(private))
        private = None
    out.record({"private": private, "public": public, "file": str(path) if path else None})
    if private:
        out.say(f"private: {private}")
    out.say(f"public:  {public}")
    if path:
        out.say(f"the private key is in {path}")


def _write(path: Path, private: Secret) -> None:
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise ConfigurationError(f"{path} is there already: a new key would end every subscription; move the file away first") from error
    with os.fdopen(file, "w") as opened:
        opened.write(private.reveal() + "\n")
