"""The gallery of all templates, for people to look at: one static page that needs no server and loads nothing."""

from notifykit.rendering.preview.gallery import write_gallery

__all__ = ["write_gallery"]
