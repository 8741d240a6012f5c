"""Pictures that a template brings along go with its e-mail, and with no other channel."""

from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest

from notifykit import Attachment, Markup, Notifier, Part, Recipient
from notifykit.channels.file import FileChannel
from notifykit.errors import RenderError
from notifykit.rendering import JinjaRenderer
from notifykit.rendering.checking import check_templates
from notifykit.rendering.pictures import MOST_BYTES
from notifykit.rendering.preview import write_gallery

PARTS = {"subject": Part(Markup.LINE), "html": Part(Markup.HTML), "text": Part(Markup.TEXT, required=False)}
FILES = {
    "t/email.subject.j2": "S",
    "t/email.html.j2": '{% extends \'_layout/mail.html.j2\' %}{% block body %}<img alt="" src="cid:sign.gif">{{ x }}{% endblock %}',
    "t/sign.gif": b"GIF default",
    "t/cs/sign.gif": b"GIF cs",
    "_layout/mail.html.j2": '<img alt="Acme" src="cid:logo.png"><p>{% block body %}{% endblock %}</p>',
    "_layout/logo.png": b"PNG",
    "t/telegram.text.j2": "x",
}


def pictures(locale: str | None = None, files: dict[str, str | bytes] | None = None, x: str = "") -> dict[str, bytes | None]:
    content = JinjaRenderer(files or FILES, built_in=False).render("t", "email", PARTS, {"x": x}, locale=locale)
    assert all(each.inline and each.only == ("email",) for each in content.attachments)
    return {each.name: each.data for each in content.attachments}


def test_what_the_html_shows_is_found_beside_the_template_by_locale_and_in_shared_folders() -> None:
    assert pictures() == {"logo.png": b"PNG", "sign.gif": b"GIF default"}
    assert pictures("cs-CZ") == {"logo.png": b"PNG", "sign.gif": b"GIF cs"}
    assert pictures(files={"t/email.subject.j2": "S", "t/email.html.j2": "{{ x }}", "t/logo.png": b"PNG"}) == {}


def test_no_name_reaches_another_file() -> None:
    for name in ("../secret.png", "email.html.j2", "template.toml", "/etc/passwd", "t/logo.png", "%2e%2e/logo.png", "gone.png"):
        assert pictures(x=f"cid:{name}").keys() <= {"logo.png", "sign.gif", "secret.png"}
    assert "secret.png" not in pictures(x="cid:../secret.png", files={**FILES, "u/secret.png": b"no"})


def test_pictures_that_are_too_large_are_an_error() -> None:
    with pytest.raises(RenderError, match=f"the pictures of t have {MOST_BYTES + 14:,} bytes; they may have {MOST_BYTES:,}"):
        pictures(files={**FILES, "_layout/logo.png": b"x" * (MOST_BYTES + 3)})


@pytest.mark.anyio
async def test_a_mail_carries_them_and_one_of_the_calls_own_takes_their_place(tmp_path: Path) -> None:
    notifier = Notifier("memory://", templates=FILES, channels={"email": FileChannel(tmp_path)})
    ada = Recipient("user:1", {"email": "ada@example.com"})
    own = Attachment("sign.gif", b"GIF own", inline=True, only=["email"])
    async with notifier:
        for attachments in ([], [own]):
            (receipt,) = await notifier.send(ada, "t", {"x": "x"}, attachments=attachments)
            receipt.raise_for_status()
            await notifier.enqueue(ada, "t", {"x": "x"}, attachments=attachments)
        await notifier.drain()
    brought, changed = [("logo.png", b"PNG"), ("sign.gif", b"GIF default")], [("sign.gif", b"GIF own"), ("logo.png", b"PNG")]
    assert attached(tmp_path) == sorted([brought, brought, changed, changed])


def attached(folder: Path) -> list[list[tuple[str | None, bytes]]]:
    mails: list[EmailMessage] = [message_from_bytes(path.read_bytes(), policy=policy.default) for path in folder.iterdir()]
    return sorted([(each.get_filename(), each.get_content()) for each in mail.walk() if each.get_filename()] for mail in mails)


def test_a_misspelt_picture_is_found_by_the_check_and_one_that_comes_with_the_call_is_not() -> None:
    html = "<p>{{ x }}<img alt='' src='cid:lgoo.png'><img alt='' src='cid:invoice.gif'></p>"
    findings = check_templates(JinjaRenderer({**FILES, "t/email.html.j2": html}, built_in=False), {"mail": ("email", PARTS)})
    assert [each.text for each in findings] == [
        "cid:lgoo.png is no picture of the template's; did you mean cid:logo.png? (with made-up values)"
    ]


def test_the_gallery_shows_them_without_loading_anything(tmp_path: Path) -> None:
    page = write_gallery(JinjaRenderer(FILES, built_in=False), {"mail": ("email", PARTS)}, tmp_path).read_text()
    assert page.count("data:image/png;base64,UE5H") == 4 * 2  # each width and colour, by default and in Czech
    assert "cid:" not in page
