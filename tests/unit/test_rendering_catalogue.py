"""Which file serves a template: sources in order, locales from particular to general, names that stay inside."""

from importlib.resources import files
from pathlib import Path

import pytest

from notifykit._messages import Lane, Markup, Part
from notifykit.errors import ConfigurationError, MissingPartError, RenderError, TemplateSyntaxError, UnknownTemplateError
from notifykit.rendering import JinjaRenderer

PARTS = {"text": Part(Markup.TEXT), "subject": Part(Markup.LINE, required=False)}


def text(renderer: JinjaRenderer, template: str = "t", locale: str | None = None, part: str = "text", **variables: object) -> str:
    return renderer.render(template, "k", PARTS, variables, locale=locale)[part]


def test_templates_come_from_folders_packages_and_mappings(tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "k.text.j2").write_text("from a folder")
    assert text(JinjaRenderer(tmp_path)) == text(JinjaRenderer(str(tmp_path))) == "from a folder"
    for source in ("package:notifykit/templates", files("notifykit") / "templates"):
        assert "entry_failure" in JinjaRenderer(source, built_in=False).templates()
    assert text(JinjaRenderer({"t/k.text.j2": "from a mapping"}, tmp_path)) == "from a mapping"
    assert text(JinjaRenderer(tmp_path, {"t/k.text.j2": "from a mapping"})) == "from a folder"


def test_notifykits_own_templates_come_last_and_can_be_left_out(tmp_path: Path) -> None:
    assert JinjaRenderer().templates() == ["entry_failure", "stop_loss_failure", "take_profit_failure"]
    assert JinjaRenderer(built_in=False).templates() == []
    mine = JinjaRenderer({"entry_failure/telegram.text.j2": "mine"})
    assert mine.render("entry_failure", "telegram", {"text": Part(Markup.MARKDOWN_V2)}, {})["text"] == "mine"
    assert mine.kinds("entry_failure") == {"email", "telegram", "push"}


def test_constructing_reads_nothing_and_the_first_use_names_a_missing_folder(tmp_path: Path) -> None:
    renderer = JinjaRenderer(tmp_path / "later")
    with pytest.raises(ConfigurationError, match="no template folder"):
        renderer.templates()
    (tmp_path / "later" / "t").mkdir(parents=True)
    (tmp_path / "later" / "t" / "k.text.j2").write_text("there")
    assert text(renderer) == "there"


@pytest.mark.parametrize("source", [5, object()])
def test_what_is_no_source_is_refused(source: object) -> None:
    with pytest.raises(ConfigurationError, match="not from a"):
        JinjaRenderer(source)  # type: ignore[arg-type]


def test_a_package_that_is_not_installed_is_named() -> None:
    with pytest.raises(ConfigurationError, match="no package nowhere_at_all"):
        JinjaRenderer("package:nowhere_at_all/templates")


@pytest.mark.parametrize(
    ("locale", "wanted"),
    [
        ("cs-CZ", "cs-CZ"),
        ("cs_CZ", "cs-CZ"),
        ("CS-cz", "cs-CZ"),
        ("cs", "cs"),
        ("cs-SK", "cs"),
        ("cs-CZ-x", "cs-CZ"),
        ("de", "default"),
        (None, "default"),
        ("", "default"),
        ("../cs", "default"),
        ("cs/..", "default"),
        ("c", "default"),
        ("cs," * 50, "default"),
        ("zh-Hant-TW", "zh-Hant"),
    ],
)
def test_the_file_of_the_nearest_locale_is_taken(locale: str | None, wanted: str) -> None:
    names = {"cs-CZ": "cs-CZ/", "cs": "cs/", "zh-Hant": "zh_Hant/", "default": ""}
    renderer = JinjaRenderer({f"t/{folder}k.text.j2": name for name, folder in names.items()}, built_in=False)
    assert text(renderer, locale=locale) == wanted


def test_locales_fall_back_part_by_part_and_include_along_the_chain() -> None:
    renderer = JinjaRenderer(
        {
            "t/k.text.j2": "default {% include 'piece.j2' %} {% include '_shared/foot.j2' %}",
            "t/k.subject.j2": "subject",
            "t/cs/k.subject.j2": "predmet",
            "t/piece.j2": "piece",
            "t/cs/piece.j2": "kus",
            "t/cs-CZ/piece.j2": "kousek",
            "_shared/foot.j2": "foot",
            "_shared/cs/foot.j2": "pata",
        },
        built_in=False,
    )
    assert text(renderer) == "default piece foot"
    assert text(renderer, locale="cs-CZ") == "default kousek pata"
    assert text(renderer, locale="cs-SK") == "default kus pata"
    assert text(renderer, locale="cs", part="subject") == "predmet"
    assert text(renderer, locale="de", part="subject") == "subject"


def test_a_file_that_extends_its_own_name_extends_the_next_one() -> None:
    renderer = JinjaRenderer(
        {
            "t/cs/k.text.j2": "{% extends 'k.text.j2' %}{% block a %}cs+{{ super() }}{% endblock %}",
            "t/k.text.j2": "{% extends 't/k.text.j2' %}{% block a %}mine+{{ super() }}{% endblock %}",
        },
        {"t/k.text.j2": "[{% block a %}original{% endblock %}]"},
        built_in=False,
    )
    assert text(renderer) == "[mine+original]"
    assert text(renderer, locale="cs") == "[cs+mine+original]"


def test_an_applications_own_file_comes_before_a_translation_further_back() -> None:
    renderer = JinjaRenderer({"t/k.text.j2": "mine"}, {"t/k.text.j2": "theirs", "t/cs/k.text.j2": "jejich"}, built_in=False)
    assert text(renderer, locale="cs") == "mine"


def test_a_file_beside_comes_before_one_at_the_root() -> None:
    renderer = JinjaRenderer({"t/k.text.j2": "{% include 'p.j2' %}", "t/p.j2": "beside", "p.j2": "root"}, built_in=False)
    assert text(renderer) == "beside"


@pytest.mark.parametrize(
    "name",
    [
        "../secret.j2",
        "/etc/passwd",
        "t/../../secret.j2",
        "..\\secret.j2",
        "|0|secret.j2",
        "x|0|t/p.j2",
        "",
        ".",
        "t",
        "C:\\x",
        "secret.txt",
        "p\x00",
    ],
)
def test_hostile_names_reach_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.j2").write_text("secret")
    (tmp_path / "in" / "t").mkdir(parents=True)
    (tmp_path / "in" / "secret.txt").write_text("secret")
    (tmp_path / "in" / "t" / "k.text.j2").write_text("{% include name %}")
    renderer = JinjaRenderer(tmp_path / "in", built_in=False)
    with pytest.raises(RenderError, match=r"t/k\.text\.j2, line 1: it refers to a template file that does not exist") as caught:
        text(renderer, name=name)
    assert "secret" not in str(caught.value)
    with pytest.raises(UnknownTemplateError):
        text(renderer, template=name if name != "t" else "../in/t")


def test_symbolic_links_are_followed_but_not_round_in_a_circle(tmp_path: Path) -> None:
    inside = tmp_path / "templates"
    (inside / "t").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "k.text.j2").write_text("from elsewhere")
    (inside / "u").symlink_to(tmp_path / "elsewhere")
    (inside / "t" / "k.text.j2").symlink_to(tmp_path / "elsewhere" / "k.text.j2")
    for name in ("t/up", "t/here", "round"):
        (inside / name).symlink_to(inside)
    renderer = JinjaRenderer(inside, built_in=False)
    assert renderer.catalogue.paths == {"t/k.text.j2", "u/k.text.j2"}
    assert text(renderer) == text(renderer, template="u") == "from elsewhere"


def test_what_cannot_be_read_is_an_error_of_its_own_and_a_link_to_nothing_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "k.text.j2").write_text("there")
    (tmp_path / "t" / ".#k.subject.j2").symlink_to("somebody@a-machine.123")
    (tmp_path / "t" / "k.subject.j2").symlink_to(tmp_path / "nowhere")
    assert text(JinjaRenderer(tmp_path)) == "there"
    (tmp_path / "t" / "template.toml").write_text("")
    for name in ("template.toml", "k.text.j2"):
        renderer = JinjaRenderer(tmp_path)
        assert renderer.templates()
        (tmp_path / "t" / name).unlink()
        with pytest.raises(RenderError, match=rf"{name} cannot be read: No such file"):
            text(renderer)


def test_an_unknown_template_is_an_error_that_lists_the_known_ones_the_nearest_first() -> None:
    renderer = JinjaRenderer({f"{name}/k.text.j2": "" for name in ("alpha", "order_paid", "order_shipped", "zulu")}, built_in=False)
    with pytest.raises(
        UnknownTemplateError, match="no template 'order_shiped'; there are: order_shipped, order_paid, alpha, zulu"
    ) as caught:
        text(renderer, template="order_shiped")
    assert caught.value.known == ("order_shipped", "order_paid", "alpha", "zulu")
    for call in (renderer.kinds, renderer.describe, lambda name: renderer.check(name, "k", PARTS, {})):
        with pytest.raises(UnknownTemplateError):
            call("nope")
    with pytest.raises(UnknownTemplateError, match="there are: none"):
        JinjaRenderer(built_in=False).kinds("a")


def test_shared_folders_and_other_files_are_no_templates() -> None:
    renderer = JinjaRenderer(
        {
            "_shared/k.text.j2": "",
            "k.text.j2": "",
            "a/b/c/k.text.j2": "",
            "t/k.text.j2": "",
            "t/_k.text.j2": "",
            "u/README.j2": "",
            ".x/k.text.j2": "",
        },
        built_in=False,
    )
    assert renderer.templates() == ["t"]
    assert renderer.kinds("t") == {"k"}


def test_a_required_part_without_a_file_is_named_and_an_optional_one_left_out() -> None:
    renderer = JinjaRenderer({"t/k.subject.j2": "s", "u/k.text.j2": "u"}, built_in=False)
    for call in (renderer.check, renderer.render):
        with pytest.raises(MissingPartError, match=r"t has no file k\.text\.j2") as caught:
            call("t", "k", PARTS, {})
        assert (caught.value.template, caught.value.part) == ("t", "text")
    assert dict(renderer.render("u", "k", PARTS, {}).parts) == {"text": "u"}


def test_templates_are_read_once_unless_they_are_to_be_reloaded(tmp_path: Path) -> None:
    folder = tmp_path / "t"
    folder.mkdir()
    (folder / "k.text.j2").write_text("{% include 'p.j2' %}")
    (folder / "p.j2").write_text("one")
    once, reloading = JinjaRenderer(tmp_path), JinjaRenderer(tmp_path, auto_reload=True)
    assert text(once) == text(reloading) == "one"
    (folder / "p.j2").write_text("two {{ x }}")
    import os

    os.utime(folder / "p.j2", (1, 1))
    (folder / "k.subject.j2").write_text("new")
    assert text(once) == "one"
    assert text(reloading, x=2) == "two 2"
    assert text(reloading, x=2, part="subject") == "new"


def test_a_template_file_too_large_or_not_in_utf_8_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "k.text.j2").write_bytes(b"x" * 101)
    with pytest.raises(RenderError, match=r"t/k\.text\.j2 has 101 bytes; a template may have 100"):
        text(JinjaRenderer(tmp_path, max_source=100))
    (tmp_path / "t" / "k.text.j2").write_bytes(b"\xff")
    with pytest.raises(RenderError, match="not UTF-8"):
        text(JinjaRenderer(tmp_path))


def test_a_description_says_what_the_template_is_for() -> None:
    toml = 'description = "About"\nlane = "campaign"\noptional = ["a"]\n[example]\nb = 2\n'
    renderer = JinjaRenderer({"t/k.text.j2": "", "t/template.toml": toml, "u/k.text.j2": ""}, built_in=False)
    found = renderer.describe("t")
    assert (found.name, found.description, found.lane, found.optional, dict(found.example)) == (
        "t",
        "About",
        Lane.CAMPAIGN,
        {"a"},
        {"b": 2},
    )
    assert renderer.describe("u").lane is Lane.TRANSACTIONAL


@pytest.mark.parametrize(
    "toml", ["x = ", 'descripton = "typo"', 'optional = "a"', "optional = [1]", 'lane = "slow"', "description = 1", "example = 1"]
)
def test_a_description_that_means_nothing_is_an_error(toml: str) -> None:
    with pytest.raises(TemplateSyntaxError, match=r"t/template\.toml"):
        JinjaRenderer({"t/k.text.j2": "", "t/template.toml": toml}, built_in=False).describe("t")


def test_a_folder_that_is_not_there_or_cannot_be_looked_at_is_an_error_that_says_where_it_was_sought() -> None:
    with pytest.raises(ConfigurationError, match="there is no template folder gone in ") as raised:
        JinjaRenderer("gone").templates()
    assert f"in {Path.cwd()}: give a path that does not depend on where the program starts" in str(raised.value)
    with pytest.raises(ConfigurationError) as raised:
        JinjaRenderer("/gone").templates()
    assert str(raised.value) == "there is no template folder /gone"
    with pytest.raises(ConfigurationError, match="cannot be read: File name too long"):
        JinjaRenderer("x" * 300).templates()
