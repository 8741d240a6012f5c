"""The Lua scripts: resource files, put together from pieces, sent by their digest."""

from functools import cache
from hashlib import sha1
from importlib.resources import files

from attrs import frozen

__all__ = ["Script", "script"]

_PIECES = {
    "enqueue": ("base", "write", "add"),
    "settling": ("base", "write", "add", "moves", "settle"),
    "claiming": ("base", "write", "add", "moves", "settle", "claim"),
    "extend": ("base", "write"),
    "find": ("base", "select"),
    "change": ("base", "write", "add", "moves", "select"),
    "hold": ("base", "write"),
    "stats": ("base",),
    "holds": ("base",),
    "audit": ("base",),
    "look_up": ("base",),
    "list_keys": ("base",),
    "put": ("base", "write", "facts"),
    "remove": ("base", "write", "facts"),
    "windows": ("base", "write"),
    "probe": (),
}
# A script that stores something new is refused by a full server. One that ends something is not, so that it drains.
_FLAGS = {
    "enqueue": "",
    "put": "",
    "find": "no-writes",
    "stats": "no-writes",
    "holds": "no-writes",
    "audit": "no-writes",
    "look_up": "no-writes",
    "list_keys": "no-writes",
}


@frozen
class Script:
    """One script as the server gets it. ``writes`` is false for one that only reads."""

    name: str
    text: bytes
    sha: str
    writes: bool


@cache
def script(name: str) -> Script:
    """Return the script of this name."""
    flags = _FLAGS.get(name, "allow-oom")
    folder = files(__package__) / "lua"
    pieces = [(folder / f"{piece}.lua").read_text(encoding="utf-8") for piece in (*_PIECES[name], name)]
    text = "\n".join([f"#!lua flags={flags}" if flags else "#!lua", *pieces]).encode()
    return Script(name, text, sha1(text, usedforsecurity=False).hexdigest(), flags != "no-writes")
