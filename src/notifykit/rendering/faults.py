"""Whatever goes wrong in a template becomes a RenderError that names the file and the line, and shows no value."""

from types import TracebackType

import jinja2
from jinja2.exceptions import SecurityError

from notifykit.errors import ContentTooLongError, InvalidContentError, NotifykitError, RenderError, TemplateSyntaxError
from notifykit.rendering.fragments import RefusedError
from notifykit.rendering.language import InvalidTextError

__all__ = ["TooLongError", "to_render_error"]


class TooLongError(Exception):
    """The output has grown over the limit, or is longer than the channel carries; the reason never shows the text."""

    def __init__(self, length: int, limit: int, reason: str = "") -> None:
        super().__init__(reason or f"the output is longer than {limit:,} characters")
        self.length: int = length
        self.limit: int = limit


def to_render_error(error: Exception, template: str, part: str, file: str) -> NotifykitError:
    """Return the error to raise for *error*, which came up when *part* was compiled or rendered.

    It is raised with nothing chained to it: the texts of foreign exceptions may show a variable's value.
    """
    if isinstance(error, RenderError):
        return type(error)(error.message, template, part) if type(error) is RenderError else error
    if isinstance(error, NotifykitError):
        return error
    if isinstance(error, jinja2.TemplateSyntaxError):
        where = f"{error.filename or file}, line {error.lineno}"
        return TemplateSyntaxError(f"{where}: {error.message}", template, part, error.lineno)
    place, line = _where(error.__traceback__, file)
    if isinstance(error, InvalidTextError):
        where = f"{file}, line {error.line} of the output" if error.line else file
        return InvalidContentError(f"{where}: {error}", template, part, error.line)
    if isinstance(error, TooLongError):
        return ContentTooLongError(f"{place}: {error}", template, part, error.length, error.limit)
    return RenderError(f"{place}{f', line {line}' if line else ''}: {_reason(error)}", template, part)


def _reason(error: Exception) -> str:
    if isinstance(error, RefusedError):
        return str(error)
    if isinstance(error, SecurityError):
        return "the sandbox refuses access to Python internals"
    if isinstance(error, jinja2.UndefinedError):
        return error.message or "something is not defined"
    if isinstance(error, jinja2.TemplateNotFound):
        return "it refers to a template file that does not exist"
    if isinstance(error, RecursionError):
        return "templates or macros call each other without end"
    return f"{type(error).__name__} when an expression was evaluated"


def _where(trace: TracebackType | None, file: str) -> tuple[str, int | None]:
    """Return the template file and the line of the innermost compiled template in *trace*."""
    line = None
    while trace is not None:
        template = trace.tb_frame.f_globals.get("__jinja_template__")
        if isinstance(template, jinja2.Template):
            file, line = template.filename or file, template.get_corresponding_lineno(trace.tb_lineno)
        trace = trace.tb_next
    return file, line
