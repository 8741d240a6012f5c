"""Frozen objects made in a third of the time: for what was checked when it was stored and now comes by the hundred.

A frozen class of attrs sets each attribute through ``object.__setattr__``. A twin of it, with the same slots, is written to in the
plain way, and its instance then becomes one of the frozen class: 1.3 µs for an envelope in place of 4.
"""

from typing import Any

from attrs import fields, make_class

__all__ = ["twin"]


def twin(kind: type) -> Any:
    """Return a class that takes the attributes of *kind* in order; whoever makes one sets its ``__class__`` to *kind*.

    *kind* has no ``weakref_slot``: Python changes the class only of objects whose layout is their slots and nothing else.
    """
    names = [each.name for each in fields(kind)]
    return make_class(f"_{kind.__name__}", names, slots=True, weakref_slot=False, eq=False, repr=False)
