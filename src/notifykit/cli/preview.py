"""``notifykit preview``: every template as people will see it."""

import tempfile
from pathlib import Path

import click

from notifykit.cli.application import app_option, find_notifier
from notifykit.cli.output import Output, json_option
from notifykit.rendering.preview.gallery import write_gallery

__all__ = ["preview"]

_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command()
@app_option
@click.argument("templates", metavar="[TEMPLATE]...", nargs=-1)
@click.option("--out", "folder", type=_FOLDER, help="Write the page here.  [default: a new temporary folder]")
@click.option("--no-open", is_flag=True, help="Write the page and do not open it.")
@json_option
def preview(app: str | None, templates: tuple[str, ...], folder: Path | None, no_open: bool, out: Output) -> None:
    """Show every template in the browser.

    Writes one page with each template, or those named, on each channel in each locale: mails wide and narrow, in light and dark,
    Telegram messages, push messages, and what is wrong with them. The page runs nothing and loads nothing.
    """
    notifier = find_notifier(app)
    where = folder or Path(tempfile.mkdtemp(prefix="notifykit-preview-"))
    page = write_gallery(notifier.renderer, notifier.channels, where, templates=list(templates) or None)
    out.record({"page": str(page.resolve())})
    out.say(str(page.resolve()))
    if not no_open and not out.as_json:
        click.launch(page.resolve().as_uri())
