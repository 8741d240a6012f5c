"""The check of templates: whatever is wrong is found before anything is sent, and what is right is left in peace."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import attrs
import pytest

from notifykit._messages import Content, Markup, Part
from notifykit._notifications import Notification
from notifykit.abc import Renderer
from notifykit.channels.console import ConsoleChannel
from notifykit.errors import ConfigurationError
from notifykit.rendering import JinjaRenderer
from notifykit.rendering.checking import Finding, Taker, check_templates
from notifykit.rendering.html_structure import read_structure
from notifykit.rendering.inspection import inspect
from notifykit.rendering.shapes import find_shapes

EMAIL: Taker = (
    "email",
    {"subject": Part(Markup.LINE), "html": Part(Markup.HTML, required=False), "text": Part(Markup.TEXT, required=False)},
)
TELEGRAM: Taker = ("telegram", {"text": Part(Markup.MARKDOWN_V2)})
PUSH: Taker = ("push", {"json": Part(Markup.JSON)})
CHANNELS: Mapping[str, Taker] = {"mail": EMAIL, "bot": TELEGRAM, "browser": PUSH}

GOOD = {
    "news/email.subject.j2": "News: {{ title }}",
    "news/email.html.j2": "<h1>{{ title }}</h1>{% for each in entries %}<p>{{ each.name|link(each.url) }}</p>{% endfor %}",
    "news/telegram.text.j2": "{{ title|bold }} from {{ sent|datetime }}{% if side == 'buy' %} bought{% else %} sold{% endif %}",
    "news/push.json.j2": '{"title": "News: {{ title }}"{% if note %}, "body": {{ note|tojson }}{% endif %}}',
    "news/template.toml": 'optional = ["note"]\n[example]\ntitle = "All well"\n',
}


def check(files: Mapping[str, str], notifications: Any = (), channels: Mapping[str, Taker] = CHANNELS) -> list[Finding]:
    return check_templates(JinjaRenderer(files, built_in=False), channels, notifications)


def only(files: Mapping[str, str], **kwargs: Any) -> Finding:
    """Return the one finding there is."""
    found = check(files, **kwargs)
    assert len(found) == 1, [str(each) for each in found]
    return found[0]


def test_the_templates_that_come_along_are_faultless() -> None:
    channels = {kind: ConsoleChannel(kind) for kind in ("telegram", "push")} | {"email": EMAIL}
    assert [str(each) for each in check_templates(JinjaRenderer(), channels)] == []


def test_a_good_template_with_loops_conditions_and_hardly_an_example_is_faultless() -> None:
    assert [str(each) for each in check(GOOD)] == []


def test_a_syntax_error_names_file_and_line_and_the_other_parts_are_checked_all_the_same() -> None:
    found = check({**GOOD, "news/telegram.text.j2": "a\n{% if %}", "news/push.json.j2": '{"title": 5}'})
    assert [(each.kind, each.part, each.severity) for each in found] == [("push", "json", "error"), ("telegram", "text", "error")]
    assert "news/telegram.text.j2, line 2" in found[1].text


def test_a_part_that_the_channel_requires_is_missed() -> None:
    finding = only({"a/email.html.j2": "<p>x</p>"})
    assert (finding.template, finding.kind, finding.part) == ("a", "email", "subject")


def test_an_email_with_a_subject_only_is_an_error() -> None:
    assert "email.html.j2, email.text.j2 or both" in only({"a/email.subject.j2": "x"}).text


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("news/email.htm.j2", "did you mean email.html.j2?"),
        ("news/emial.html.j2", "did you mean email.html.j2?"),
        ("news/telegram.j2", "did you mean telegram.text.j2?"),
        ("news/czech/email.subject.j2", "czech is no locale"),
        ("news/cs/template.toml", "nothing reads it"),
    ],
)
def test_a_file_that_nothing_reads_is_pointed_out(path: str, hint: str) -> None:
    finding = only({**GOOD, path: ""})
    assert finding.severity == "warning"
    assert path in finding.text
    assert hint in finding.text


@pytest.mark.parametrize(
    ("path", "hint"),
    [("a.email.text.j2", "a template is a folder"), ("b/email.j2", "files are named KIND.PART.j2"), ("b c/email.text.j2", "KIND.PART.j2")],
)
def test_a_file_outside_of_every_template_is_pointed_out(path: str, hint: str) -> None:
    finding = only({"a/telegram.text.j2": "x", path: "x"})
    assert (finding.template, finding.severity) == ("", "warning")
    assert f"{path}: nothing reads it; " in finding.text
    assert hint in finding.text


def test_shared_files_are_at_home_anywhere() -> None:
    files = {"a/telegram.text.j2": "{% include 'shared/one.j2' %}", "shared/one.j2": "x", "_two/three.j2": "x", "_four.j2": "x"}
    assert check(files) == []


@pytest.mark.parametrize("path", ["news/_parts.j2", "news/frame.j2", "news/sms.text.j2", "_layout/cs/base.j2"])
def test_pieces_that_are_used_or_shared_and_files_for_a_channel_that_is_not_there_are_left_in_peace(path: str) -> None:
    used = "{% include 'frame.j2' %}" if path == "news/frame.j2" else ""
    assert check({**GOOD, path: "", "news/email.text.j2": f"{used}{{{{ title }}}}"}) == []


def test_a_part_that_is_there_in_a_locale_only_is_an_error() -> None:
    finding = only({"a/cs/telegram.text.j2": "ahoj"})
    assert "in some locales only" in finding.text
    assert finding.severity == "error"


def test_a_fault_in_a_locale_names_the_locale_and_one_in_all_of_them_is_said_once() -> None:
    everywhere = {"a/telegram.text.j2": "hello.", "a/de/push.json.j2": "", "a/push.json.j2": '{"title": "x"}'}
    found = check({**everywhere, "a/de/push.json.j2": '{"title": }'})
    assert [(each.part, each.locale) for each in found] == [("json", "de"), ("text", None)]
    assert str(found[0]).startswith("error: a push.json [de]: ")


@pytest.mark.parametrize(
    "text", ["1.5", "*open", "a_b", "> quote\na > b", "[a](http://x.example", "![a](http://x.example/)", "{{ title|bold }}!"]
)
def test_markdown_that_telegram_refuses_is_an_error(text: str) -> None:
    finding = only({"a/telegram.text.j2": text})
    assert "Telegram refuses it" in finding.text
    assert finding.severity == "error"


def test_a_link_that_telegram_would_drop_is_a_warning() -> None:
    assert only({"a/telegram.text.j2": "[x](http://localhost/1)"}).severity == "warning"


def test_a_condition_is_tried_on_both_sides() -> None:
    text = "{% if side == 'buy' %}fine{% elif side in ['sell', 'short'] %}broken.{% endif %}x"
    finding = only({"a/telegram.text.j2": text, "a/template.toml": '[example]\nside = "buy"'})
    assert "with side = 'sell'" in finding.text


@pytest.mark.parametrize(("constant", "other"), [("'buy'", "'something else'"), ("3", "4"), ("true", "False")])
def test_a_condition_that_knows_one_value_is_tried_with_another(constant: str, other: str) -> None:
    finding = only({"a/telegram.text.j2": f"{{% if it == {constant} %}}x{{% else %}}x.{{% endif %}}"})
    assert f"with it = {other}" in finding.text
    quiet = f"{{% if it == {constant} %}}x{{% endif %}}y"
    assert check({"a/telegram.text.j2": quiet}) == []


def test_a_condition_on_a_field_or_a_number_or_on_being_there_is_tried_on_both_sides() -> None:
    example = '[example]\norder = {state = "open", count = 5, lines = [{sku = "a"}]}\nnote = "x"'
    field = "{% if order.state == 'shut' %}.{% endif %}x"
    assert "with order.state = 'shut'" in only({"a/telegram.text.j2": field, "a/template.toml": example}).text
    number = "{% if order.count > 10 %}.{% endif %}x"
    assert "with order.count = 11" in only({"a/telegram.text.j2": number, "a/template.toml": example}).text
    there = "{% if not note %}.{% endif %}x"
    assert "with note empty" in only({"a/telegram.text.j2": there, "a/template.toml": example}).text
    inner = "{% for line in order.lines %}{% if line.sku != 'b' %}x{% else %}.{% endif %}{% endfor %}"
    assert "with order.lines[].sku = 'b'" in only({"a/telegram.text.j2": inner, "a/template.toml": example}).text


def test_an_optional_variable_is_tried_absent_and_present() -> None:
    toml = 'optional = ["note"]\n[example]\ntitle = "x"'
    absent = only({"a/telegram.text.j2": "{{ title }}{{ note.text }}", "a/template.toml": f"{toml}\nnote = {{text = 'y'}}"})
    assert (absent.severity, "with note absent" in absent.text) == ("error", True)
    present = only({"a/telegram.text.j2": "{{ title }}{% if note %}.{% endif %}", "a/template.toml": toml})
    assert "with a made-up note" in present.text


def test_an_empty_list_is_tried() -> None:
    toml = "[example]\nlines = [1, 2]"
    finding = only({"a/telegram.text.j2": "x {{ lines[0] }}", "a/template.toml": toml})
    assert (finding.severity, "with empty lists" in finding.text) == ("warning", True)


def test_a_value_that_becomes_an_attribute_is_found() -> None:
    html = {"a/email.subject.j2": "x", "a/email.html.j2": "<p title={{ title }}>x</p>", "a/template.toml": '[example]\ntitle = "one"'}
    assert "put quotes around" in " ".join(each.text for each in check(html))
    assert check({**html, "a/email.html.j2": '<p title="{{ title }}">x</p>'}) == []


@pytest.mark.parametrize(
    ("html", "where"),
    [
        ("<style>p{color:{{ x }}}</style><p>z</p>", "<style>"),
        ("<style data-css-inline='ignore'>p{color:{{ x|upper }}}</style><p>z</p>", "<style>"),
        ('<p style="color:{{ x }}">z</p>', "style of <p>"),
        ("<p style='color:{% if x %}{{ x|trim }}{% endif %}'>z</p>", "style of <p>"),
        ("<script>var a = '{{ x }}'</script><p>z</p>", "<script>"),
        ("<p onclick=\"go('{{ x }}')\">z</p>", "onclick of <p>"),
        ('<iframe srcdoc="{{ x }}"></iframe><p>z</p>', "srcdoc of <iframe>"),
    ],
)
def test_a_value_where_another_language_is_read_is_found(html: str, where: str) -> None:
    findings = check({"a/email.subject.j2": "x", "a/email.html.j2": html, "a/template.toml": '[example]\nx = "red"'})
    (found,) = [each for each in findings if "a value stands in" in each.text]
    assert (found.severity, f"a value stands in {where}," in found.text) == ("error", True)


@pytest.mark.parametrize(
    "html",
    [
        "<style>p{color:{% if x == 'red' %}red{% else %}blue{% endif %}}</style><p>z</p>",
        "<p style=\"color:{{ {'red': '#f00'}[x]|default('#000') }}\">z</p>",
        '<p style="width:{{ n }}%">{{ x }}</p>',
        '<p style="width:{{ x|int }}%">{{ x }}</p>',
        '<!-- {{ x }} --><p title="{{ x }}">{{ x }}</p>',
    ],
)
def test_a_value_that_can_be_nothing_else_there_is_left_in_peace(html: str) -> None:
    files = {"a/email.subject.j2": "x", "a/email.html.j2": html, "a/template.toml": '[example]\nx = "red"\nn = 5'}
    assert [str(each) for each in check(files)] == []


@pytest.mark.parametrize(
    "text", ["> {{ x }}", "Said:\n>{{ x|bold }}\nyesterday", "**>{{ x|lower }}", "{% for each in [x] %}> {{ each }}\n{% endfor %}"]
)
def test_a_value_of_several_lines_in_a_quotation_of_the_templates_own_is_found(text: str) -> None:
    finding = only({"a/telegram.text.j2": text, "a/template.toml": '[example]\nx = "one"'})
    assert (finding.severity, "quotation" in finding.text) == ("error", True)
    assert "{{ x|quote }}" in finding.text or "bold" in text, "what crosses its end is refused by Telegram"


@pytest.mark.parametrize(
    "text", ["{{ x|quote }}", "> {{ x.split()|join(' ') }}", "> Quoted\n{{ x }}", "{% filter quote %}{{ x }}{% endfilter %}"]
)
def test_a_quotation_that_no_value_can_leave_is_left_in_peace(text: str) -> None:
    assert [str(each) for each in check({"a/telegram.text.j2": text, "a/template.toml": '[example]\nx = "one"'})] == []


def test_json_that_a_value_can_break_is_found() -> None:
    files = {"a/push.json.j2": '{"title": {{ title }}}', "a/template.toml": '[example]\ntitle = "5"'}
    assert {each.severity for each in check(files)} == {"error"}


def test_made_up_values_that_do_not_fit_are_a_warning_that_says_so() -> None:
    finding = only({"a/telegram.text.j2": "{{ amount.split('-')[7] }}"})
    assert (finding.severity, "with made-up values" in finding.text) == ("warning", True)


def test_a_push_message_over_its_size_is_an_error_and_one_that_long_texts_make_so_a_warning() -> None:
    over = only({"a/push.json.j2": '{"title": "x", "body": "' + "y" * 4000 + '"}'})
    assert (over.severity, "3,993" in over.text) == ("error", True)
    long = {"a/push.json.j2": '{"title": "{{ t }}", "body": "{{ t * 30 }}"}', "a/template.toml": '[example]\nt = "x"'}
    assert only(long).severity == "warning"


def test_a_text_over_the_channels_limit_is_found() -> None:
    short: Taker = ("sms", {"text": Part(Markup.TEXT, limit=160)})
    files = {"a/sms.text.j2": "{{ t }}", "a/template.toml": '[example]\nt = "x"'}
    assert only(files, channels={"sms": short}).severity == "warning"
    assert only({"a/sms.text.j2": "x" * 161}, channels={"sms": short}).severity == "error"


def test_a_bad_description_is_an_error() -> None:
    assert "a/template.toml" in only({"a/telegram.text.j2": "x", "a/template.toml": "[["}).text
    assert "means nothing" in only({"a/telegram.text.j2": "x", "a/template.toml": "color = 1"}).text


@pytest.mark.parametrize(
    ("html", "reason"),
    [
        ("<div><b>x</div>", "<b> is still open when </div> comes"),
        ("<div>", "<div> is still open at the end"),
        ("x</p>", "</p> closes nothing"),
        ("<p>a<div>b</div></p>", "</p> closes nothing"),
        ("<br></br>", "</br> means nothing"),
        ("<div/>", "closes nothing in HTML"),
        ('<p id="a" id="b">x</p>', "has an attribute twice"),
    ],
)
def test_html_that_is_not_balanced_is_an_error(html: str, reason: str) -> None:
    finding = only({"a/email.subject.j2": "x", "a/email.html.j2": html})
    assert reason in finding.text
    assert "line 1" in finding.text


@pytest.mark.parametrize(
    "html",
    [
        "<!DOCTYPE html><html><head><meta charset=utf-8><title>x</title></head><body><p>a<p>b<ul><li>1<li>2</ul></body></html>",
        "<table><tr><td>1<td>2<tr><td>3</table>",
        "<p>a<div>b</div>",
        "<svg><path d='M0 0'/></svg><br/><img src='cid:logo' alt=''>",
    ],
)
def test_html_with_tags_that_may_be_left_out_is_balanced(html: str) -> None:
    assert read_structure(html).faults == []


@pytest.mark.parametrize(
    ("html", "severity"),
    [
        ('<a href="/orders">x</a>', "warning"),
        ('<a href="">x</a>', "warning"),
        ('<img src="logo.png">', "warning"),
        ('<a href="java&#10;script:alert(1)">x</a>', "error"),
    ],
)
def test_a_link_that_leads_nowhere_from_a_mail_is_found(html: str, severity: str) -> None:
    finding = only({"a/email.subject.j2": "x", "a/email.html.j2": html})
    assert (finding.severity, "no absolute web address" in finding.text) == (severity, True)


@pytest.mark.parametrize("url", ["https://a.example/", "mailto:a@b.example", "tel:+420123", "#top"])
def test_links_that_mail_programs_follow_are_left_in_peace(url: str) -> None:
    assert check({"a/email.subject.j2": "x", "a/email.html.j2": f'<a href="{url}">x</a>'}) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[1]", "a JSON object"),
        ('{"body": "x"}', "needs a title"),
        ('{"web_push": 1, "notification": {"title": "x", "navigate": "https://a.example/"}}', "8030"),
        ('{"web_push": 8030, "notification": {"title": "x"}}', "without navigate"),
        ('{"title": "x", "tag": 5}', "tag of a push message is a text"),
        ('{"title": "x", "actions": {"action": "a"}}', "actions of a push message is a list of objects"),
        ('{"title": "x", "actions": [{"title": "Go"}]}', "action 1 needs an action, which is its name, and a title"),
        ('{"title": "x", "actions": [{"action": "a", "title": "b", "icon": "i.png"}]}', "icon of action 1 is no absolute web address"),
        (
            '{"web_push": 8030, "notification": {"title": "x", "navigate": "https://a.b/", "actions": [{"action": "a", "title": "b"}]}}',
            "action 1 needs a navigate",
        ),
        ('{"title": "x", "actions": [' + ", ".join(['{"action": "a", "title": "b"}'] * 3) + "]}", "it has 3 actions; browsers show 2"),
        ('{"title": "x", "icon": "/icon.png"}', "icon is no absolute web address"),
        ('{"title": "x", "navigate": "javascript:x"}', "navigate is no absolute web address"),
    ],
)
def test_a_push_message_that_no_browser_shows_well_is_found(text: str, said: str) -> None:
    assert said in only({"a/push.json.j2": text}).text


def test_json_of_other_channels_is_only_parsed() -> None:
    assert list(inspect(Markup.JSON, "webhook", "[1]")) == []


def test_too_much_formatting_and_too_much_mail_is_a_warning() -> None:
    assert [severity for severity, _, _ in inspect(Markup.MARKDOWN_V2, "telegram", "*a* " * 101)] == ["warning"]
    assert [severity for severity, _, _ in inspect(Markup.MARKDOWN_V2, "telegram", "👍" * 2049)] == ["warning"]
    assert list(inspect(Markup.MARKDOWN_V2, "telegram", "👍" * 2048)) == []
    assert [severity for severity, _, _ in inspect(Markup.HTML, "email", "x" * 105_000)] == ["warning"]
    assert "removes" not in str(list(inspect(Markup.HTML, "email", "<p>x</p>")))
    assert [severity for severity, _, _ in inspect(Markup.HTML, "email", "<script></script>")] == ["warning"]


@attrs.frozen
class Alert(Notification):
    title: str


@dataclasses.dataclass(frozen=True)
class Alarm(Notification):
    template = "alert"
    title: str
    side: str


class Bare(Notification):
    template = "alert"


def test_a_notification_class_must_have_the_fields_that_its_template_needs() -> None:
    files = {"alert/telegram.text.j2": "{{ title }} {{ side }}{% if note is defined %}{{ note }}{% endif %}"}
    finding = only(files, notifications=[Alert, Alarm])
    assert (finding.template, finding.kind) == ("alert", "telegram")
    assert "class Alert lacks the fields side" in finding.text


def test_a_notification_class_without_a_template_or_without_fields_is_an_error() -> None:
    assert "did you mean alerts?" in only({"alerts/telegram.text.j2": "x"}, notifications=[Alert]).text
    assert "attrs class or a dataclass" in only({"alert/telegram.text.j2": "x"}, notifications=[Bare]).text


class Other(Renderer):
    def kinds(self, template: str) -> frozenset[str]:
        return frozenset()

    def check(self, *args: Any, **kwargs: Any) -> None:
        return

    def render(self, *args: Any, **kwargs: Any) -> Content:
        return Content({})


def test_a_renderer_whose_files_are_not_known_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="not those of a Other"):
        check_templates(Other(), CHANNELS)


def test_a_class_is_compared_on_the_channels_whose_files_can_be_read() -> None:
    files = {"alert/telegram.text.j2": "{% broken", "alert/push.json.j2": '{"title": "x {{ title }} {{ where }}"}'}
    found = check(files, [Alert])
    assert [each.text for each in found if "class" in each.text] == ["class Alert lacks the fields where"]
    assert len(found) == 2


def test_examples_that_lack_what_a_condition_asks_for_are_left_as_they_are() -> None:
    text = "{% if user.kind is defined and user.kind == 'a' or not user.name %}b{% endif %}x{{ user.name if user.name else '' }}"
    assert check({"a/telegram.text.j2": text, "a/template.toml": "[example]\nuser = {name = 'Ada'}"}) == []


def test_an_image_inside_the_mail_is_no_link_and_an_empty_text_is_what_telegram_says() -> None:
    assert check({"a/email.subject.j2": "x", "a/email.html.j2": '<img src="cid:logo"><img src="data:image/png;base64,x">'}) == []
    assert [text for _, _, text in inspect(Markup.MARKDOWN_V2, "telegram", "**")] == ["Telegram takes no empty text"]
    assert "takes no empty text" in only({"a/telegram.text.j2": "{% if side == 'buy' %}x{% endif %}"}).text


def test_no_finding_shows_a_value() -> None:
    toml = '[example]\ntoken = "s3cret-value"'
    found = check({"a/telegram.text.j2": "{{ token.nope }}", "a/push.json.j2": "{{ token }}", "a/template.toml": toml})
    assert found
    assert "s3cret" not in repr(found)


def test_data_is_made_up_in_the_shape_that_the_template_asks_for() -> None:
    template = (
        "{{ user.name }} {% for line in order.lines|sort(attribute='sku') %}{{ line.sku }}{{ line.qty * 2 }}{% endfor %}"
        "{{ sent|datetime }}{% if kind == 'a' %}{% endif %}{% set o = parcel %}{{ o.weight|number }}{{ home_url }}{{ names[0] }}"
        "{% for key, value in facts.items() %}{{ key }}{% endfor %}{% macro m(x) %}{{ x.y }}{% endmacro %}"
        "{{ company_logo_image }}{{ reply_email }}{% for each in range(3) %}{{ each }}{% endfor %}{{ (1 + 1).real }}{{ names|last }}"
        "{% if 1 == 2 or x > y %}{% elif tail is none %}{% endif %}{% for f in facts %}{{ f }}{% endfor %}"
    )
    made = {name: shape.sample(name) for name, shape in find_shapes([template, "{% broken"]).items()}
    assert made["user"] == {"name": "Name"}
    assert [set(each) for each in made["order"]["lines"]] == [{"sku", "qty"}] * 2
    assert made["order"]["lines"][0]["qty"] * 2 == 24
    assert (made["kind"], made["parcel"], made["home_url"]) == ("a", {"weight": 12}, "https://example.com/home-url")
    assert made["sent"].tzinfo is not None
    assert len(made["names"]) == 2
    assert isinstance(made["facts"], dict)
    assert (made["company_logo_image"], made["reply_email"]) == ("https://example.com/company-logo-image.png", "ada@example.com")
    assert {"x", "y", "tail"} <= set(made)
    assert not {"key", "value", "each", "line", "f", "o"} & set(made)
