"""Dates and numbers as the recipient writes them: in the recipient's time zone, and locale where Babel is installed.

Without Babel (``pip install "notifykit[i18n]"``) dates are ISO-like (``2026-03-01 15:04 CET``) and numbers plain.
An unknown time zone counts as UTC and an unknown locale as English: a recipient's setting never stops a message.
A date without an offset is taken for UTC. Text that is no date or number is shown as it is.
"""

from collections.abc import Callable, Mapping
from contextvars import ContextVar, Token
from datetime import UTC, date, datetime, time, tzinfo
from decimal import Decimal, InvalidOperation, localcontext
from functools import cache, lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from attrs import frozen

from notifykit.errors import MissingExtraError
from notifykit.rendering.fragments import RefusedError

__all__ = ["LOCAL_FILTERS", "come_back", "go_to"]

_DIGITS = 60
_FORMS = ("zero", "one", "two", "few", "many")
_LIKE_ENGLISH = ("en", "de", "nl", "sv", "da", "nb", "no", "it", "es", "hu", "el", "fi", "et", "bg")
"""Languages with one form for 1 and one for the other whole numbers."""
_WIDTHS = ("short", "medium", "long", "full")


@cache
def _babel() -> Any:
    """Return Babel, or None where it is not installed; imported when something is first formatted."""
    try:
        import babel
        import babel.dates
        import babel.numbers
    except ImportError:
        return None
    return babel


@frozen
class _Place:
    locale: str
    zone: tzinfo
    language: str = "en"


_NOWHERE = _Place("en", UTC)
_PLACE: ContextVar[_Place] = ContextVar("notifykit_place", default=_NOWHERE)


def go_to(locale: str | None, timezone: str | None, language: str | None = None) -> Token[_Place]:
    """Format for this locale and time zone, words in this *language*, until :func:`come_back` is called with the answer."""
    return _PLACE.set(_place(locale, timezone, language))


def come_back(token: Token[_Place]) -> None:
    """Format as before."""
    _PLACE.reset(token)


@cache
def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return UTC


@cache
def _locale(name: str) -> str:
    """Return the nearest locale that Babel knows, as it spells it."""
    words, babel = name.replace("_", "-").split("-"), _babel()
    while babel is not None and words:
        try:
            return str(babel.Locale.parse("_".join(words)))
        except (babel.UnknownLocaleError, ValueError, TypeError):
            words.pop()
    return "en"


@lru_cache(4096)
def _place(locale: str | None, timezone: str | None, language: str | None) -> _Place:
    return _Place(_locale(locale[:40]) if locale else "en", _zone(timezone[:60]) if timezone else UTC, language or "en")


def _moment(value: Any) -> datetime | None:
    """Return *value* in the recipient's zone, or None if it is no date with a time."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(_PLACE.get().zone)


def _pattern(format: str) -> str:
    if _babel() is None and format not in _WIDTHS:
        raise MissingExtraError('date patterns need an optional dependency: pip install "notifykit[i18n]"', extra="i18n")
    return format


def format_datetime(value: Any, format: str = "medium") -> Any:
    """Show a date and its time in the recipient's time zone, which is named; *format* is a width or a CLDR pattern."""
    moment = _moment(value)
    if moment is None:
        return _text(value, date)
    _pattern(format)
    if _babel() is None:
        return f"{moment:%Y-%m-%d %H:%M} {moment:%Z}"
    locale = _PLACE.get().locale
    if format not in _WIDTHS:
        return _babel().dates.format_datetime(moment, format, moment.tzinfo, locale)
    day, clock = _babel().dates.format_date(moment, format, locale), _babel().dates.format_time(moment, "short", moment.tzinfo, locale)
    together = str(_babel().dates.get_datetime_format(format, locale)).replace("'", "")
    return f"{together.replace('{0}', clock).replace('{1}', day)} {moment:%Z}"


def format_date(value: Any, format: str = "medium") -> Any:
    """Show the day in the recipient's time zone."""
    day = value if isinstance(value, date) and not isinstance(value, datetime) else _moment(value)
    if day is None:
        return _text(value, date)
    _pattern(format)
    return f"{day:%Y-%m-%d}" if _babel() is None else _babel().dates.format_date(day, format, _PLACE.get().locale)


def format_time(value: Any, format: str = "short") -> Any:
    """Show the time of day in the recipient's time zone."""
    clock = value if isinstance(value, time) else _moment(value)
    if clock is None:
        return _text(value, time)
    _pattern(format)
    if _babel() is None:
        return f"{clock:%H:%M}"
    return _babel().dates.format_time(clock, format, clock.tzinfo, _PLACE.get().locale)


def _number(value: Any) -> Decimal | None:
    if isinstance(value, bool):
        return None
    try:
        number = Decimal(str(value)) if isinstance(value, int | float | Decimal | str) else None
    except InvalidOperation:
        return None
    return number if number is not None and number.is_finite() and _is_writable(number) else None


def _is_writable(number: Decimal) -> bool:
    """Return whether *number* can be written without an exponent: 1e999999 would be a million digits."""
    return abs(number.adjusted()) <= _DIGITS and len(number.as_tuple().digits) <= _DIGITS


def format_number(value: Any, decimals: int | None = None) -> Any:
    """Show a number with all of its decimals, or rounded to *decimals*."""
    number = _number(value)
    if number is None:
        return _text(value, Decimal)
    with localcontext(prec=4 * _DIGITS):
        if decimals is not None:
            number = round(number, decimals)
        places = max(0, -int(number.as_tuple().exponent))
        if _babel() is None:
            return f"{number:.{places}f}"
        return _babel().numbers.format_decimal(number, f"#,##0.{'0' * places}" if places else "#,##0", _PLACE.get().locale)


def format_currency(value: Any, currency: str) -> Any:
    """Show an amount of money; *currency* is its ISO 4217 code."""
    number = _number(value)
    if number is None:
        return _text(value, Decimal)
    if _babel() is None:
        return f"{format_number(number)} {currency}"
    return _babel().numbers.format_currency(number, currency, locale=_PLACE.get().locale)


def choose_plural(value: Any, *, other: Any, locale: str | None = None, **forms: Any) -> Any:
    """Return the form of a word that goes with a number: ``zero``, ``one``, ``two``, ``few``, ``many`` or *other*, by CLDR's rules.

    The rules are those of the locale whose folder the template stands in, and English ones for a template in no such folder;
    *locale* says otherwise. A form that is not given is *other*.
    """
    number = _number(value)
    if unknown := sorted(set(forms) - set(_FORMS)):
        raise RefusedError(f"plural has no form {unknown[0]}; there are {', '.join(_FORMS)} and other")
    if number is None:
        raise RefusedError("plural takes a number")
    name = locale or _PLACE.get().language
    if _babel() is not None:
        return forms.get(_babel().Locale.parse(_locale(name)).plural_form(abs(number)), other)
    if name.partition("-")[0].partition("_")[0].lower() not in _LIKE_ENGLISH:
        raise MissingExtraError('plural forms need an optional dependency: pip install "notifykit[i18n]"', extra="i18n")
    return forms.get("one", other) if abs(number) == 1 else other


def _text(value: Any, wanted: type) -> Any:
    if value is None or isinstance(value, str):
        return value
    raise RefusedError(f"a {type(value).__name__} is no {wanted.__name__.lower()}")


LOCAL_FILTERS: Mapping[str, Callable[..., Any]] = {
    "datetime": format_datetime,
    "date": format_date,
    "time": format_time,
    "number": format_number,
    "currency": format_currency,
    "plural": choose_plural,
}
