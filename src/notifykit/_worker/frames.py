"""Where an exception came from, told without any of its values: names of files and functions, and numbers of lines."""

import os
from collections.abc import Iterator
from itertools import dropwhile
from pathlib import Path, PurePath
from traceback import walk_tb

__all__ = ["frames", "kind", "whole_traceback"]

_OURS = tuple(f"{Path(__file__).parents[1] / folder}{os.sep}" for folder in ("_worker", "_notifier"))
_LIBRARY = f"{Path(os.__file__).parent}{os.sep}"
_LONGEST = 900
"""Characters, so that with the rest of the sentence they are within what a bus keeps of an error."""


def kind(error: BaseException) -> str:
    """Return the name of the type of *error*; of a group with that of the first in it."""
    name = type(error).__name__
    return f"{name} of {kind(error.exceptions[0])}" if isinstance(error, BaseExceptionGroup) else name


def frames(error: BaseException) -> str:
    """Return the frames of *error* as ``file:line:function``, from the outermost that is not the worker's to the innermost.

    Those of a group go on with those of the first in it. Of too many the outermost and the last ones stay.
    """
    every = list(_walked(error))
    inner = error
    while isinstance(inner, BaseExceptionGroup):
        inner = inner.exceptions[0]
        every += _walked(inner)
    outside = list(dropwhile(lambda frame: frame[0].startswith(_OURS), every)) or every
    if len(outside) < len(every) and outside[0][0].startswith(_LIBRARY) and "site-packages" not in outside[0][0]:
        outside.insert(0, every[-len(outside) - 1])  # Python's library is not at fault, but whoever called it
    places = [f"{_short(file)}:{line}:{function}" for file, line, function in outside]
    if len(", ".join(places)) <= _LONGEST:
        return ", ".join(places)
    kept: list[str] = []
    room = _LONGEST - len(places[0])
    for each in reversed(places[1:]):
        room -= len(each) + 2
        if room < 0:
            break
        kept.append(each)
    return ", ".join([places[0], "…", *reversed(kept)])


def whole_traceback(error: BaseException) -> str:
    """Return what Python prints of *error* and of what it came from, but for texts of exceptions and lines of source."""
    lines: list[str] = []
    told: list[BaseException] = []
    left: list[BaseException | None] = [error]
    while left:
        one = left.pop()
        if one is None or any(one is each for each in told):
            continue
        lines.append(f"{'from ' if told else ''}{type(one).__qualname__}")
        lines += [f'  File "{file}", line {line}, in {function}' for file, line, function in _walked(one)]
        told.append(one)
        left.append(one.__cause__ or (None if one.__suppress_context__ else one.__context__))
        left += one.exceptions if isinstance(one, BaseExceptionGroup) else ()
    return "\n".join(lines)


def _walked(error: BaseException) -> Iterator[tuple[str, int, str]]:
    for frame, line in walk_tb(error.__traceback__):
        yield frame.f_code.co_filename, line, frame.f_code.co_qualname


def _short(file: str) -> str:
    """Return the name of a file, and of its folder where the name alone says nothing."""
    path = PurePath(file)
    return f"{path.parent.name}/{path.name}" if path.name == "__init__.py" else path.name
