"""Planted mistakes: small changes of correct markups, each one that real templates have suffered from, and the law that must catch it."""

import html
import json
import re
import sys
from functools import partial
from pathlib import Path
from unittest import mock

import jinja2
from attrs import frozen

from notifykit import Content, Markup
from notifykit.abc import Renderer
from notifykit.errors import RenderError
from notifykit.rendering import JinjaRenderer
from notifykit.rendering.html import HtmlFragment
from notifykit.rendering.json import JsonFragment
from notifykit.rendering.line import LineFragment
from notifykit.rendering.markdown_v2 import SPECIAL, MarkdownV2Fragment
from notifykit.rendering.text import TextFragment
from notifykit.testing.conformance import MARKUP_LAWS, MarkupCase

sys.path.insert(0, str(Path(__file__).parents[1] / "conformance"))

from test_renderer import TestJinjaRenderer as Correct

FRAGMENTS = {
    Markup.HTML: HtmlFragment,
    Markup.TEXT: TextFragment,
    Markup.LINE: LineFragment,
    Markup.MARKDOWN_V2: MarkdownV2Fragment,
    Markup.JSON: JsonFragment,
}
MUTANTS = {}


def case_of(markup, make=JinjaRenderer):
    return MarkupCase(
        markup=markup,
        make=make,
        oracle=Correct.oracles[markup],
        contexts=Correct.contexts.get(markup, {}),
        frame=Correct.frames.get(markup, "@"),
    )


@frozen
class Mutant:
    """A renderer whose fragments of one markup escape wrongly, or another renderer."""

    markup: Markup
    law: str
    escape: object = None
    make: object = JinjaRenderer

    async def tried(self):
        law = partial(MARKUP_LAWS[self.law], case_of(self.markup, self.make))
        if self.escape is None:
            return await law()
        with mock.patch.object(FRAGMENTS[self.markup], "escape_text", staticmethod(self.escape)):
            return await law()


def escapes(markup, law):
    """Plant a function that escapes a value's text."""

    def plant(function):
        MUTANTS[function.__name__] = Mutant(markup, law, escape=function)
        return function

    return plant


def renders(markup, law):
    """Plant a renderer."""

    def plant(kind):
        MUTANTS[kind.__name__] = Mutant(markup, law, make=kind)
        return kind

    return plant


def backslashed(text, signs):
    return re.sub(f"([{re.escape(signs)}])", r"\\\1", text)


# MarkdownV2


@escapes(Markup.MARKDOWN_V2, "each_special_character_is_shown_as_itself")
def forgets_the_backslash(text):
    return backslashed(text, SPECIAL.replace("\\", ""))


@escapes(Markup.MARKDOWN_V2, "each_special_character_is_shown_as_itself")
def forgets_what_the_first_version_did_not_reserve(text):
    return backslashed(text, "_*`[")


@escapes(Markup.MARKDOWN_V2, "each_special_character_is_shown_as_itself")
def forgets_the_equals_sign(text):
    return backslashed(text, SPECIAL.replace("=", ""))


@escapes(Markup.MARKDOWN_V2, "each_special_character_is_shown_as_itself")
def removes_what_it_should_escape(text):
    return re.sub(f"[{re.escape(SPECIAL)}]", "", text)


@escapes(Markup.MARKDOWN_V2, "each_special_character_is_shown_as_itself")
def takes_markdown_for_html(text):
    return backslashed(html.escape(text), SPECIAL)


@escapes(Markup.MARKDOWN_V2, "a_value_is_escaped_once_by_every_construct")
def escapes_what_is_escaped(text):
    return backslashed(backslashed(text, SPECIAL), SPECIAL)


@escapes(Markup.MARKDOWN_V2, "any_value_is_shown_as_itself")
def knows_ascii_only(text):
    return backslashed(text.encode("ascii", "ignore").decode(), SPECIAL)


@escapes(Markup.MARKDOWN_V2, "a_value_forges_no_structure")
def lets_a_value_be_bold(text):
    return re.sub(r"\\\*(.*)\\\*", r"*\1*", backslashed(text, SPECIAL))


# HTML


@escapes(Markup.HTML, "a_value_is_escaped_once_by_every_construct")
def forgets_the_ampersand(text):
    return text.replace("<", "&lt;").replace(">", "&gt;").replace('"', "&#34;").replace("'", "&#39;")


@escapes(Markup.HTML, "a_value_forges_no_structure")
def forgets_the_quote_in_an_attribute(text):
    return html.escape(text, quote=False)


@escapes(Markup.HTML, "each_special_character_is_shown_as_itself")
def escapes_the_ampersand_last(text):
    return text.replace("<", "&lt;").replace(">", "&gt;").replace('"', "&#34;").replace("&", "&amp;")


@escapes(Markup.HTML, "a_value_is_escaped_once_by_every_construct")
def escapes_nothing(text):
    return text


@escapes(Markup.HTML, "each_special_character_is_shown_as_itself")
def removes_tags(text):
    return html.escape(re.sub(r"<[^>]*>?", "", text))


# JSON, text and lines


@escapes(Markup.JSON, "each_special_character_is_shown_as_itself")
def escapes_quotes_only(text):
    return text.replace('"', '\\"')


@escapes(Markup.JSON, "each_special_character_is_shown_as_itself")
def quotes_once_more(text):
    return json.dumps(json.dumps(text)[1:-1])[1:-1]


@escapes(Markup.JSON, "each_special_character_is_shown_as_itself")
def takes_json_for_html(text):
    return json.dumps(html.escape(text))[1:-1]


@escapes(Markup.TEXT, "each_special_character_is_shown_as_itself")
def takes_text_for_html(text):
    return html.escape(text)


@escapes(Markup.TEXT, "odd_characters_do_no_harm")
def keeps_half_characters(text):
    return text


@escapes(Markup.LINE, "any_value_is_shown_as_itself")
def takes_a_subject_for_latin(text):
    return text.encode("latin-1", "replace").decode("latin-1")


# whole renderers


class Plain(Renderer):
    """Jinja with an escape function in its finalize."""

    undefined = jinja2.StrictUndefined

    def __init__(self, files):
        self._files = files

    def escape(self, text):
        return backslashed(text, SPECIAL)

    def finalize(self, value):
        return self.escape(str(value))

    def kinds(self, template):
        return frozenset({"k"})

    def check(self, template, kind, parts, variables, locale=None):
        pass

    def render(self, template, kind, parts, variables, *, locale=None, timezone=None):
        environment = jinja2.Environment(undefined=self.undefined, finalize=self.finalize)
        try:
            return Content({"part": self.done(environment.from_string(self._files["t/k.part.j2"]).render(variables))})
        except jinja2.UndefinedError as error:
            raise RenderError("undefined") from error

    def done(self, text):
        return text


@renders(Markup.MARKDOWN_V2, "a_value_is_escaped_once_by_every_construct")
class EscapesAtEachOutput(Plain):
    pass


@renders(Markup.MARKDOWN_V2, "an_undefined_variable_is_an_error")
class UndefinedIsEmpty(Plain):
    undefined = jinja2.Undefined


@renders(Markup.MARKDOWN_V2, "the_templates_own_markup_is_kept")
class EscapesTheWholeText(Plain):
    def finalize(self, value):
        return value

    def done(self, text):
        return backslashed(text, SPECIAL)


@renders(Markup.MARKDOWN_V2, "a_value_that_calls_itself_safe_is_not_believed_elsewhere")
class BelievesWhatCallsItselfSafe(Plain):
    def finalize(self, value):
        return value if hasattr(value, "__html__") else super().finalize(value)


@renders(Markup.MARKDOWN_V2, "numbers_and_other_values_are_shown_as_text")
class LeavesNumbersAsTheyAre(Plain):
    def finalize(self, value):
        return value if not isinstance(value, str) else super().finalize(value)


@renders(Markup.MARKDOWN_V2, "rendering_again_gives_the_same")
class RemembersItsFirstText(Plain):
    first = None

    def done(self, text):
        type(self).first = self.first or text
        return self.first
