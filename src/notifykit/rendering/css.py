"""Style sheets of an e-mail written into its tags, as mail programs need it; only where css-inline is installed."""

import re
from functools import cache
from typing import Any

from notifykit.rendering.language import InvalidTextError

__all__ = ["inline_css"]

_STYLE = re.compile(r"<style(?![^>]*data-css-inline\s*=\s*[\"']?ignore)", re.IGNORECASE)


@cache
def _inliner() -> Any:
    """Return css-inline's inliner, or None; it must never fetch: by default it loads URLs and reads files."""
    try:
        import css_inline
    except ImportError:
        return None
    return css_inline.CSSInliner(load_remote_stylesheets=False, keep_style_tags=True, keep_link_tags=True)


def inline_css(html: str) -> str:
    """Return *html* with its ``<style>`` rules on the tags they select; the rules stay for those that can use them.

    A ``<style data-css-inline="ignore">`` is left alone.

    Raises:
        InvalidTextError: the HTML or its CSS cannot be read.
    """
    if _STYLE.search(html) is None or _inliner() is None:
        return html
    try:
        return str(_inliner().inline(html))
    except Exception as error:
        raise InvalidTextError(f"its CSS cannot be inlined ({type(error).__name__})") from None
