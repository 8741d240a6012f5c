"""Templates and variables to content: one module per markup.

``renderer`` is the port's implementation. It asks ``catalogue`` for files out of ``sources``, ``variables`` for what they need,
and ``environment`` for compiled templates, whose values become ``fragments`` of the part's ``language``: ``html``, ``text``,
``line``, ``markdown_v2``, ``json``.
"""

from notifykit.rendering.description import Description
from notifykit.rendering.renderer import JinjaRenderer
from notifykit.rendering.sources import SourceLike
from notifykit.rendering.variables import Variables

__all__ = ["Description", "JinjaRenderer", "SourceLike", "Variables"]
