"""The gallery: everything is there to see, and nothing in it can run or load, whatever the data."""

import html
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import html5lib
import pytest

from notifykit._messages import Markup, Part
from notifykit.channels.console import ConsoleChannel
from notifykit.errors import UnknownTemplateError
from notifykit.rendering import JinjaRenderer
from notifykit.rendering.checking import Taker
from notifykit.rendering.preview import write_gallery
from notifykit.rendering.preview.looks import bubble, card, in_scheme, plain

CHANNELS: Mapping[str, Taker] = {
    "mail": ("email", {"subject": Part(Markup.LINE), "html": Part(Markup.HTML, required=False), "text": Part(Markup.TEXT, required=False)}),
    "bot": ConsoleChannel("telegram"),
    "browser": ConsoleChannel("push"),
    "hook": ConsoleChannel("webhook"),
}
RUN = "document.documentElement.setAttribute('data-ran','1')"
HOSTILE = f'<img src=x onerror="{RUN}"><script>{RUN}</script></iframe></style></title>--> {{{{ 7*7 }}}} \'" *b* `c`'
TOML = f"[example]\ntitle = '''{HOSTILE}'''\n"
SEEN = "SEEN-BY-PEOPLE"


def hostile_files(url: str) -> dict[str, str]:
    picture, away = f'<img src="{url}/mail.png" onerror="parent.{RUN}">', f'<meta http-equiv="refresh" content="0;{url}/go">'
    head = f'<head><link rel="stylesheet" href="{url}/a.css"></head>'
    return {
        "news/template.toml": f"description = '''{HOSTILE}'''\n{TOML}",
        "news/email.subject.j2": SEEN + "{{ title }}",
        "news/email.html.j2": f"<html>{head}<body><h1>{{{{ title }}}}</h1><script>parent.{RUN};{RUN}</script>{picture}{away}</body></html>",
        "news/telegram.text.j2": SEEN + "{{ title|bold }} {{ title|link('https://a.example/?' ~ title) }}",
        "news/push.json.j2": f'{{"title": "{SEEN}{{{{ title }}}}", "icon": "{url}/icon.png", "actions": [{{"title": "{{{{ title }}}}"}}]}}',
        "news/webhook.json.j2": '{"title": "{{ title }}"}',
        "news/cs/telegram.text.j2": "Ahoj {{ title }}",
    }


def gallery(files: Mapping[str, str], folder: Path) -> str:
    return write_gallery(JinjaRenderer(files, built_in=False), CHANNELS, folder / "out").read_text()


class Frames(HTMLParser):
    """Collects the tags of the page and the documents in its frames."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.names: set[str] = set()
        self.frames: list[dict[str, str | None]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.names |= {name for name, _ in attrs}
        if tag == "iframe":
            self.frames.append(dict(attrs))


def test_the_page_of_the_built_in_templates_is_valid_and_shows_every_channel(tmp_path: Path) -> None:
    page = write_gallery(JinjaRenderer(), CHANNELS, tmp_path / "deep" / "out")
    assert page.name == "index.html"
    text = page.read_text()
    html5lib.HTMLParser(strict=True).parse(text)
    frames = Frames(text).frames
    assert len(frames) == 3 * 4
    for name in JinjaRenderer().templates():
        assert f">{name}</h2>" in text
    assert text.count('class="bubble"') == text.count('class="card"') == 6
    assert "No long position was opened." in text
    assert text.count(">checked</span>") == 3


def test_hostile_data_is_text_everywhere(tmp_path: Path) -> None:
    page = gallery(hostile_files("https://evil.example"), tmp_path)
    read = Frames(page)
    html5lib.HTMLParser(strict=True).parse(page)
    assert not {"script", "img", "link", "object", "form"}.intersection(read.tags)
    assert not any(name.startswith("on") for name in read.names)
    assert html.escape(HOSTILE, quote=False).replace("'", "&#39;").replace('"', "&#34;") in page


def test_every_mail_is_in_a_frame_without_any_right_and_a_policy_forbids_the_rest(tmp_path: Path) -> None:
    page = gallery(hostile_files("https://evil.example"), tmp_path)
    frames = Frames(page).frames
    assert len(frames) == 4
    assert all(frame["sandbox"] == "" and "src" not in frame for frame in frames)
    policy = page.index("Content-Security-Policy")
    assert "default-src 'none'" in page
    assert policy < page.index("<style") < page.index("<iframe")


def test_what_the_check_finds_stands_beside_the_template(tmp_path: Path) -> None:
    page = gallery({"a/telegram.text.j2": "1.5", "a/email.html.j2": "x", "b/telegram.text.j2": "{{ broken"}, tmp_path)
    assert "Telegram refuses it" in page
    assert "a has no file email.subject.j2" in page
    assert "b/telegram.text.j2, line 1" in page
    assert page.count('class="fault"') == 3


def test_a_locale_is_shown_where_it_looks_different(tmp_path: Path) -> None:
    page = gallery(hostile_files("https://evil.example"), tmp_path)
    assert re.findall(r"<h3>(\w+)(?: <span[^>]*>(\w+))?", page) == [
        ("email", ""),
        ("telegram", ""),
        ("telegram", "cs"),
        ("push", ""),
        ("webhook", ""),
    ]


def test_only_the_templates_asked_for_are_shown_and_an_empty_gallery_says_so(tmp_path: Path) -> None:
    one = write_gallery(JinjaRenderer(), CHANNELS, tmp_path, templates=["entry_failure"]).read_text()
    assert one.count("<section") == 1
    with pytest.raises(UnknownTemplateError):
        write_gallery(JinjaRenderer(), CHANNELS, tmp_path, templates=["entry"])
    assert "There are no templates" in gallery({}, tmp_path)


def test_a_broken_description_is_a_section_with_its_finding(tmp_path: Path) -> None:
    page = gallery({"a/telegram.text.j2": "x", "a/template.toml": "[["}, tmp_path)
    assert 'class="error"' in page
    assert ">a</h2>" in page


def test_made_up_data_is_marked_as_such(tmp_path: Path) -> None:
    page = gallery({"a/telegram.text.j2": "{{ who }} {{ what }}", "a/template.toml": '[example]\nwhat = "x"'}, tmp_path)
    assert page.count("made up") == 1
    assert "who <i>made up</i>" in page


def test_a_mail_without_html_is_shown_as_text(tmp_path: Path) -> None:
    page = gallery({"a/email.subject.j2": "S", "a/email.text.j2": "only & text"}, tmp_path)
    assert Frames(page).frames == []
    assert page.count("<pre>only &amp; text</pre>") == 5


def test_a_mail_is_turned_light_or_dark_by_its_own_style_sheet_only() -> None:
    mail = "<style>@media (prefers-color-scheme: dark) {p{}} @media (Prefers-Color-Scheme:light) {b{}}</style>(prefers-color-scheme: dark)"
    dark = in_scheme(mail, "dark")
    assert dark == "<style>@media (min-width: 0px) {p{}} @media (max-width: 0px) {b{}}</style>(prefers-color-scheme: dark)"
    assert in_scheme(mail, "light").startswith("<style>@media (max-width: 0px) {p{}} @media (min-width: 0px)")


def test_a_bubble_has_the_formatting_that_telegram_shows() -> None:
    shown = bubble("*bold _both_* ||s||\n>quoted\nafter [link](https://a.example/?a\\)b)\n```py\ncode```\n**>folded||")
    assert shown is not None
    assert [kind for kind, _ in shown.blocks] == ["text", "quote", "text", "pre", "fold"]
    runs = [(run.text, run.styles, run.title) for _, block in shown.blocks for run in block]
    assert ("bold ", "bold", "") in runs
    assert ("both", "bold italic", "") in runs
    assert ("link", "link", "https://a.example/?a)b") in runs
    assert ("code", "pre", "py") in runs
    assert " ".join(text for text, _, _ in runs).split() == ["bold", "both", "s", "quoted", "after", "link", "code", "folded"]
    assert [run.text for _, block in getattr(bubble("a\n>b\nc\n\nd"), "blocks", ()) for run in block] == ["a\n", "b", "c\n\nd"]
    assert bubble("a.") is None
    assert bubble("👍") == bubble("👍")
    assert getattr(bubble("👍"), "characters", 0) == 2


def test_a_card_shows_the_site_that_is_opened_and_anything_else_is_plain() -> None:
    shown = card(
        '{"web_push": 8030, "notification": {"title": "T", "navigate": "https://www.shop.example/1", "actions": [{"title": "Go"}, 5]}}'
    )
    assert shown is not None
    assert (shown.title, shown.body, shown.site, shown.initial, shown.actions) == ("T", "", "www.shop.example", "S", ["Go"])
    assert getattr(card('{"title": "T", "navigate": "http://[", "actions": 5}'), "site", "") == "your-site.example"
    assert card("[1]") is None
    assert plain("json", Markup.JSON, '{"a":1}').text == '{\n  "a": 1\n}'
    assert plain("body", Markup.TEXT, "x").text == "x"


# A real browser

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable") if (path := shutil.which(name))), ""
)


class Asked(BaseHTTPRequestHandler):
    """Notes what a browser asks for."""

    paths: list[str]

    def do_GET(self) -> None:
        self.paths.append(self.path)
        self.send_response(404)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture
def outside() -> Iterator[tuple[str, list[str]]]:
    """Give a server that stands for the world outside, and the paths that it was asked for."""
    asked: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Noting", (Asked,), {"paths": asked}))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


def dumped(page: Path, profile: Path) -> str:
    """Return the page as Chromium has it in the end."""
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
    flags += ["--disable-component-update", "--disable-sync", f"--user-data-dir={profile}", "--virtual-time-budget=2000", "--dump-dom"]
    return subprocess.run([CHROMIUM, *flags, page.as_uri()], capture_output=True, text=True, timeout=150, check=True).stdout


@pytest.mark.battery
@pytest.mark.timeout(400)
@pytest.mark.skipif(not CHROMIUM, reason="no Chromium is installed")
def test_in_a_real_browser_no_script_runs_nothing_is_loaded_and_hostile_data_shows_as_text(
    tmp_path: Path, outside: tuple[str, list[str]]
) -> None:
    url, asked = outside
    page = write_gallery(JinjaRenderer(hostile_files(url), built_in=False), CHANNELS, tmp_path / "out")
    dom = dumped(page, tmp_path / "profile")
    assert "data-ran=" not in dom.partition("<body")[0]
    assert asked == []
    assert dom.count(f"{SEEN}&lt;img src=x onerror=") >= 8
    assert "<img" not in re.sub(r'srcdoc="[^"]*"', "", dom)

    # the same without what guards it: the test would see a script and a request
    text = page.read_text()
    bare = tmp_path / "bare.html"
    bare.write_text(re.sub(r"<meta http-equiv=[^>]*>", "", text).replace('sandbox=""', ""))
    assert 'data-ran="1"' in dumped(bare, tmp_path / "profile-2").partition("<body")[0]
    assert "/mail.png" in asked
