"""Dates and numbers are written for the recipient: zone and locale, and plainly where Babel is absent."""

import subprocess
import sys
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from notifykit._messages import Markup, Part
from notifykit.errors import RenderError
from notifykit.rendering import JinjaRenderer

MOMENT = datetime(2026, 3, 1, 23, 5, 12, tzinfo=UTC)


def show(expression: str, x: Any = MOMENT, locale: str | None = None, zone: str | None = None) -> str:
    renderer = JinjaRenderer({"t/k.p.j2": f"{{{{ {expression} }}}}"}, built_in=False)
    text = renderer.render("t", "k", {"p": Part(Markup.TEXT)}, {"x": x}, locale=locale, timezone=zone)["p"]
    return text.replace("\u202f", " ").replace("\xa0", " ")


@pytest.mark.parametrize(
    ("expression", "locale", "zone", "shown"),
    [
        ("x|datetime", None, None, "Mar 1, 2026, 11:05 PM UTC"),
        ("x|datetime", "en", "Europe/Prague", "Mar 2, 2026, 12:05 AM CET"),
        ("x|datetime", "en-US", "America/New_York", "Mar 1, 2026, 6:05 PM EST"),
        ("x|datetime", "cs-CZ", "Europe/Prague", "2. 3. 2026 0:05 CET"),
        ("x|datetime('short')", "de", "Europe/Berlin", "02.03.26, 00:05 CET"),
        ("x|datetime('full')", "en", "UTC", "Sunday, March 1, 2026, 11:05 PM UTC"),
        ("x|datetime('yyyy-MM-dd HH:mm:ss')", "en", "Asia/Kolkata", "2026-03-02 04:35:12"),
        ("x|date", "en", "Europe/Prague", "Mar 2, 2026"),
        ("x|date('long')", "de", "UTC", "1. März 2026"),
        ("x|time", "en", "Europe/Prague", "12:05 AM"),
        ("x|time", "cs", "UTC", "23:05"),
        ("x|datetime", "xx-YY", "Nowhere/Land", "Mar 1, 2026, 11:05 PM UTC"),
        ("x|datetime", "../etc", "../../etc/passwd", "Mar 1, 2026, 11:05 PM UTC"),
        ("x|datetime", "de-XX-nothing", "UTC", "01.03.2026, 23:05 UTC"),
    ],
)
def test_a_moment_is_shown_in_the_recipients_zone_and_locale(expression: str, locale: str | None, zone: str | None, shown: str) -> None:
    assert show(expression, locale=locale, zone=zone) == shown


def test_texts_and_moments_without_an_offset_are_understood() -> None:
    for x in ("2026-03-01T23:05:12+00:00", "2026-03-01T23:05:12Z", "2026-03-02T00:05:12+01:00", "2026-03-01 23:05:12"):
        assert show("x|datetime", x) == "Mar 1, 2026, 11:05 PM UTC"
    assert show("x|datetime", datetime(2026, 3, 1, 23, 5)) == "Mar 1, 2026, 11:05 PM UTC"
    assert show("x|datetime", MOMENT.astimezone(timezone(timedelta(hours=-5)))) == "Mar 1, 2026, 11:05 PM UTC"
    assert show("x|date", date(2026, 3, 1), zone="Pacific/Auckland") == "Mar 1, 2026"
    assert show("x|time", time(14, 5)) == "2:05 PM"


FORMS = "one='soubor', few='soubory', many='souboru', other='souborů'"


@pytest.mark.parametrize(
    ("x", "word"), [(0, "souborů"), (1, "soubor"), (2, "soubory"), ("5", "souborů"), (Decimal("1.5"), "souboru"), (-1, "soubor")]
)
def test_a_word_goes_with_its_number_by_the_rules_of_the_templates_language(x: Any, word: str) -> None:
    assert show(f"x|plural({FORMS}, locale='cs')", x) == word
    files = {"t/k.p.j2": "{{ x|plural(one='file', other='files') }}", "t/cs/k.p.j2": f"{{{{ x|plural({FORMS}) }}}}"}
    renderer, parts = JinjaRenderer(files, built_in=False), {"p": Part(Markup.TEXT)}
    assert renderer.render("t", "k", parts, {"x": x}, locale="cs-CZ")["p"] == word
    for locale in (None, "en", "ja", "de"):  # English is all there is, and its rules hold
        assert renderer.render("t", "k", parts, {"x": x}, locale=locale)["p"] == ("file" if abs(Decimal(x)) == 1 else "files")


@pytest.mark.parametrize(("expression", "reason"), [("plural(uno='a', other='b')", "no form uno"), ("plural(other='b')", "takes a number")])
def test_a_plural_of_no_number_or_with_an_unknown_form_is_refused(expression: str, reason: str) -> None:
    with pytest.raises(RenderError, match=reason):
        show(f"x|{expression}", "many")


@pytest.mark.parametrize("name", ["datetime", "date", "time", "number", "currency('EUR')"])
def test_text_that_is_none_of_it_is_shown_as_it_is(name: str) -> None:
    assert show(f"x|{name}", "soon") == "soon"
    assert show(f"x|{name}", None) == ""
    for wrong in ([1], True):
        with pytest.raises(RenderError, match="is no"):
            show(f"x|{name}", wrong)


@pytest.mark.parametrize(
    ("expression", "x", "locale", "shown"),
    [
        ("x|number", 1234567, "en", "1,234,567"),
        ("x|number", Decimal("1234.50"), "de", "1.234,50"),
        ("x|number", "0.00012300", "en", "0.00012300"),
        ("x|number", "1e3", "en", "1,000"),
        ("x|number", Decimal("12345678901234567890.123456789"), "en", "12,345,678,901,234,567,890.123456789"),
        ("x|number", 0.1, "cs", "0,1"),
        ("x|number", -5, "en", "-5"),
        ("x|number(2)", "3.14159", "en", "3.14"),
        ("x|number(0)", "3.6", "en", "4"),
        ("x|number", float("nan"), "en", None),
        ("x|number", "1e999999999", "en", "1e999999999"),
        ("x|number", "9" * 100, "en", "9" * 100),
        ("x|currency('EUR')", "1234.5", "de", "1.234,50 €"),
        ("x|currency('USD')", 5, "en", "$5.00"),
    ],
)
def test_numbers_keep_their_decimals_and_follow_the_locale(expression: str, x: Any, locale: str, shown: str | None) -> None:
    if shown is None:
        with pytest.raises(RenderError, match="is no decimal"):
            show(expression, x, locale)
    else:
        assert show(expression, x, locale) == shown


WITHOUT_BABEL = """
import sys
sys.modules["babel"] = sys.modules["babel.dates"] = sys.modules["babel.numbers"] = None
from datetime import UTC, datetime
from notifykit._messages import Markup, Part
from notifykit.errors import MissingExtraError
from notifykit.rendering import JinjaRenderer

def show(expression, x):
    renderer = JinjaRenderer({"t/k.p.j2": "{{ " + expression + " }}"}, built_in=False)
    return renderer.render("t", "k", {"p": Part(Markup.TEXT)}, {"x": x}, locale="cs", timezone="Europe/Prague")["p"]

moment = datetime(2026, 3, 1, 23, 5, 12, tzinfo=UTC)
print(show("x|datetime", moment), show("x|date", moment), show("x|time('full')", moment), sep="; ")
from notifykit.rendering.localization import choose_plural
print(*[choose_plural(x, one="one", other="other") for x in (0, 1, -1, 2, 1.5)])
for locale in ("de-AT", "cs"):
    try:
        print(choose_plural(1, one="one", other="other", locale=locale))
    except MissingExtraError as error:
        print(error)
print(show("x|number", "1234.50"), show("x|number(1)", 2), show("x|currency('EUR')", 5), sep="; ")
try:
    show("x|datetime('yyyy')", moment)
except MissingExtraError as error:
    print(error)
"""


def test_without_babel_dates_are_iso_like_and_numbers_plain() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_BABEL], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "2026-03-02 00:05 CET; 2026-03-02; 00:05",
        "other one one other other",
        "one",
        'plural forms need an optional dependency: pip install "notifykit[i18n]"',
        "1234.50; 2.0; 5 EUR",
        'date patterns need an optional dependency: pip install "notifykit[i18n]"',
    ]
